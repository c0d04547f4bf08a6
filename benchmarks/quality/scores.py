"""Two sides' scores, drawn at random: their differences have a mean, a shape and a spread."""

import math
from collections.abc import Callable
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Array, Array]]
"""Draws the baseline's and the candidate's scores of so many samples; higher is better."""

RARE = 0.05
"""The share of samples that collapse."""

SEEDS_PER_PROMPT = 5
WITHIN = 0.5
"""The share of a score's variance that its prompt decides."""


class Shape(StrEnum):
    """Of differences; the harm of all has mean 0 and standard deviation 1."""

    NORMAL = "normal"
    TO_HARM = "a tail towards harm"
    TO_GOOD = "a tail towards improvement"
    HEAVY = "t with 3 degrees of freedom"
    COLLAPSE = "5 % collapse"
    RARE_GOOD = "5 % improve, the rest is worse"
    HARD = "a log-normal tail towards improvement"


def harms(shape: Shape, rng: np.random.Generator, n: int) -> Array:
    """Draw the harms of n samples."""
    return _HARMS[shape](rng, n)


def _collapse(rng: np.random.Generator, n: int) -> Array:
    fallen = (rng.random(n) < RARE).astype(np.float64)
    return (fallen - RARE) / math.sqrt(RARE * (1 - RARE))


_HARMS: dict[Shape, Callable[[np.random.Generator, int], Array]] = {
    Shape.NORMAL: lambda rng, n: rng.normal(size=n),
    Shape.TO_HARM: lambda rng, n: rng.exponential(size=n) - 1,
    Shape.TO_GOOD: lambda rng, n: 1 - rng.exponential(size=n),
    Shape.HEAVY: lambda rng, n: rng.standard_t(3, size=n) / math.sqrt(3),
    Shape.COLLAPSE: _collapse,
    Shape.RARE_GOOD: lambda rng, n: -_collapse(rng, n),
    Shape.HARD: lambda rng, n: (
        (math.exp(0.5) - rng.lognormal(size=n)) / math.sqrt(math.exp(2) - math.exp(1))
    ),
}


def shifted(shape: Shape, harm: float, sd: float) -> Draw:
    """Scores of which each gets worse by ``harm`` on average."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        before = rng.normal(0.8, 0.5, n)
        return before, before - harm - sd * harms(shape, rng, n)

    return draw


def clustered(harm: float, sd: float, *, averaged: bool) -> Draw:
    """Several seeds per prompt, which share most of what their prompt does to them.

    ``averaged`` they are one score per prompt. Otherwise every seed is a score of its own, and
    n prompts give n times `SEEDS_PER_PROMPT` of them.
    """

    def draw(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        shape = (n, SEEDS_PER_PROMPT)
        before = rng.normal(0.8, 0.5, shape)
        of_prompt, of_seed = rng.normal(size=(n, 1)), rng.normal(size=shape)
        noise = math.sqrt(WITHIN) * of_prompt + math.sqrt(1 - WITHIN) * of_seed
        after = before - harm - sd * noise
        return (before.mean(1), after.mean(1)) if averaged else (before.ravel(), after.ravel())

    return draw


def collapsing(share: float, depth: float, noise: float = 0.003) -> Draw:
    """Scores of which most hardly move, and a share falls deep."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        before = rng.normal(0.8, 0.05, n)
        fallen = depth * (rng.random(n) < share)
        return before, before - fallen - noise * rng.normal(size=n)

    return draw


def binary(before: float, drop: float, up: float = 0.01) -> Draw:
    """Scores of 0 and 1: a share ``before`` of ones, and of them ``drop`` + ``up`` lost.

    ``up`` is the share of samples that become right.
    """

    def draw(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        luck = rng.random(n)
        then, now = (luck < before).astype(float), (luck < before).astype(float)
        now[luck < drop + up] = 0.0
        now[luck >= 1 - up] = 1.0
        return then, now

    return draw


def graded(worse: float, better: float) -> Draw:
    """Grades of 1 to 5, of which such shares change by one or two."""

    def draw(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        before, luck = rng.integers(3, 4, n).astype(float), rng.random(n)
        signs = (luck < worse).astype(float) - (luck >= 1 - better)
        return before, before - signs * rng.integers(1, 3, n)

    return draw
