"""False alarm rates from splits of unchanged code, and forecasts of the resolution of sessions.

`false_alarms` splits the runs in two and compares both sides: every alarm is a false one. Splits
of a few runs are not independent, so that the rate is a rough estimate. All runs are of one
session, so that they contain no difference between sessions, and the comparisons have no term for
it.

`Forecast` computes what future sessions will detect on a machine with a known spread between
runs. The spread is taken as the true one; each future session estimates it again, with its own
degrees of freedom.
"""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations

from pytest_pareto.compare.host_adjustment import adjust_pair
from pytest_pareto.compare.levels import Measured
from pytest_pareto.compare.matching import Pair
from pytest_pareto.compare.multiplicity import screened_family
from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.doctor.noise_model import Alarms, FalseAlarms, Plan, PlanResolution, SplitSizes
from pytest_pareto.model.baseline import Baseline, Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.policy import Policy
from pytest_pareto.stats.contrast import Contrast, InterleavedContrast
from pytest_pareto.stats.power import MOST_RUNS, detectable_distance, detectable_in_one_stage
from pytest_pareto.stats.scale import harm_sign, margin_of, to_fraction, to_working
from pytest_pareto.stats.variance import NO_SPREAD, Level, Spread, assumed_session_spread

MAX_SPLITS = 300
USUAL_CANDIDATE = 3
NAIVE_TOLERANCE = 0.05

CandidateRuns = tuple[int, ...]
"""The indices of the runs that are the candidate's; the other runs are the baseline's."""

_HERE = "here"
_SEED = 20240607


def split_sizes(count: int) -> SplitSizes:
    """Return how ``count`` runs, four or more, are split: three for the candidate, or half."""
    candidate = min(USUAL_CANDIDATE, count // 2)
    return SplitSizes(count - candidate, candidate)


def shuffled_splits(count: int, size: int) -> list[CandidateRuns]:
    """Return all splits that give ``size`` of ``count`` runs to the candidate, 300 at most.

    Where there are more, 300 are drawn at random, with a fixed seed.
    """
    if math.comb(count, size) <= MAX_SPLITS:
        return list(combinations(range(count), size))
    draw = random.Random(_SEED)  # noqa: S311 - must be repeatable, not secret
    return [tuple(sorted(draw.sample(range(count), size))) for _ in range(MAX_SPLITS)]


def contiguous_splits(count: int, size: int) -> list[CandidateRuns]:
    """Return the splits in which the candidate's runs are consecutive."""
    return [tuple(range(start, start + size)) for start in range(count - size + 1)]


def false_alarms(measured: Measured, here: Environment, policy: Policy) -> FalseAlarms:
    """Count the false alarms of pytest-pareto's rule, and of a naive one, on unchanged code."""
    count = len(measured.runs)
    size = split_sizes(count).candidate
    tolerance = measured.metric.tolerance

    def alarms(splits: Iterable[CandidateRuns], tolerance: float) -> Alarms:
        pairs = [split_pair(measured, candidate, here, policy) for candidate in splits]
        changes = [compare_split(pair, tolerance, policy.alpha) for pair in pairs]
        return Alarms(sum(c.outcome is Outcome.WORSE for c in changes), len(pairs))

    return FalseAlarms(
        alarms(shuffled_splits(count, size), tolerance),
        alarms(contiguous_splits(count, size), tolerance),
        alarms(shuffled_splits(count, size), 0.0),
        alarms(contiguous_splits(count, size), 0.0),
        _naive_alarms(measured),
    )


def split_pair(
    measured: Measured, candidate: CandidateRuns, here: Environment, policy: Policy
) -> Pair:
    """Return a pair: some runs as the candidate, the rest as a stored baseline.

    A latency is adjusted by the host reference as usual, where both sides have one.
    """
    rest = tuple(i for i in range(len(measured.runs)) if i not in candidate)
    session = Session(_HERE, 0, _picked(measured.runs, rest), _picked(measured.reference, rest))
    now = replace(
        measured,
        runs=_picked(measured.runs, candidate),
        reference=_picked(measured.reference, candidate),
    )
    spread = policy.spreads.on_same_board(measured.metric.scope)
    pair = Pair(now, (session,), now.runs, None, spread, exact=False)
    baseline = Baseline(here.hardware_key, {}, {_HERE: here})
    return adjust_pair(pair, baseline, here, policy.spreads) if now.reference else pair


def compare_split(pair: Pair, tolerance: float, alpha: float) -> Change:
    """Compare both sides of a split as in a session, but without a term for sessions."""
    metric = pair.measured.metric
    return compare_levels(
        pair.sessions,
        pair.runs,
        better=metric.better,
        relative=metric.relative,
        tolerance=tolerance,
        alpha=alpha,
        adjustment_error=pair.adjustment_error,
    )


def _picked(values: Sequence[float], indices: CandidateRuns) -> tuple[float, ...]:
    return tuple(values[i] for i in indices) if values else ()


def _naive_alarms(measured: Measured) -> Alarms:
    """Compare every run with every other run; more than 5 % worse is a regression."""
    metric = measured.metric
    values = to_working(measured.runs, relative=metric.relative)
    sign = harm_sign(metric.better)
    pairs = list(permutations(values, 2))

    def margin(before: float) -> float:
        share = NAIVE_TOLERANCE * (1.0 if metric.relative else abs(before))
        return margin_of(share, relative=metric.relative)

    alarms = sum(sign * (after - before) > margin(before) for before, after in pairs)
    return Alarms(alarms, len(pairs))


_ROUND_FIGURES = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_ROUNDING = 1e-9
_MAX_TOLERANCE = 1.0
"""A tolerance of more than 100 % promises nothing."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The known parameters of a future session, on the working scale of the metric.

    ``variance`` is the variance between runs, ``session_sd`` the assumed standard deviation between
    sessions, and ``adjustment_error`` the variance that an adjustment of the values adds. A stored
    baseline has ``baseline_runs`` runs of one session. ``family`` tests share ``alpha``, which is
    their part of the session's alpha.
    """

    variance: float
    session_sd: float
    adjustment_error: Spread
    baseline_runs: int
    alpha: float
    family: int
    relative: bool

    def detectable(self, plan: Plan) -> float:
        """Return the distance beyond the margin that a plan detects with 80 % probability."""
        if not plan.interleaved:
            return detectable_distance(
                self._stored_contrast(plan.runs), self._level, plan.confirming
            )
        family = screened_family(self.family) if plan.confirming else self.family
        contrast = self._interleaved_contrast(plan.runs)
        return detectable_distance(contrast, self.alpha / family, plan.confirming)

    @property
    def _level(self) -> float:
        return self.alpha / self.family

    def _stored_contrast(self, runs: int) -> Contrast:
        df = self.baseline_runs + runs - 2.0
        return Contrast(
            distance=0.0,
            baseline=Level(0.0, self.baseline_runs, 1.0),
            runs=runs,
            between_runs=Spread(self.variance, df),
            between_sessions=assumed_session_spread(self.session_sd),
            sessions_seen=0,
            adjustment_error=self.adjustment_error,
        )

    def _interleaved_contrast(self, runs: int) -> InterleavedContrast:
        blocks = InterleavedContrast(
            distance=0.0,
            baseline=Level(0.0, 0, 1.0),
            runs=0,
            between_runs=Spread(self.variance, 0.0),
            between_sessions=NO_SPREAD,
            sessions_seen=0,
        )
        return blocks.with_runs(runs)

    def resolutions(self, plans: Iterable[Plan], tolerance: float) -> tuple[PlanResolution, ...]:
        """Return the resolution of each plan at a tolerance, and the tolerance that it holds."""
        excess, margin = self._excess(tolerance), margin_of(tolerance, relative=self.relative)
        distances = [(plan, self.detectable(plan)) for plan in plans]
        return tuple(
            PlanResolution(
                plan,
                resolution=to_fraction(margin + distance, relative=self.relative),
                tolerance=rounded_up(held_tolerance(distance, relative=self.relative)),
                suffices=distance <= excess,
            )
            for plan, distance in distances
        )

    def enough_runs(self, tolerance: float) -> int | None:
        """Return the smallest number of runs, up to 100, at which a tolerance holds."""
        excess = self._excess(tolerance)
        if not excess or self.detectable(Plan(MOST_RUNS)) > excess:
            return None
        counts = range(1, MOST_RUNS + 1)
        return next(runs for runs in counts if self.detectable(Plan(runs)) <= excess)

    def sessions_forbid(self, tolerance: float) -> bool:
        """Whether a tolerance would not hold with any number of runs on either side."""
        limit = detectable_in_one_stage(self._stored_contrast(1).session_error, self._level)
        return limit > self._excess(tolerance)

    def _excess(self, tolerance: float) -> float:
        """Return the distance from a tolerance to a change of twice the tolerance."""
        near, far = (margin_of(t, relative=self.relative) for t in (tolerance, 2 * tolerance))
        return far - near


def held_tolerance(distance: float, *, relative: bool) -> float:
    """Return the tolerance τ for which 2τ is ``distance`` beyond τ, `inf` if there is none.

    Where changes are ratios, log(1 + 2τ) - log(1 + τ) = c with c the distance, so that
    τ = (eᶜ - 1) / (2 - eᶜ). A tolerance of more than 100 % does not count.
    """
    if not relative:
        return distance
    growth = to_fraction(distance, relative=True)
    tolerance = growth / (1 - growth) if growth < 1 else math.inf
    return tolerance if tolerance <= _MAX_TOLERANCE else math.inf


def rounded_up(tolerance: float) -> float:
    """Return a tolerance rounded up to a round figure: 0.0123 to 0.015."""
    if not 0 < tolerance < math.inf:
        return tolerance
    power = 10.0 ** math.floor(math.log10(tolerance))
    step = next(s for s in _ROUND_FIGURES if s >= tolerance / power * (1 - _ROUNDING))
    return float(f"{step * power:.2g}")
