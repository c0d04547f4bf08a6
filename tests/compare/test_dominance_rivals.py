from collections.abc import Mapping

import numpy as np
import pytest

from pytest_pareto.compare.dominance import ComputedClaims, claim_pairs
from pytest_pareto.compare.points import (
    Axis,
    ExactAxis,
    PairedAxis,
    Point,
    RunAxis,
    exact_axis,
    measured_axis,
    paired_axis,
)
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.stats.variance import Spread

MARGIN = 0.05


def run(level: float, sd: float = 0.01) -> RunAxis:
    return RunAxis(level, sd**2, df=8.0, sessions=1.0, margin=MARGIN)


def exact(level: float) -> ExactAxis:
    return ExactAxis(level, margin=MARGIN, rounding=0.0)


def point(case_id: str, **axes: Axis) -> Point:
    return Point(case_id, axes)


def p_values(
    claims: ComputedClaims, point: str = "p", rival: str = "q"
) -> tuple[float | None, float | None]:
    return claims.dominated(point, rival), claims.ahead(point, rival)


def claims_between(
    mine: Mapping[str, Axis], theirs: Mapping[str, Axis]
) -> tuple[float | None, float | None]:
    return p_values(claim_pairs([Point("p", mine)], [Point("q", theirs)]))


def test_a_point_that_is_worse_everywhere_is_dominated() -> None:
    dominated, ahead = claims_between(
        {"a": run(1.0), "b": run(1.0)}, {"a": run(0.0), "b": run(0.0)}
    )
    assert dominated is not None
    assert ahead is not None
    assert dominated < 1e-6
    assert ahead > 0.99


def test_a_point_that_is_better_somewhere_is_ahead_and_not_dominated() -> None:
    dominated, ahead = claims_between(
        {"a": run(1.0), "b": run(0.0)}, {"a": run(0.0), "b": run(1.0)}
    )
    assert dominated is not None
    assert ahead is not None
    assert dominated > 0.99
    assert ahead < 1e-6


def test_worse_within_the_tolerance_everywhere_is_not_dominated() -> None:
    mine, theirs = {"a": run(0.04, 1e-4), "b": run(0.04, 1e-4)}, {"a": run(0.0), "b": run(0.0)}
    dominated, _ = claims_between(mine, theirs)
    assert dominated is not None
    assert dominated > 0.5


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ((0.0, 0.0), (0.0, 0.0), (1.0, 1.0)),  # equal points: neither dominates
        ((0.0, 1.0), (0.0, 0.0), (0.0, 1.0)),  # a tie does not save
        ((0.0, 0.01), (0.0, 0.0), (1.0, 1.0)),  # nor does the tolerance condemn
        ((-0.01, 1.0), (0.0, 0.0), (1.0, 1.0)),  # better by a little is not worse
        ((-1.0, 1.0), (0.0, 0.0), (1.0, 0.0)),
    ],
)
def test_exact_points_are_placed_without_doubt(
    mine: tuple[float, float], theirs: tuple[float, float], expected: tuple[float, float]
) -> None:
    found = claims_between(
        {"a": exact(mine[0]), "b": exact(mine[1])}, {"a": exact(theirs[0]), "b": exact(theirs[1])}
    )
    assert found == expected


def test_exact_metrics_spend_nothing() -> None:
    alone = claims_between({"a": run(0.1)}, {"a": run(0.0)})
    beside = claims_between({"a": run(0.1), "b": exact(0.0)}, {"a": run(0.0), "b": exact(0.0)})
    assert beside == alone


def test_noisy_metrics_are_corrected_for_their_number() -> None:
    one, _ = claims_between({"a": run(0.08)}, {"a": run(0.0)})
    two, _ = claims_between({"a": run(0.08), "b": run(0.08)}, {"a": run(0.0), "b": run(0.0)})
    assert one is not None
    assert two == pytest.approx(2 * one)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"a": run(9.0), "b": run(9.0)}, {"a": run(0.0)}),
        ({"a": run(9.0)}, {"a": run(0.0), "b": run(0.0)}),
        ({"a": run(9.0), "b": exact(9.0)}, {"a": run(0.0), "b": PairedAxis((), np.array([]), 0.0)}),
        ({}, {}),
    ],
)
def test_a_pair_with_an_axis_on_one_side_only_is_undecidable(
    mine: Mapping[str, Axis], theirs: Mapping[str, Axis]
) -> None:
    assert claims_between(mine, theirs) == (None, None)


def test_an_axis_that_neither_has_is_none_of_theirs() -> None:
    p, q = point("p", a=run(9.0)), point("q", a=run(0.0))
    third = point("r", a=run(0.0), b=run(0.0))
    claims = claim_pairs([p, q, third], [p, q, third])
    assert p_values(claims) == claims_between({"a": run(9.0)}, {"a": run(0.0)})
    assert p_values(claims, "p", "r") == (None, None)


def test_dropping_the_missing_axis_would_condemn_an_unchanged_point() -> None:
    """A slow and accurate point beside a fast one, its accuracy not comparable here."""
    mine, theirs = {"time": run(1.0), "error": run(0.0)}, {"time": run(0.0), "error": run(1.0)}
    dropped, _ = claims_between({"time": mine["time"]}, {"time": theirs["time"]})
    assert dropped is not None
    assert dropped < 0.001
    assert claims_between({"time": mine["time"]}, theirs) == (None, None)
    whole, _ = claims_between(mine, theirs)
    assert whole is not None
    assert whole > 0.99


def test_unknown_cases_and_the_case_itself_are_undecidable() -> None:
    claims = claim_pairs([point("p", a=run(9.0))], [point("p", a=run(0.0))])
    assert p_values(claims, "p", "p") == (None, None)
    assert p_values(claims, "p", "nobody") == (None, None)
    assert p_values(claims, "nobody", "p") == (None, None)


def test_an_empty_front_has_no_claims() -> None:
    assert p_values(claim_pairs([], [])) == (None, None)
    assert p_values(claim_pairs([point("p", a=run(0.0))], [])) == (None, None)


def test_a_large_front_is_settled_at_once() -> None:
    rng = np.random.default_rng(31)
    metric = Metric("q", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
    ids = [f"p{i}" for i in range(50)]
    front = [
        point(
            f"c{i}",
            a=run(rng.normal()),
            b=exact(i),
            c=paired_axis(ids, rng.random(50).tolist(), metric),
        )
        for i in range(300)
    ]
    claims = claim_pairs(front, front)
    assert claims.p_dominated.shape == (300, 300)
    assert np.isnan(claims.p_dominated).sum() == 300  # each case against itself


def test_points_without_any_scatter_are_compared_above_the_floor() -> None:
    time = Metric("t", "s", Better.LOWER, Kind.RUN, Scope.HOST, 0.05, relative=True)
    still = Spread(0.0, 4.0)
    p, q = measured_axis([1.0], time, still), measured_axis([1.0], time, still)
    dominated, ahead = claims_between({"t": p}, {"t": q})
    assert dominated == 1.0
    assert ahead == 1.0
    slower = measured_axis([1.1], time, still)
    dominated, _ = claims_between({"t": slower}, {"t": q})
    assert dominated is not None
    assert dominated < 1e-6


def test_exact_axes_of_metrics_tie_across_stored_digits() -> None:
    memory = Metric("m", "B", Better.LOWER, Kind.EXACT, Scope.GPU, 0.01, relative=True)
    stored, measured = exact_axis([1.234568e10], memory), exact_axis([12345678912.0], memory)
    dominated, ahead = claims_between({"m": measured, "a": run(1.0)}, {"m": stored, "a": run(0.0)})
    assert dominated is not None
    assert dominated < 1e-6
    assert ahead is not None
    assert ahead > 0.99
