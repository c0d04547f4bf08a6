from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_pareto.model.change import Change, Outcome

ALPHA = 0.05
EDGE = -0.05 / 1.05  # of a relative tolerance of 5 %


def change_of(
    low: float,
    high: float,
    *,
    tolerance: float = 0.05,
    relative: bool = True,
    p_worse: float = 1.0,
    p_convicting: float | None = None,
) -> Change:
    return Change(
        estimate=(low + high) / 2,
        low=low,
        high=high,
        tolerance=tolerance,
        relative=relative,
        alpha=ALPHA,
        p_worse=p_worse,
        p_better=1.0,
        resolution=0.1,
        p_convicting=p_convicting,
    )


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.01, 0.01, Outcome.UNCHANGED),
        (EDGE, 0.05, Outcome.UNCHANGED),  # both edges belong to the tolerance
        (0.0, 0.05, Outcome.UNCHANGED),
        (EDGE - 1e-9, 0.0, Outcome.NOT_WORSE),
        (-0.5, 0.049, Outcome.NOT_WORSE),
        (-0.5, EDGE, Outcome.NOT_WORSE),  # touching the edge is not yet better
        (-0.5, EDGE - 1e-9, Outcome.BETTER),
        (-0.5, 0.05, Outcome.INCONCLUSIVE),  # nor is touching the tolerance within it
        (-0.01, 0.051, Outcome.INCONCLUSIVE),
        (0.06, 0.2, Outcome.INCONCLUSIVE),
        (-1.0, float("inf"), Outcome.INCONCLUSIVE),
    ],
)
def test_the_outcome_follows_the_interval(low: float, high: float, outcome: Outcome) -> None:
    assert change_of(low, high).outcome is outcome


@pytest.mark.parametrize("low", [-0.5, -0.01, 0.06])
def test_worse_takes_precedence(low: float) -> None:
    assert change_of(low, 0.2, p_worse=ALPHA).outcome is Outcome.WORSE
    assert change_of(low, 0.2, p_worse=ALPHA + 1e-9).outcome is not Outcome.WORSE


def test_only_the_corrected_p_value_decides_on_worse() -> None:
    alone = change_of(0.06, 0.2, p_worse=0.01)
    assert alone.outcome is Outcome.WORSE
    assert alone.corrected(0.2).outcome is Outcome.INCONCLUSIVE
    assert alone.corrected(0.2).suspected
    assert alone.corrected(0.05).outcome is Outcome.WORSE
    assert alone.corrected(0.2).p_worse == 0.01


def test_only_undecided_changes_are_suspected() -> None:
    assert not change_of(0.05, 0.2).suspected  # it starts at the tolerance, not beyond it
    assert not change_of(-0.01, 0.2).suspected
    assert not change_of(0.06, 0.2, p_worse=0.01).suspected  # that one is WORSE


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.0, 0.0, Outcome.UNCHANGED),
        (-0.1, -0.1, Outcome.BETTER),
        (-0.1, 0.0, Outcome.INCONCLUSIVE),
        (0.1, 0.1, Outcome.INCONCLUSIVE),  # its p-value is not significant
    ],
)
def test_only_no_change_is_within_a_tolerance_of_zero(
    low: float, high: float, outcome: Outcome, relative: bool
) -> None:
    assert change_of(low, high, tolerance=0.0, relative=relative).outcome is outcome


def test_the_improvement_edge_mirrors_the_tolerance() -> None:
    assert change_of(0, 0, tolerance=1.0).improvement_edge == -0.5
    assert change_of(0, 0, tolerance=1.0, relative=False).improvement_edge == -1.0


@given(st.floats(0, 1e6))
def test_the_improvement_edge_inverts_the_tolerance(tolerance: float) -> None:
    edge = change_of(0, 0, tolerance=tolerance).improvement_edge
    assert -1 <= edge <= 0
    assert (1 + edge) * (1 + tolerance) == pytest.approx(1.0, rel=1e-6)


@given(
    st.floats(-0.9, 2.0),
    st.floats(-0.9, 2.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.booleans(),
)
def test_every_change_has_one_of_the_five_outcomes(
    a: float, b: float, tolerance: float, p: float, relative: bool
) -> None:
    low, high = sorted((a, b))
    change = change_of(low, high, tolerance=tolerance, relative=relative, p_worse=p)
    assert (change.outcome is Outcome.WORSE) == (p <= ALPHA)
    if change.outcome in (Outcome.UNCHANGED, Outcome.NOT_WORSE, Outcome.BETTER):
        assert high <= tolerance
    if change.outcome is Outcome.INCONCLUSIVE:
        assert high >= tolerance


@given(st.floats(-0.9, 2.0), st.floats(-0.9, 2.0), st.floats(0.001, 1.0))
def test_a_wider_interval_never_decides_more(a: float, b: float, more: float) -> None:
    low, high = sorted((a, b))
    narrow = change_of(low, high)
    assume(narrow.outcome is Outcome.INCONCLUSIVE)
    wide = replace(narrow, low=low - more, high=high + more)
    assert wide.outcome is Outcome.INCONCLUSIVE
