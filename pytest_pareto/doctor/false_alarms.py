"""Runs of unchanged code, split in two and compared with themselves: every alarm is a false one.

Splits of a few runs are not independent, so that a rate from them is a rough one; and all the
runs are of one session, so that nothing here tells what sessions differ by. The comparisons
make no allowance for it either.

What sessions to come will see on a machine whose spread between runs is known.

Planning formulas: the spread is taken for the true one, and each session to come estimates it
anew with the degrees of freedom that it will have.
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
from pytest_pareto.doctor.noise_model import Alarms, FalseAlarms, Plan, Sight, SplitSizes
from pytest_pareto.model.baseline import Baseline, Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.policy import Policy
from pytest_pareto.stats.contrast import Contrast, InterleavedContrast
from pytest_pareto.stats.power import MOST_RUNS, caught_at_once, caught_beyond
from pytest_pareto.stats.scale import harm_sign, margin_of, to_fraction, to_working
from pytest_pareto.stats.variance import NO_SPREAD, Level, Spread, shrunk

MOST_SPLITS = 300
USUAL_CANDIDATE = 3
NAIVE_TOLERANCE = 0.05

Runs = tuple[int, ...]
"""Which runs are the candidate's, by their number from 0 on; the others are the baseline's."""

_HERE = "here"
_SEED = 20240607


def split_sizes(count: int) -> SplitSizes:
    """Return how ``count`` runs, four or more, are split: three for the candidate, or half."""
    candidate = min(USUAL_CANDIDATE, count // 2)
    return SplitSizes(count - candidate, candidate)


def shuffled(count: int, size: int) -> list[Runs]:
    """Return all splits that give ``size`` of ``count`` runs to the candidate, or 300 at random."""
    if math.comb(count, size) <= MOST_SPLITS:
        return list(combinations(range(count), size))
    draw = random.Random(_SEED)  # noqa: S311 - a sample that comes out the same each time
    return [tuple(sorted(draw.sample(range(count), size))) for _ in range(MOST_SPLITS)]


def in_order(count: int, size: int) -> list[Runs]:
    """Return the splits in which the candidate's runs follow one another."""
    return [tuple(range(start, start + size)) for start in range(count - size + 1)]


def false_alarms(found: Measured, here: Environment, policy: Policy) -> FalseAlarms:
    """Ask the product's own rule, and a naive one, about runs of unchanged code."""
    count = len(found.runs)
    size = split_sizes(count).candidate
    tolerance = found.metric.tolerance

    def asked(splits: Iterable[Runs], tolerance: float) -> Alarms:
        matches = [parted(found, candidate, here, policy) for candidate in splits]
        compared = [compare(match, tolerance, policy.alpha) for match in matches]
        return Alarms(sum(c.outcome is Outcome.WORSE for c in compared), len(matches))

    return FalseAlarms(
        asked(shuffled(count, size), tolerance),
        asked(in_order(count, size), tolerance),
        asked(shuffled(count, size), 0.0),
        asked(in_order(count, size), 0.0),
        _naive(found),
    )


def parted(found: Measured, candidate: Runs, here: Environment, policy: Policy) -> Pair:
    """Take some runs for the candidate's and the rest for a stored baseline's.

    A latency is brought to the baseline's mood as ever, where both sides have a host reference.
    """
    rest = tuple(i for i in range(len(found.runs)) if i not in candidate)
    session = Session(_HERE, 0, _picked(found.runs, rest), _picked(found.reference, rest))
    now = replace(
        found,
        runs=_picked(found.runs, candidate),
        reference=_picked(found.reference, candidate),
    )
    spread = policy.spreads.on_one_board(found.metric.scope)
    match = Pair(now, (session,), now.runs, None, spread, exact=False)
    baseline = Baseline(here.hardware_key, {}, {_HERE: here})
    return adjust_pair(match, baseline, here, policy.spreads)


def compare(match: Pair, tolerance: float, alpha: float) -> Change:
    """Compare both sides of a split as the product does, but for the sessions: they are one."""
    metric = match.measured.metric
    return compare_levels(
        match.sessions,
        match.runs,
        better=metric.better,
        relative=metric.relative,
        tolerance=tolerance,
        alpha=alpha,
        doubt=match.doubt,
    )


def _picked(values: Sequence[float], chosen: Runs) -> tuple[float, ...]:
    return tuple(values[i] for i in chosen) if values else ()


def _naive(found: Measured) -> Alarms:
    """Compare every run with every other: more than 5 % worse is a regression."""
    metric = found.metric
    values = to_working(found.runs, relative=metric.relative)
    sign = harm_sign(metric.better)
    pairs = list(permutations(values, 2))

    def margin(before: float) -> float:
        share = NAIVE_TOLERANCE * (1.0 if metric.relative else abs(before))
        return margin_of(share, relative=metric.relative)

    return Alarms(sum(sign * (now - then) > margin(then) for then, now in pairs), len(pairs))


_SENSIBLE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_HAIR = 1e-9
_WIDEST = 1.0
"""A tolerance of more than 100 % promises nothing."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a session to come is known to meet, on the working scale of the metric.

    ``variance`` is that between runs, ``session_sd`` what sessions are assumed to differ by, and
    ``doubt`` the variance that an adjustment of the values adds. A stored baseline has
    ``baseline_runs`` of one session, and ``family`` tests have ``alpha`` between them: what they
    have of the session's.
    """

    variance: float
    session_sd: float
    doubt: Spread
    baseline_runs: int
    alpha: float
    family: int
    relative: bool

    def caught(self, plan: Plan) -> float:
        """Return the distance beyond the margin that a plan catches with 80 % probability."""
        if not plan.interleaved:
            return caught_beyond(self._stored(plan.runs), self._level, plan.confirming)
        family = screened_family(self.family) if plan.confirming else self.family
        return caught_beyond(self._in_turn(plan.runs), self.alpha / family, plan.confirming)

    @property
    def _level(self) -> float:
        return self.alpha / self.family

    def _stored(self, runs: int) -> Contrast:
        df = self.baseline_runs + runs - 2.0
        return Contrast(
            distance=0.0,
            baseline=Level(0.0, self.baseline_runs, 1.0),
            runs=runs,
            between_runs=Spread(self.variance, df),
            between_sessions=shrunk(Spread(0.0, 0.0), self.session_sd),
            sessions_seen=0,
            doubt=self.doubt,
        )

    def _in_turn(self, runs: int) -> InterleavedContrast:
        blocks = InterleavedContrast(
            distance=0.0,
            baseline=Level(0.0, 0, 1.0),
            runs=0,
            between_runs=Spread(self.variance, 0.0),
            between_sessions=NO_SPREAD,
            sessions_seen=0,
        )
        return blocks.with_runs(runs)

    def sights(self, plans: Iterable[Plan], tolerance: float) -> tuple[Sight, ...]:
        """Say what each plan sees at a tolerance, and which tolerances it holds."""
        room, margin = self._room(tolerance), margin_of(tolerance, relative=self.relative)
        found = [(plan, self.caught(plan)) for plan in plans]
        return tuple(
            Sight(
                plan,
                sees=to_fraction(margin + caught, relative=self.relative),
                holds=rounded_up(held_tolerance(caught, relative=self.relative)),
                suffices=caught <= room,
            )
            for plan, caught in found
        )

    def enough_runs(self, tolerance: float) -> int | None:
        """Return the smallest number of runs, up to 100, at which a tolerance holds."""
        room = self._room(tolerance)
        if not room or self.caught(Plan(MOST_RUNS)) > room:
            return None
        return next(runs for runs in range(1, MOST_RUNS + 1) if self.caught(Plan(runs)) <= room)

    def sessions_forbid(self, tolerance: float) -> bool:
        """Whether a tolerance would not hold however many runs either side had."""
        left = caught_at_once(self._stored(1).session_error, self._level)
        return left > self._room(tolerance)

    def _room(self, tolerance: float) -> float:
        """How far a change of twice the tolerance is beyond it."""
        near, far = (margin_of(t, relative=self.relative) for t in (tolerance, 2 * tolerance))
        return far - near


def held_tolerance(caught: float, *, relative: bool) -> float:
    """Return the tolerance τ of which twice as much is ``caught`` beyond it; `inf` if none is.

    Where changes are ratios log(1 + 2τ) - log(1 + τ) = c, so that τ = (eᶜ - 1) / (2 - eᶜ); one
    beyond 100 % is none.
    """
    if not relative:
        return caught
    growth = to_fraction(caught, relative=True)
    tolerance = growth / (1 - growth) if growth < 1 else math.inf
    return tolerance if tolerance <= _WIDEST else math.inf


def rounded_up(tolerance: float) -> float:
    """Round a tolerance up to a figure that a person would choose: 0.0123 to 0.015."""
    if not 0 < tolerance < math.inf:
        return tolerance
    power = 10.0 ** math.floor(math.log10(tolerance))
    step = next(s for s in _SENSIBLE if s >= tolerance / power * (1 - _HAIR))
    return float(f"{step * power:.2g}")
