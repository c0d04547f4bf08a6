import math

import pytest

from pytest_pareto.compare.points import (
    exact_axis,
    measured_axis,
    paired_axis,
    remembered_axis,
)
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.run import Looks
from pytest_pareto.stats.variance import Spread


def metric(
    kind: Kind, *, better: Better = Better.LOWER, relative: bool = True, tolerance: float = 0.05
) -> Metric:
    return Metric("m", "", better, kind, Scope.GPU, tolerance, relative)


OWN = Spread(0.04, 6.0)


def test_a_remembered_level_is_that_of_the_newest_epoch() -> None:
    sessions = [
        Session("env", 0, (99.0,)),
        Session("env", 1, (math.e, math.e)),
        Session("env", 1, (math.e, math.e)),
    ]
    axis = remembered_axis(sessions, metric(Kind.RUN), OWN)
    assert axis.level == pytest.approx(1.0)
    assert axis.variance == pytest.approx(0.04 / 4)
    assert (axis.df, axis.sessions) == (6.0, 2.0)
    assert axis.margin == pytest.approx(math.log1p(0.05))


def test_a_measured_level_is_of_one_session() -> None:
    axis = measured_axis([1.0, math.exp(2.0)], metric(Kind.RUN), OWN)
    assert axis.level == pytest.approx(1.0)
    assert axis.variance == pytest.approx(0.02)
    assert axis.sessions == 1.0


def test_harm_points_up_on_every_axis() -> None:
    assert measured_axis([math.e], metric(Kind.RUN, better=Better.HIGHER), OWN).level == -1.0
    assert exact_axis([math.e], metric(Kind.EXACT, better=Better.HIGHER)).level == -1.0
    scores = metric(Kind.PAIRED, better=Better.HIGHER, relative=False)
    assert paired_axis(["a"], [0.5], scores).harms.tolist() == [-0.5]


def test_an_absolute_axis_stays_in_its_unit() -> None:
    axis = measured_axis([3.0], metric(Kind.RUN, relative=False), Spread(0.0, 2.0))
    assert (axis.level, axis.margin) == (3.0, 0.05)
    assert axis.variance == pytest.approx((3e-5) ** 2)
    exact = exact_axis([-200.0, -100.0], metric(Kind.EXACT, relative=False))
    assert exact.level == -100.0
    assert exact.rounding == pytest.approx(5e-5, rel=1e-3)


@pytest.mark.parametrize(
    ("better", "level"), [(Better.LOWER, -math.inf), (Better.HIGHER, math.inf)]
)
def test_nothing_at_all_is_the_best_or_the_worst_of_ratios(better: Better, level: float) -> None:
    assert exact_axis([0.0], metric(Kind.EXACT, better=better)).level == level


def test_scores_are_ordered_by_id() -> None:
    axis = paired_axis(["b", "a"], [2.0, 1.0], metric(Kind.PAIRED, relative=False))
    assert axis.ids == ("a", "b")
    assert axis.harms.tolist() == [1.0, 2.0]


def test_scores_without_an_id_are_refused() -> None:
    with pytest.raises(ParetoError, match="'m' has 2 scores for 1 ids"):
        paired_axis(["a"], [1.0, 2.0], metric(Kind.PAIRED, relative=False))


def test_a_scored_point_knows_its_kind_and_how_far_it_came() -> None:
    grades = Metric("g", "", Better.HIGHER, Kind.ORDINAL, Scope.GPU, 0.1, relative=False)
    looks = Looks(10, 5, 1, 0)
    axis = paired_axis(["b", "a"], [1.0, 2.0], grades, looks)
    assert (axis.ids, axis.harms.tolist()) == (("a", "b"), [-2.0, -1.0])
    assert (axis.kind, axis.looks) == (Kind.ORDINAL, looks)
