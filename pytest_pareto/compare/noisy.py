"""One noisy metric of one case: how far its runs scatter, drift, and raise false alarms."""

import math
from dataclasses import dataclass, replace

from scipy.special import chdtri

from pytest_pareto.compare.cases import session_sd
from pytest_pareto.compare.foresight import Outlook
from pytest_pareto.compare.match import Match
from pytest_pareto.compare.matched import own_spread
from pytest_pareto.compare.measured import Measured
from pytest_pareto.compare.mood import is_adjusted
from pytest_pareto.compare.splits import compare, false_alarms, parted
from pytest_pareto.model.change import Change
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.noise import CaseNoise, Scatter
from pytest_pareto.model.policy import LEAST_OF_MANY, PER_BLOCK, SCREENING_BLOCKS, Terms
from pytest_pareto.model.run import CaseRun
from pytest_pareto.model.sight import Plan
from pytest_pareto.stats.scale import to_fraction
from pytest_pareto.stats.variance import Spread, case_spread

_COVERAGE = 0.9
_RUNS_PLANNED = (1, 3, 5)
_IN_TURN = Plan(
    runs=PER_BLOCK * SCREENING_BLOCKS, confirming=PER_BLOCK * LEAST_OF_MANY, interleaved=True
)
"""Two blocks that screen, and six that convict, each of two runs of either side."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What the sessions to come have in common with this one, measured ``here``.

    ``share`` is how much of alpha the changes of metrics have, ``family`` how many share it.
    """

    here: Environment
    terms: Terms
    baseline_runs: int
    family: int
    share: float

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The ways to measure that a user can choose from."""
        alone = tuple(Plan(runs) for runs in _RUNS_PLANNED)
        confirmed = (Plan(1, self.terms.confirming),) if self.terms.confirming else ()
        return (*alone, *confirmed, _IN_TURN)


def examine_metric(case: CaseRun, found: Measured, prospect: Prospect) -> CaseNoise:
    """Examine one metric of a case over runs of unchanged code."""
    metric, terms = found.metric, prospect.terms
    raw = case_spread((), found.runs, relative=metric.relative)
    halves = _halves(found, prospect)
    adjusted = is_adjusted(halves)
    spread = own_spread(found, halves) if adjusted else raw
    outlook = Outlook(
        variance=spread.variance,
        session_sd=session_sd(metric, halves.session_spread, found.runs),
        doubt=halves.doubt.variance,
        baseline_runs=prospect.baseline_runs,
        alpha=terms.alpha * prospect.share,
        family=prospect.family,
        relative=metric.relative,
    )
    return CaseNoise(
        case_id=case.case_id,
        front=case.front,
        metric=metric,
        scatter=scatter_of(spread, relative=metric.relative),
        raw=scatter_of(raw, relative=metric.relative) if adjusted else None,
        drift=_drift(halves, terms.alpha),
        alarms=false_alarms(found, prospect.here, terms),
        sights=outlook.sights(prospect.plans, metric.tolerance),
        session_spread=halves.session_spread,
        enough_runs=outlook.enough_runs(metric.tolerance),
        sessions_forbid=outlook.sessions_forbid(metric.tolerance),
        notes=(*found.notes, *halves.notes),
    )


def _halves(found: Measured, prospect: Prospect) -> Match:
    """Set the second half of the runs against the first.

    Adjusted by the host reference where it may be; as they were measured where the host's mood
    changed so much in between that the product would call them not comparable.
    """
    count = len(found.runs)
    second = tuple(range(count // 2, count))
    match = parted(found, second, prospect.here, prospect.terms)
    if match.apart is None:
        return match
    raw = parted(replace(found, reference=()), second, prospect.here, prospect.terms)
    return replace(raw, notes=(f"the second half of the runs is not comparable: {match.apart}",))


def scatter_of(spread: Spread, *, relative: bool) -> Scatter:
    """Return the standard deviation √s² and its interval, from ν s² / σ² ~ χ²(ν)."""

    def sd(variance: float) -> float:
        return to_fraction(math.sqrt(variance), relative=relative)

    squares, tail = spread.df * spread.variance, (1 - _COVERAGE) / 2
    return Scatter(
        sd(spread.variance),
        sd(squares / float(chdtri(spread.df, tail))),
        sd(squares / float(chdtri(spread.df, 1 - tail))),
    )


def _drift(halves: Match, alpha: float) -> Change | None:
    """Return the change between the halves if it is shown, either way, at the level alpha."""
    change = compare(halves, 0.0, alpha)
    return change if min(change.p_worse, change.p_better) <= alpha / 2 else None
