"""A number of a whole set, with the spread that leaving out blocks of it shows."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt


def blocks_of(count: int, blocks: int, seed: int) -> npt.NDArray[np.int64]:
    """Assign ``count`` items to ``blocks`` blocks of equal size (give or take one), at random."""
    order = [number % blocks for number in range(count)]
    random.Random(seed).shuffle(order)  # noqa: S311  (no secret)
    return np.array(order, np.int64)


def pseudo_values(
    statistic: Callable[[Any], float], items: Any, blocks: npt.NDArray[np.int64]
) -> tuple[float, npt.NDArray[np.float64]]:
    """Return the statistic of all items, and the jackknife's pseudo-value of each block.

    Of block j, which holds a share 1/h of the items: h T - (h - 1) T without j.
    """
    whole = float(statistic(items))
    values = []
    for block in range(int(blocks.max()) + 1):
        rest = blocks != block
        h = len(blocks) / (len(blocks) - rest.sum())
        values.append(h * whole - (h - 1) * float(statistic(items[rest])))
    return whole, np.array(values)
