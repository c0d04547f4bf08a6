"""The rules of a session, decided before anything is measured: alpha, spreads, modes of the gate.

`Policy` has what options and ini keys say. `AlphaShares` is how a session splits its alpha.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Scope

SCREEN_ALPHA = 0.2
"""What looks worse at this level, uncorrected, is measured again before it is called so."""

LOST_SHARE = 0.1
BUDGET_SHARE = 0.1
ANCHOR_SHARE = 0.1
"""Shares of alpha spent on places lost, on budgets and on creep since the anchor, where a
session can have any of them."""


class Missing(StrEnum):
    """What to do where there is nothing to compare with, or nothing to compare."""

    AUTO = "auto"  # what vanished fails; what was never recorded here fails in CI
    FAIL = "fail"
    WARN = "warn"


class TradeOffs(StrEnum):
    """Which trades pass: those within their bound, all, or none."""

    BOUNDED = "bounded"
    PASS = "pass"  # noqa: S105 - a policy, not a password
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class SessionSpreads:
    """Assumed standard deviations between sessions, as fractions of a level.

    ``host`` is of latency, ``host_adjusted`` of one adjusted by the host reference; ``gpu``
    holds on the same board, ``gpu_other_board`` on another of the same product;
    measured on unchanged code on an H200: device time .02-.05 % and .11-.16 %, wall
    latency 4-9 %.
    """

    host: float = 0.04
    host_adjusted: float = 0.015
    gpu: float = 0.0005
    gpu_other_board: float = 0.0015

    def of(self, scope: Scope, now: Environment, then: Environment) -> float:
        """Return what two sessions of a metric of ``scope`` are assumed to differ by."""
        if scope is Scope.GPU and now.boards != then.boards:
            return self.gpu_other_board
        return self.on_same_board(scope)

    def on_same_board(self, scope: Scope) -> float:
        """Return the same of sessions that used the same GPUs."""
        return {Scope.ANYWHERE: 0.0, Scope.HOST: self.host, Scope.GPU: self.gpu}[scope]


@dataclass(frozen=True, slots=True)
class Policy:
    """The gate's settings. ``alpha`` is the chance of failing an unharmed build.

    ``spreads`` are the assumed standard deviations between sessions. ``confirming`` is the number
    of fresh runs that measure again what is flagged, 0 where none do.

    ``accepts_new``, ``accepts_changes`` and ``accepts_all`` say that this session's update
    writes what is new, what changed, or what became another thing altogether (other
    samples, another direction, gone) into the baseline: what is accepted does not fail.
    """

    alpha: float = 0.05
    missing: Missing = Missing.AUTO
    fail_inconclusive: bool = False
    trade_offs: TradeOffs = TradeOffs.BOUNDED
    ci: bool = False
    accepts_new: bool = False
    accepts_changes: bool = False
    accepts_all: bool = False
    spreads: SessionSpreads = field(default_factory=SessionSpreads)
    confirming: int = 0

    def accepting_nothing(self) -> "Policy":
        """Return this policy for a session that writes nothing into the baseline."""
        return replace(self, accepts_new=False, accepts_changes=False, accepts_all=False)

    def without_ci(self) -> "Policy":
        """Return this policy for a session that needs no baseline: what is new is just new."""
        return replace(self, ci=False)

    @property
    def vanished_fails(self) -> bool:
        """Whether something that the baseline has and this session lacks fails the build."""
        return self.missing is not Missing.WARN

    @property
    def unrecorded_fails(self) -> bool:
        """Whether something that the baseline lacks fails the build."""
        return self.missing is Missing.FAIL or (self.missing is Missing.AUTO and self.ci)


@dataclass(frozen=True, slots=True)
class AlphaShares:
    """How a session spends its alpha; unused shares go to the changes of metrics."""

    changes: float
    lost: float
    budgets: float
    anchor: float = 0.0

    @classmethod
    def of(cls, *, has_rivals: bool, has_budgets: bool, has_anchor: bool = False) -> "AlphaShares":
        """Split by what the session can ask at all, never by what it found."""
        lost = LOST_SHARE if has_rivals else 0.0
        budgets = BUDGET_SHARE if has_budgets else 0.0
        anchor = ANCHOR_SHARE if has_anchor else 0.0
        return cls(1.0 - lost - budgets - anchor, lost, budgets, anchor)


ALL_ON_CHANGES = AlphaShares(1.0, 0.0, 0.0)
"""Of a session that can lose no place and break no budget, and has no anchor."""


PER_BLOCK = 2
"""Runs of each side in one block of an interleaved session."""

SCREENING_BLOCKS = 2
"""Blocks of the screening part: enough to flag a metric, too few to decide about it."""

LEAST_BLOCKS, MOST_BLOCKS = 4, 12
"""Fewest and most blocks that confirm what was flagged."""

LEAST_OF_MANY = 6
"""Fewest confirming blocks where many metrics are flagged."""
