"""The policy of a session, fixed before anything is measured: alpha, spreads, gate settings.

`Policy` holds the settings from options and ini keys. `AlphaShares` splits the alpha of a session.
The constants at the end are the block counts of interleaved sessions.
"""

import math
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Scope


class Option(StrEnum):
    """The options and ini keys that reasons of the pure rooms refer to: spelled here alone."""

    PARETO = "--pareto"
    RUNS = "--pareto-runs"
    CONFIRM = "--pareto-confirm"
    UPDATE = "--pareto-update"
    AGAINST = "--pareto-against"
    MISSING = "--pareto-missing"
    SESSION_SPREAD = "pareto_session_spread"
    ALPHA = "pareto_alpha"
    MISSING_KEY = "pareto_missing"
    INCONCLUSIVE = "pareto_inconclusive"
    TRADE_OFF = "pareto_tradeoff"
    CONFIRMING = "pareto_confirm"
    RULES = "--pareto-rules"
    RULES_KEY = "pareto_rules"


CONFIRMING_RUNS = 5
"""The default number of fresh processes that measure again what is flagged."""

SCREEN_ALPHA = 0.2
"""A metric whose uncorrected p-value is at most this is flagged, and measured again."""

LEAST_P_CONFIRMING = 0.05
"""A flagged metric is measured again only if that confirms it with this probability or more."""

POOLED_TESTS = 4
"""With at most so many tests in turn, the runs that screen and those that confirm decide together.

All tests then share alpha, and not only the flagged ones: with more of them, fresh runs need less.
"""

BUDGET_SHARE = 0.1
ANCHOR_SHARE = 0.1
"""Shares of alpha for budgets and drift, where a session can have them."""


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

    ``host`` is of latency, ``host_adjusted`` of one adjusted by the host reference, ``gpu`` of
    device time, ``energy`` of the energy of a GPU that never waits for its host, and
    ``dynamic_energy`` of its part above idle. They hold on
    the same board; those of ``other_board`` hold on another of the same product, and so on another
    host. Unchanged code on H200s differed by .02-.05 % and .11-.16 % in device time, and by 4-9 %
    and 11-23 % in latency; energy where the GPU was the bottleneck by .4-.7 % between processes,
    and dynamic energy by .2-1 % between processes and 2.2-3.7 % between two boards.
    Those of the GPU are wider than that: at its power limit sessions may differ by more.
    """

    host: float = 0.04
    host_other_board: float = 0.1
    host_adjusted: float = 0.015
    gpu: float = 0.001
    gpu_other_board: float = 0.002
    energy: float = 0.005
    energy_other_board: float = 0.01
    dynamic_energy: float = 0.01
    dynamic_energy_other_board: float = 0.02

    def of(self, scope: Scope, now: Environment, then: Environment) -> float:
        """Return the assumed spread between two sessions of a metric of ``scope``."""
        if now.boards == then.boards:
            return self.on_same_board(scope)
        other = {Scope.HOST: self.host_other_board, Scope.GPU: self.gpu_other_board}
        return other.get(scope, 0.0)

    def on_same_board(self, scope: Scope) -> float:
        """Return the assumed spread between two sessions that used the same GPUs."""
        return {Scope.ANYWHERE: 0.0, Scope.HOST: self.host, Scope.GPU: self.gpu}[scope]

    def of_energy(self, waiting: float, now: Environment, then: Environment) -> float:
        """Return the assumed spread of the energy of a call, with its share of ``waiting``.

        A GPU that waits for its host draws power as well: in that part of the call, energy follows
        latency. It was in proportion to latency where the GPU waited for .87 of the call, and
        moved half as far where it did for .51.
        """
        board = self.energy if now.boards == then.boards else self.energy_other_board
        return math.hypot(board, waiting * self.of(Scope.HOST, now, then))

    def of_dynamic_energy(self, now: Environment, then: Environment) -> float:
        """Return the assumed spread of the energy of a call above that of an idle board."""
        same_board = now.boards == then.boards
        return self.dynamic_energy if same_board else self.dynamic_energy_other_board


@dataclass(frozen=True, slots=True)
class Policy:
    """The gate's settings. ``alpha`` is the chance of failing an unharmed build.

    ``spreads`` are the assumed standard deviations between sessions. ``confirming`` is the number
    of fresh runs that measure flagged metrics again, 0 for none. ``fail_rules`` is whether rules
    that were loosened since the baseline was recorded fail the session.

    ``accepts_new``, ``accepts_changes`` and ``accepts_all`` are whether this session's update
    writes new metrics, changed levels, and changed definitions (other samples, another direction,
    a metric that is gone) into the baseline. What is accepted does not fail.
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
    fail_rules: bool = False

    def accepting_nothing(self) -> "Policy":
        """Return this policy for a session that writes nothing into the baseline."""
        return replace(self, accepts_new=False, accepts_changes=False, accepts_all=False)

    def without_ci(self) -> "Policy":
        """Return this policy for a session without a baseline, where new metrics do not fail."""
        return replace(self, ci=False)

    def as_recorded(self) -> "Policy":
        """Return this policy without what depends on the place and the purpose of the session."""
        return self.accepting_nothing().without_ci()

    @property
    def settings(self) -> dict[str, tuple[str, float]]:
        """The settings that decide what fails: text and strictness, by option or ini key.

        A larger strictness lets less through.
        """
        missing = [Missing.WARN, Missing.AUTO, Missing.FAIL].index(self.missing)
        trades = [TradeOffs.PASS, TradeOffs.BOUNDED, TradeOffs.FAIL].index(self.trade_offs)
        undecided = "fail" if self.fail_inconclusive else "pass"
        settings = {
            Option.ALPHA.value: (f"{self.alpha:g}", self.alpha),
            Option.MISSING_KEY.value: (self.missing.value, missing),
            Option.INCONCLUSIVE.value: (undecided, self.fail_inconclusive),
            Option.TRADE_OFF.value: (self.trade_offs.value, trades),
            Option.RULES_KEY.value: ("fail" if self.fail_rules else "pass", self.fail_rules),
            Option.CONFIRMING.value: (str(self.confirming), self.confirming),
        }
        for name, spread in asdict(self.spreads).items():
            settings[f"{Option.SESSION_SPREAD} {name}"] = (f"{spread:g}", -spread)
        return settings

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
    """How a session spends its alpha; unused shares go to the changes of metrics.

    A place on a front has no share: it is lost by a metric that is WORSE, which spent its own.
    """

    changes: float
    budgets: float
    anchor: float = 0.0

    @classmethod
    def of(cls, *, has_budgets: bool, has_anchor: bool = False) -> "AlphaShares":
        """Return the split by what the session can test, never by what it found."""
        budgets = BUDGET_SHARE if has_budgets else 0.0
        anchor = ANCHOR_SHARE if has_anchor else 0.0
        return cls(1.0 - budgets - anchor, budgets, anchor)


ALL_ON_CHANGES = AlphaShares(1.0, 0.0)
"""The shares of a session without budgets or an anchor."""

RUNS_PER_BLOCK = 2
"""Runs of each side in one block of fresh processes; a pair of live ones is a block of one."""

SCREENING_BLOCKS = 2
"""Blocks of the screening part: enough to flag a metric, too few to decide on it."""

SCREENING_PAIRS = 3
"""Pairs of live processes of the screening part."""

MIN_BLOCKS, MAX_BLOCKS = 4, 12
"""The fewest and the most blocks that confirm flagged metrics."""

MIN_POOLED_BLOCKS = 2
"""The fewest where the blocks that screened count as well."""

MIN_BLOCKS_MANY_FLAGGED = 6
"""Fewest confirming blocks where many metrics are flagged."""
