"""Tests of the front line: exactly the points that no other dominates in both metrics."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.report.html.picture import front_line

COST, GAIN = (
    Metric(better, "", better, Kind.EXACT, Scope.ANYWHERE, 0.0, relative=False) for better in Better
)
Points = Sequence[tuple[int, float, float]]

points = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), max_size=12).map(
    lambda found: [(n, float(x), float(y)) for n, (x, y) in enumerate(found)]
)


def beats(
    one: tuple[int, float, float], other: tuple[int, float, float], x: Metric, y: Metric
) -> bool:
    harms = [(x.harm_sign * p[1], y.harm_sign * p[2]) for p in (one, other)]
    return harms[0] != harms[1] and all(a <= b for a, b in zip(*harms, strict=True))


@given(points, st.sampled_from([COST, GAIN]), st.sampled_from([COST, GAIN]))
def test_front_line_has_the_nondominated_points(found: Points, x: Metric, y: Metric) -> None:
    line = front_line(found, x, y)
    unbeaten = [p for p in found if not any(beats(other, p, x, y) for other in found)]
    assert {found[n][1:] for n in line} == {p[1:] for p in unbeaten}
    harms = [x.harm_sign * found[n][1] for n in line]
    assert harms == sorted(harms)


def test_reversed_direction_makes_another_front() -> None:
    found = [(0, 1.0, 1.0), (1, 2.0, 2.0)]
    assert front_line(found, COST, COST) == (0,)
    assert front_line(found, COST, GAIN) == (0, 1)


def test_equal_points_are_listed_once() -> None:
    assert front_line([(0, 1.0, 1.0), (1, 1.0, 1.0)], COST, COST) == (0,)
