"""Seeds: one generator per sample, so that neither batches nor neighbours are part of a pair."""

import hashlib
from collections.abc import Sequence
from numbers import Integral
from typing import Any

from pytest_pareto.model.errors import ParetoError

_TAKES = (
    "seeds takes None (a seed of each sample's id), a number of seeds per sample, or a sequence "
    "with an int, or a tuple of ints, for each sample"
)


def seed_of(label: str, number: int = 0) -> int:
    """Return the ``number``-th seed of a sample, of 32 bits: the same wherever the id is."""
    digest = hashlib.sha256(f"{label}\0{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def read_seeds(seeds: Any, ids: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Return the seeds of each sample, as many for one as for the other.

    Raises ParetoError where they are not, or where there are none.
    """
    if seeds is None:
        seeds = 1
    if _is_whole(seeds):
        if seeds < 1:
            raise ParetoError(f"seeds is {seeds}; at least one seed per sample is needed")
        return tuple(tuple(seed_of(label, k) for k in range(int(seeds))) for label in ids)
    to_list = getattr(seeds, "tolist", None)
    found = to_list() if callable(to_list) else seeds
    if isinstance(found, str | bytes) or not isinstance(found, Sequence):
        raise ParetoError(f"{_TAKES}; not {seeds!r}")
    if len(found) != len(ids):
        raise ParetoError(f"there are {len(ids)} samples and seeds for {len(found)}; {_TAKES}")
    each = tuple(_of_one(given, label) for given, label in zip(found, ids, strict=True))
    counts = {len(given) for given in each}
    if len(counts) > 1 or counts == {0}:
        raise ParetoError(
            f"seeds has {min(counts)} to {max(counts)} seeds for a sample; give every sample "
            "the same number, at least one, so that their means weigh the same"
        )
    return each


def _of_one(given: Any, label: str) -> tuple[int, ...]:
    several = given if isinstance(given, tuple | list) else (given,)
    if not all(_is_whole(seed) for seed in several):
        raise ParetoError(f"the seed of sample {label!r} is {given!r}; {_TAKES}")
    return tuple(int(seed) for seed in several)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
