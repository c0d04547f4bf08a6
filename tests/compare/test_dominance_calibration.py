"""Simulated sizes and powers of claims about rivals, each beside a wrong correction."""

import math

import numpy as np
import pytest

from pytest_pareto.compare.dominance import claim_pairs
from pytest_pareto.compare.points import (
    Axis,
    ExactAxis,
    Point,
    RunAxis,
    measured_axis,
    remembered_axis,
)
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.stats.variance import Spread

MARGIN = 0.05


def exact(level: float) -> ExactAxis:
    return ExactAxis(level, margin=MARGIN, rounding=0.0)


def point(case_id: str, **axes: Axis) -> Point:
    return Point(case_id, axes)


TIME = Metric("t", "s", Better.LOWER, Kind.RUN, Scope.HOST, MARGIN, relative=True)


def _noisy(rng: np.random.Generator, level: float, runs: int = 3, sd: float = 0.02) -> RunAxis:
    values = level + rng.normal(0, sd, runs)
    return measured_axis(np.exp(values).tolist(), TIME, _estimated(rng, sd))


def _estimated(rng: np.random.Generator, sd: float = 0.02) -> Spread:
    return Spread(float(sd**2 * rng.chisquare(6) / 6), 6.0)


def _condemned(edge: tuple[float, ...], alpha: float, draws: int, *, times: float = 1.0) -> float:
    """How often any of five rivals is said to dominate; ``edge`` is how much worse p is."""
    rng, condemned = np.random.default_rng(32), 0
    for _ in range(draws):
        p = point("p", **{str(m): _noisy(rng, worse) for m, worse in enumerate(edge)})
        rivals = [
            point(f"q{k}", **{str(m): _noisy(rng, 0.0) for m in range(len(edge))}) for k in range(5)
        ]
        condemned += bool((claim_pairs([p], rivals).p_dominated * times <= alpha).any())
    return condemned / draws


# Where domination is just not true: equal in one metric and far worse in the other,
# or worse in all of them by the tolerance and no more.
EQUAL_IN_ONE = (0.0, 1.0)
AT_THE_TOLERANCE = (math.log1p(MARGIN),) * 3


@pytest.mark.parametrize("edge", [EQUAL_IN_ONE, AT_THE_TOLERANCE])
def test_a_point_at_the_edge_is_condemned_at_most_five_times_in_a_hundred(
    edge: tuple[float, ...],
) -> None:
    assert 0.01 <= _condemned(edge, 0.05 / 5, 1_000) <= 0.065


@pytest.mark.slow
@pytest.mark.parametrize("edge", [EQUAL_IN_ONE, AT_THE_TOLERANCE])
def test_the_size_at_the_edge_at_length(edge: tuple[float, ...]) -> None:
    assert _condemned(edge, 0.05 / 5, 20_000) <= 0.055


@pytest.mark.parametrize("edge", [EQUAL_IN_ONE, AT_THE_TOLERANCE])
def test_without_correction_for_the_rivals_it_would_be_condemned_more_often(
    edge: tuple[float, ...],
) -> None:
    assert _condemned(edge, 0.05, 500) > 0.09


def test_without_correction_for_the_metrics_it_would_be_too() -> None:
    assert _condemned(AT_THE_TOLERANCE, 0.05 / 5, 600, times=1 / 3) > 0.07


def test_a_separated_point_is_condemned_nearly_always() -> None:
    assert _condemned((0.15, 0.15, 0.15), 0.05 / 5, 300) > 0.95


def _ahead(edge: tuple[float, ...], draws: int, *, times: float = 1.0) -> float:
    rng, claimed = np.random.default_rng(33), 0
    for _ in range(draws):
        p = point("p", **{str(m): _noisy(rng, -better) for m, better in enumerate(edge)})
        q = point("q", **{str(m): _noisy(rng, 0.0) for m in range(len(edge))})
        claimed += bool(claim_pairs([p], [q]).p_ahead[0, 0] * times <= 0.05)
    return claimed / draws


def test_being_ahead_by_the_tolerance_and_no_more_is_seldom_claimed() -> None:
    assert 0.02 <= _ahead(AT_THE_TOLERANCE, 1_000) <= 0.065


def test_the_best_of_three_metrics_without_correction_would_claim_it_often() -> None:
    assert _ahead(AT_THE_TOLERANCE, 500, times=1 / 3) > 0.09


def test_being_well_ahead_somewhere_is_claimed() -> None:
    assert _ahead((0.2, 0.0, 0.0), 300) > 0.95


def _condemned_by_the_past(assumed: Spread | None, draws: int) -> float:
    """How often an old rival is said to dominate a point that equals it in one metric."""
    rng, condemned, session_sd = np.random.default_rng(34), 0, 0.03
    for _ in range(draws):
        today = rng.normal(0, session_sd)
        p = point("p", a=_noisy(rng, today), b=exact(1.0))
        then = [
            Session("env", 0, tuple(np.exp(rng.normal(0, session_sd) + rng.normal(0, 0.02, 3))))
            for _ in range(2)
        ]
        q = point("q", a=remembered_axis(then, TIME, _estimated(rng)), b=exact(0.0))
        variance = {"a": assumed} if assumed else None
        condemned += bool(
            claim_pairs([p], [q], session_variance=variance).p_dominated[0, 0] <= 0.05
        )
    return condemned / draws


def test_old_rivals_are_met_with_the_spread_between_sessions() -> None:
    assert _condemned_by_the_past(Spread(0.03**2, 8.0), 1_000) <= 0.06


def test_without_it_a_state_of_the_machine_is_called_dominated() -> None:
    assert _condemned_by_the_past(None, 500) > 0.12
