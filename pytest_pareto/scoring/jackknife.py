"""One number of a whole set, taken apart into what each block of its items contributes."""

import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from pytest_pareto.model.errors import ParetoError

T = TypeVar("T")


def pseudo_values(
    statistic: Callable[[Sequence[T]], float], items: Sequence[T], blocks: Sequence[Sequence[int]]
) -> tuple[float, tuple[float, ...]]:
    """Return the statistic of all items, and one pseudo-value per block of them.

    J_b = h f - (h - 1) f_(-b), with f_(-b) the statistic without block b and h how many times the
    block fits into the whole: as many as there are blocks, where all are of one size. Their mean
    is f without its bias of the order 1/n; like independent readings they scatter by what f owes
    to the luck of the draw. ``blocks`` are lists of places in ``items`` that share none and leave
    none out. Of an array the statistic gets arrays, of any other sequence lists.

    Source: J. W. Tukey (1958), "Bias and confidence in not quite large samples", Annals of
    Mathematical Statistics 29, 614; for blocks that differ in size F. Busing, E. Meijer and
    R. van der Leeden (1999), "Delete-m jackknife for unequal m", Statistics and Computing 9, 3-8.

    Raises ParetoError unless there are two blocks or more that part the items.
    """
    count = len(items)
    parted = sorted(place for block in blocks for place in block) == list(range(count))
    if len(blocks) < 2 or not all(blocks) or not parted:
        raise ParetoError(
            f"{len(blocks)} blocks of {count} items: two or more are needed, none of them empty, "
            "and each item in one of them"
        )
    whole = float(statistic(items))
    values = []
    for block in blocks:
        times = count / len(block)
        without = float(statistic(_without(items, block)))
        values.append(times * whole - (times - 1) * without)
    return whole, tuple(values)


def blocks_of(count: int, blocks: int, seed: int) -> list[list[int]]:
    """Part ``count`` places at random into ``blocks`` blocks, of equal sizes up to one.

    The same seed parts them in the same way on every machine.

    Raises ParetoError unless there is a place for each of two blocks or more.
    """
    if not 2 <= blocks <= count:
        raise ParetoError(
            f"{count} samples cannot be parted into {blocks} blocks; "
            "two blocks or more are needed, and a sample for each"
        )
    places = list(range(count))
    random.Random(seed).shuffle(places)  # noqa: S311 - to be repeated, not to be secret
    return [sorted(places[start::blocks]) for start in range(blocks)]


def _without(items: Any, block: Sequence[int]) -> Any:
    left_out = set(block)
    rest = [place for place in range(len(items)) if place not in left_out]
    return items[rest] if isinstance(items, np.ndarray) else [items[place] for place in rest]
