"""All that a session's verdict rests on, beside what it was compared with."""

from dataclasses import dataclass, field

from pytest_pareto.model.asked import Asked
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import Run
from pytest_pareto.model.spreads import SessionSpreads


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """What a session measured, and the terms on which it is judged.

    ``flagged`` is what looked worse, by (case id, metric name), and ``again`` the runs that
    measured it again; ``confirming`` is how many of these the session takes. Where old code
    took turns with the new, ``old_runs`` and ``old_again`` are its own. ``failures`` happened
    before judging, ``notices`` are told, and ``gone`` are tests that only the old code has.
    ``anchored`` is whether an anchor has a share of alpha.
    """

    runs: tuple[Run, ...]
    policy: Policy
    asked: Asked = field(default_factory=Asked)
    spreads: SessionSpreads = field(default_factory=SessionSpreads)
    confirming: int = 0
    flagged: frozenset[tuple[str, str]] = frozenset()
    again: tuple[Run, ...] = ()
    old_runs: tuple[Run, ...] = ()
    old_again: tuple[Run, ...] = ()
    failures: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    anchored: bool = False

    @property
    def in_turn(self) -> bool:
        """Whether old code took turns with the new."""
        return bool(self.old_runs)

    @property
    def cut_short(self) -> bool:
        """Whether the session ended before it had run everything."""
        return self.asked.stopped is not None

    @property
    def confirms(self) -> bool:
        """Whether what looks worse was measured again before it is called so."""
        return self.confirming > 0 and not self.cut_short and not self.failures
