"""Runs of unchanged code, split in two and compared with themselves: every alarm is a false one.

Splits of a few runs are not independent, so that a rate from them is a rough one; and all the
runs are of one session, so that nothing here tells what sessions differ by. The comparisons
make no allowance for it either.
"""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations, permutations

from pytest_pareto.compare.match import Match
from pytest_pareto.compare.measured import Measured
from pytest_pareto.compare.mood import in_one_mood
from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.model.alarms import Alarms, FalseAlarms, SplitSizes
from pytest_pareto.model.baseline import Baseline, Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.policy import Terms
from pytest_pareto.stats.scale import harm_sign, margin_of, to_working

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


def false_alarms(found: Measured, here: Environment, terms: Terms) -> FalseAlarms:
    """Ask the product's own rule, and a naive one, about runs of unchanged code."""
    count = len(found.runs)
    size = split_sizes(count).candidate
    tolerance = found.metric.tolerance

    def asked(splits: Iterable[Runs], tolerance: float) -> Alarms:
        matches = [parted(found, candidate, here, terms) for candidate in splits]
        compared = [compare(match, tolerance, terms.alpha) for match in matches]
        return Alarms(sum(c.outcome is Outcome.WORSE for c in compared), len(matches))

    return FalseAlarms(
        asked(shuffled(count, size), tolerance),
        asked(in_order(count, size), tolerance),
        asked(shuffled(count, size), 0.0),
        asked(in_order(count, size), 0.0),
        _naive(found),
    )


def parted(found: Measured, candidate: Runs, here: Environment, terms: Terms) -> Match:
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
    spread = terms.spreads.on_one_board(found.metric.scope)
    match = Match(now, (session,), now.runs, None, spread, exact=False)
    baseline = Baseline(here.hardware_key, {}, {_HERE: here})
    adjusted = in_one_mood(match, baseline, here, terms.spreads)
    assert isinstance(adjusted, Match)
    return adjusted


def compare(match: Match, tolerance: float, alpha: float) -> Change:
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
