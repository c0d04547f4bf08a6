from dataclasses import replace

import pytest

from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.stats.sequential import final_outcome

UNDECIDED = Change(
    estimate=0.0,
    low=-0.1,
    high=0.1,
    tolerance=0.05,
    relative=False,
    alpha=0.05,
    p_worse=0.5,
    p_better=0.5,
    resolution=0.2,
)


def test_an_inconclusive_change_is_not_final() -> None:
    assert final_outcome(UNDECIDED) is None


@pytest.mark.parametrize(
    ("p_worse", "family", "outcome"),
    [
        (0.05, 1.0, Outcome.WORSE),
        (0.051, 1.0, None),
        (0.05, 2.0, None),
        (0.025, 2.0, Outcome.WORSE),
        (0.04, 1 / 0.8, Outcome.WORSE),
        (0.045, 1 / 0.8, None),
    ],
)
def test_worse_is_final_by_bonferroni(
    p_worse: float, family: float, outcome: Outcome | None
) -> None:
    change = replace(UNDECIDED, low=0.06, high=0.2, p_worse=p_worse)
    assert final_outcome(change, family) is outcome


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.01, 0.01, Outcome.UNCHANGED),
        (-0.2, 0.01, Outcome.NOT_WORSE),
        (-0.2, -0.1, Outcome.BETTER),
    ],
)
def test_not_worse_is_final_without_correction(low: float, high: float, outcome: Outcome) -> None:
    change = replace(UNDECIDED, low=low, high=high, p_worse=0.99)
    assert final_outcome(change, 100.0) is outcome


def test_a_flagged_collapse_is_not_final() -> None:
    """The mean is within the tolerance, and the guard alone, uncorrected, would be significant."""
    change = replace(UNDECIDED, low=-0.01, high=0.01, p_worse=0.03)
    assert change.corrected(0.3).outcome is Outcome.UNCHANGED
    assert final_outcome(change, 10.0) is None
    assert final_outcome(change, 1.0) is Outcome.WORSE
