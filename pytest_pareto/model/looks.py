"""Looks: how far an evaluation came that may stop as soon as its verdict is decided."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_pareto.model.errors import ParetoError


def order_seed(ids: Iterable[str]) -> int:
    """Return the seed of the order in which samples are visited, made of all their ids.

    The same samples have the same order, in every process and session, and other ones another:
    so the seed also tells which samples were planned, of which only some were scored.
    """
    joined = "\n".join(sorted(ids))
    return int.from_bytes(hashlib.sha256(joined.encode()).digest()[:4], "big")


@dataclass(frozen=True, slots=True)
class Looks:
    """Where an evaluation of ``samples`` samples stopped: at look ``at`` of ``planned`` ones.

    The looks are equally far apart, and the order of the samples is shuffled by ``seed``
    (`order_seed`), so that what was scored until a look is a random part of the whole.
    """

    samples: int
    planned: int
    at: int
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.at <= self.planned <= self.samples:
            raise ParetoError(
                f"look {self.at} of {self.planned} over {self.samples} samples: looks are counted "
                "from 1, and each needs a sample of its own"
            )

    def used_at(self, look: int) -> int:
        """Return how many samples have been scored when a look is reached."""
        return -(-self.samples * look // self.planned)

    @property
    def used(self) -> int:
        """How many samples were scored."""
        return self.used_at(self.at)

    @property
    def saved(self) -> int:
        """How many samples were not."""
        return self.samples - self.used

    @property
    def complete(self) -> bool:
        """Whether every sample was scored."""
        return self.at == self.planned
