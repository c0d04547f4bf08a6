"""The terms of a session's comparisons: levels of error, and what sessions are assumed to do."""

from dataclasses import dataclass, field

from pytest_pareto.model.spreads import SessionSpreads

__all__ = ["SessionSpreads", "Terms"]


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms. ``alpha`` is the session's.

    ``confirming`` is in how many fresh runs the session measures again what looks worse, and
    0 where it does not. ``interleaved`` is whether both sides were measured in turn, so that
    no baseline is stored and no session in between. ``confirmed`` is of one metric: whether it
    was measured again.
    """

    alpha: float = 0.05
    spreads: SessionSpreads = field(default_factory=SessionSpreads)
    confirming: int = 0
    interleaved: bool = False
    confirmed: bool = False
