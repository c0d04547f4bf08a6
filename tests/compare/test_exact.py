import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pareto.compare.exact import compare_exact, worst_run
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better


def exact(
    baseline: list[float],
    candidate: list[float],
    *,
    better: str = "lower",
    relative: bool = True,
    tolerance: float = 0.01,
) -> Change:
    return compare_exact(
        baseline,
        candidate,
        better=Better(better),
        relative=relative,
        tolerance=tolerance,
        alpha=0.05,
    )


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        (100.0, Outcome.UNCHANGED),
        (101.0, Outcome.UNCHANGED),  # at the tolerance is within it, whatever 101 / 100 rounds to
        (101.1, Outcome.WORSE),
        (100 / 1.01, Outcome.UNCHANGED),
        (98.9, Outcome.BETTER),
        (0.0, Outcome.BETTER),
    ],
)
def test_the_tolerance_decides(now: float, outcome: Outcome) -> None:
    assert exact([100.0], [now]).outcome is outcome


@pytest.mark.parametrize(
    ("now", "outcome"),
    [(100.0, Outcome.UNCHANGED), (98.0, Outcome.WORSE), (102.0, Outcome.BETTER)],
)
def test_the_direction_decides_what_harm_is(now: float, outcome: Outcome) -> None:
    assert exact([100.0], [now], better="higher").outcome is outcome


def test_the_interval_is_a_point_and_the_resolution_the_tolerance() -> None:
    change = exact([100.0], [110.0])
    assert change.estimate == change.low == change.high == pytest.approx(0.1)
    assert (change.p_worse, change.p_better) == (0.0, 1.0)
    assert change.resolution == 0.01
    assert change.df is None
    assert change.reason is None
    assert exact([100.0], [90.0]).p_better == 0.0


@pytest.mark.parametrize(
    ("then", "now", "better", "estimate", "outcome"),
    [
        (0.0, 0.0, "lower", 0.0, Outcome.UNCHANGED),
        (0.0, 5.0, "lower", math.inf, Outcome.WORSE),
        (5.0, 0.0, "lower", -1.0, Outcome.BETTER),
        (0.0, 5.0, "higher", -1.0, Outcome.BETTER),
        (5.0, 0.0, "higher", math.inf, Outcome.WORSE),
    ],
)
def test_zero_has_a_meaning_on_either_side(
    then: float, now: float, better: str, estimate: float, outcome: Outcome
) -> None:
    change = exact([then], [now], better=better)
    assert (change.estimate, change.outcome) == (estimate, outcome)


def test_an_absolute_change_is_in_the_unit_of_the_metric() -> None:
    worse = exact([0.90], [0.88], better="higher", relative=False)
    assert worse.estimate == pytest.approx(0.02)
    assert worse.outcome is Outcome.WORSE
    assert exact([0.90], [0.89], better="higher", relative=False).outcome is Outcome.UNCHANGED
    assert exact([-1.0], [-1.0], relative=False, tolerance=0.0).outcome is Outcome.UNCHANGED


def test_each_side_stands_by_its_worst_run() -> None:
    assert exact([100.0], [90.0, 120.0]).estimate == pytest.approx(0.2)
    assert exact([100.0], [90.0, 120.0], better="higher").estimate == pytest.approx(1 / 9)
    assert worst_run([1.0, 3.0], better=Better.LOWER, relative=True) == 3.0


def test_runs_that_differ_have_a_reason() -> None:
    assert exact([100.0, 104.0], [100.0]).reason == (
        "the runs before differ (100 to 104) although the metric is exact; their worst was compared"
    )
    reason = exact([100.0], [100.0, 100.01]).reason
    assert reason is not None
    assert reason.startswith("the runs now differ")


@settings(deadline=None)
@given(st.integers(1, 10**13))
def test_a_count_stored_with_seven_digits_is_unchanged_at_tolerance_zero(count: int) -> None:
    stored = float(f"{count:.6e}")
    assert exact([stored], [float(count)], tolerance=0.0).outcome is Outcome.UNCHANGED


def test_one_more_kernel_is_seen_at_tolerance_zero() -> None:
    assert exact([1234.0], [1235.0], tolerance=0.0).outcome is Outcome.WORSE
    assert exact([1235.0], [1234.0], tolerance=0.0).outcome is Outcome.BETTER
    assert exact([1e6], [1e6 + 1], tolerance=0.0).outcome is Outcome.WORSE


@pytest.mark.parametrize("baseline", [[], [math.nan], [-1.0]])
def test_what_cannot_be_compared_is_refused(baseline: list[float]) -> None:
    with pytest.raises(ParetoError):
        exact(baseline, [1.0])
