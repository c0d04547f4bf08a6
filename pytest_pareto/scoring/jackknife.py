"""A number of a whole set, with the spread that leaving out blocks of it shows."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def blocks_of(count: int, blocks: int, seed: int) -> list[list[int]]:
    """Part ``count`` places at random into ``blocks`` blocks, of equal sizes up to one."""
    places = list(range(count))
    random.Random(seed).shuffle(places)  # noqa: S311  (no secret)
    return [sorted(places[first::blocks]) for first in range(blocks)]


def pseudo_values(
    statistic: Callable[[Any], float], items: Any, blocks: Sequence[Sequence[int]]
) -> tuple[float, tuple[float, ...]]:
    """Return the statistic of all items, and the jackknife's pseudo-value of each block.

    Of a block that h times fills the whole: h T - (h - 1) T without it. ``items`` is an array.
    """
    whole = float(statistic(items))
    values = []
    for block in blocks:
        h = len(items) / len(block)
        values.append(h * whole - (h - 1) * float(statistic(np.delete(items, block, axis=0))))
    return whole, tuple(values)
