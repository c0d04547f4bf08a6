"""Shapes of noise, each with mean 0 and variance 1 before it is scaled."""

import math
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

STATES_APART = 0.9
"""Half the distance of the two states of bimodal noise, in standard deviations."""

AUTOCORRELATION = 0.6
"""Of neighbouring calls of a process; .5-.7 were measured."""


class Shape(StrEnum):
    """What the differences between processes look like, and in AR1 those between calls."""

    NORMAL = "normal"
    AR1 = "AR(1)"
    EXPONENTIAL = "exponential"
    BIMODAL = "bimodal"


def unit_noise(rng: np.random.Generator, shape: Shape, size: tuple[int, ...]) -> Values:
    """Draw what differs from process to process, or from sample to sample.

    AR(1) is normal here: its calls, and not its processes, remember each other.
    """
    match shape:
        case Shape.NORMAL | Shape.AR1:
            return rng.normal(size=size)
        case Shape.EXPONENTIAL:
            return rng.exponential(size=size) - 1
        case Shape.BIMODAL:
            states = rng.choice([-STATES_APART, STATES_APART], size=size)
            return np.asarray(states + math.sqrt(1 - STATES_APART**2) * rng.normal(size=size))


def unit_calls(rng: np.random.Generator, shape: Shape, size: tuple[int, ...]) -> Values:
    """Draw what differs from call to call within a process; calls are on the last axis."""
    calls = rng.normal(size=size)
    if shape is Shape.AR1:
        fresh = math.sqrt(1 - AUTOCORRELATION**2)
        for i in range(1, size[-1]):
            calls[..., i] = AUTOCORRELATION * calls[..., i - 1] + fresh * calls[..., i]
    return calls
