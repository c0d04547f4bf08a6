"""In which order samples are visited, and when it is asked whether that was enough."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.run import Looks, order_seed

LOOKS = 5
"""How often an evaluation that may stop early looks at what it has."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The positions that are visited until a look, and the look; None where nobody looks."""

    positions: tuple[int, ...]
    looks: Looks | None


def stretches(ids: Sequence[str], *, looking: bool) -> Iterator[Stretch]:
    """Yield what to visit: everything as it was given or, where looking, shuffled and in parts.

    The seed of the shuffle comes from the ids, so that the same samples have the same order.
    """
    if not looking:
        yield Stretch(tuple(range(len(ids))), None)
        return
    seed = order_seed(ids)
    order = sorted(
        range(len(ids)), key=lambda at: hashlib.sha256(f"{seed} {ids[at]}".encode()).digest()
    )
    used = 0
    for at in range(1, min(LOOKS, len(ids)) + 1):
        looks = Looks(len(ids), min(LOOKS, len(ids)), at, seed)
        yield Stretch(tuple(order[used : looks.used]), looks)
        used = looks.used
