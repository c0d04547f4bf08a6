"""Claims about the mean before all samples are scored, and the errors of earlier claims."""

import math

import numpy as np
import numpy.typing as npt
import pytest

from pytest_pareto.compare.scores import compare_scores
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better
from pytest_pareto.model.run import Looks
from pytest_pareto.stats import paired_change
from pytest_pareto.stats.paired_change import ENOUGH, Collapse, withheld_claims
from pytest_pareto.stats.sequential import final_outcome

Array = npt.NDArray[np.float64]
IDS = tuple(map(str, range(1_000)))
SECOND, LAST = Looks(200, 5, 2, 0), Looks(200, 5, 5, 0)


def compare(before: Array, after: Array, looks: Looks, tolerance: float = 0.01) -> Change:
    used = looks.used
    return compare_scores(
        IDS[:used],
        before[:used],
        after[:used],
        better=Better.HIGHER,
        tolerance=tolerance,
        looks=looks,
    )


def guard(fell: int, rose: int = 0, n: int = 80) -> Collapse:
    return Collapse(n, 0.1, fell, rose, 1.0)


def test_enough_samples_show_what_affects_one_in_twenty() -> None:
    assert 0.95**ENOUGH < 0.05 < 0.95 ** (ENOUGH - 1)


@pytest.mark.parametrize("looks", [None, LAST])
def test_nothing_is_withheld_at_the_last_look_or_without_looks(looks: Looks | None) -> None:
    assert withheld_claims(guard(3), 20, looks) is None


@pytest.mark.parametrize(
    ("fell", "rose", "pairs", "waits"),
    [
        (0, 0, 40, "harm too"),
        (0, 0, ENOUGH - 1, "harm too"),
        (0, 0, ENOUGH, "nothing"),
        (1, 0, 80, "a pass"),
        (2, 2, 80, "nothing"),
        (1, 3, 80, "nothing"),
    ],
)
def test_withheld_claims(fell: int, rose: int, pairs: int, waits: str) -> None:
    found = withheld_claims(guard(fell, rose), pairs, SECOND)
    assert waits == ("nothing" if found is None else "harm too" if found.harm else "a pass")


def test_the_mean_is_withheld_without_a_guard_too() -> None:
    found = withheld_claims(None, 40, SECOND)
    assert found is not None
    assert found.harm
    assert withheld_claims(None, 80, SECOND) is None


def sides(n: int = 200, noise: float = 0.0) -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    before = rng.normal(0.8, 0.05, n)
    return before, before + noise * rng.normal(size=n)


def test_equal_scores_wait_for_enough_samples() -> None:
    first = compare(*sides(), Looks(200, 5, 1, 0))
    assert first.outcome is Outcome.INCONCLUSIVE
    assert (
        first.reason == "a mean of 40 samples claims nothing before the last look, one of 59 does"
    )
    assert (first.low, first.high, first.p_worse) == (-math.inf, math.inf, 1.0)
    assert first.resolution == compare(*sides(), LAST).resolution < 0.02
    second = compare(*sides(), SECOND)
    assert second.outcome is Outcome.UNCHANGED
    assert second.reason is not None
    assert second.reason.endswith("up to 3.7 % of the others could differ")


def test_a_few_samples_are_enough_if_there_are_no_more() -> None:
    assert compare(*sides(), Looks(20, 5, 5, 0)).outcome is Outcome.UNCHANGED
    assert compare(*sides(), Looks(20, 5, 4, 0)).outcome is Outcome.INCONCLUSIVE


def test_equal_binary_scores_are_bounded_not_unchanged() -> None:
    early_on = compare(np.ones(200), np.ones(200), SECOND)
    assert early_on.outcome is Outcome.INCONCLUSIVE
    assert early_on.reason == "undecided after 80 of 200 samples"
    assert 0.05 < early_on.high < 0.1
    assert compare(np.ones(200), np.ones(200), LAST).outcome is Outcome.UNCHANGED
    assert compare(np.ones(200), np.ones(200), SECOND, 0.1).outcome is Outcome.UNCHANGED


def test_one_collapse_withholds_an_early_pass_only() -> None:
    before, after = sides(noise=0.003)
    assert compare(before, after, SECOND).outcome is Outcome.UNCHANGED
    after[7] -= 0.2
    change = compare(before, after, SECOND)
    assert (change.outcome, change.high) == (Outcome.INCONCLUSIVE, math.inf)
    assert change.reason == "1 of 80 samples collapsed, which the rest has to acquit"
    assert change.low > -0.01
    assert compare(before, after, LAST).high < 0.01


def test_a_total_collapse_is_worse_at_the_first_look() -> None:
    before, after = sides(noise=0.003)
    change = compare(before, after - 0.4, Looks(200, 5, 1, 0))
    assert change.outcome is Outcome.WORSE
    assert change.reason is not None
    assert change.reason.startswith("40 of 40 samples fell by more than 0.1")


def passed(draws: int, depth: float = 0.3) -> float:
    """Return how often a collapse of 5 % passes where the first final verdict is taken."""
    rng, count = np.random.default_rng(2), 0
    for _ in range(draws):
        before = rng.normal(0.8, 0.05, 200)
        after = before - depth * (rng.random(200) < 0.05)
        found = (final_outcome(compare(before, after, Looks(200, 5, at, 0))) for at in range(1, 6))
        outcome = next(filter(None, found), Outcome.INCONCLUSIVE)
        count += outcome in {Outcome.UNCHANGED, Outcome.NOT_WORSE, Outcome.BETTER}
    return count / draws


def test_a_collapse_that_the_first_look_misses_is_not_passed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert passed(400) <= 0.04
    monkeypatch.setattr(paired_change, "ENOUGH", 2)
    assert passed(400) >= 0.09
