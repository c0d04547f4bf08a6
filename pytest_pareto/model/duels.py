"""What is known of every pair on a front, as the judge may ask for it."""

from dataclasses import dataclass, field
from typing import Protocol


class Duels(Protocol):
    """Claims about ordered pairs of points; each answer is a p-value, or None if undecidable.

    None means that some axis of the pair cannot be compared: it is never left out.
    """

    def dominated(self, point: str, rival: str) -> float | None:
        """How compatible the data are with ``rival`` *not* dominating ``point``."""
        ...

    def ahead(self, point: str, rival: str) -> float | None:
        """How compatible they are with ``point`` nowhere beating ``rival`` by its tolerance."""
        ...


class NoDuels:
    """The duels of a front on which nothing can be compared."""

    def dominated(self, point: str, rival: str) -> float | None:  # noqa: ARG002
        """Nothing is known."""
        return None

    def ahead(self, point: str, rival: str) -> float | None:  # noqa: ARG002
        """Nothing is known."""
        return None


@dataclass(frozen=True, slots=True)
class FrontDuels:
    """One front's claims: among the old points, new points against old, among the new.

    ``old`` and ``new`` list the case ids of the points; a rival that was not measured in
    this session stands at its old place.
    """

    old: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()
    then: Duels = field(default_factory=NoDuels)
    across: Duels = field(default_factory=NoDuels)
    now: Duels = field(default_factory=NoDuels)
