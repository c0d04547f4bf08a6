"""The comparison as a whole: outcomes, reasons, sizes, and what must not matter."""

import math
import time
from collections.abc import Callable
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import stdtr

import pytest_pareto
from pytest_pareto.compare.scores import compare_paired, compare_scores
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind
from pytest_pareto.stats.paired_proportion import is_binary

Array = npt.NDArray[np.float64]


def named(values: Array) -> dict[str, float]:
    return {f"p{i:03}": float(value) for i, value in enumerate(values)}


def compare(before: Array, after: Array, tolerance: float, better: str = "higher") -> Change:
    return compare_paired(named(before), named(after), better=better, tolerance=tolerance)


def scores(seed: int, n: int = 200) -> Array:
    return np.random.default_rng(seed).normal(0.8, 0.05, n)


def test_it_is_exported() -> None:
    assert pytest_pareto.compare_paired is compare_paired


@pytest.mark.parametrize(
    ("shift", "outcome"),
    [
        (0.02, Outcome.WORSE),
        (0.002, Outcome.UNCHANGED),
        (-0.02, Outcome.BETTER),
        (-0.0095, Outcome.NOT_WORSE),
        (0.0098, Outcome.INCONCLUSIVE),
    ],
)
def test_outcomes(shift: float, outcome: Outcome) -> None:
    before = scores(1)
    noise = np.random.default_rng(2).normal(0, 0.01, before.size)
    change = compare(before, before - shift + noise - noise.mean(), tolerance=0.01)
    assert change.outcome is outcome
    assert change.estimate == pytest.approx(shift)
    assert change.low < shift < change.high
    assert (change.p_better <= change.alpha) is (outcome is Outcome.BETTER)
    assert (change.pairs, change.df, change.relative) == (200, 199, False)


def test_lower_may_be_better() -> None:
    before = scores(1)
    after = before + 0.02 + np.random.default_rng(2).normal(0, 0.01, before.size)
    assert compare(before, after, 0.01, better="lower").outcome is Outcome.WORSE
    assert compare(before, after, 0.01, better="higher").outcome is Outcome.BETTER


@pytest.mark.parametrize("tolerance", [0.0, 0.01])
def test_the_same_scores_are_unchanged(tolerance: float) -> None:
    change = compare(scores(1), scores(1), tolerance)
    assert change.outcome is Outcome.UNCHANGED
    assert (change.estimate, change.low, change.high) == (0.0, 0.0, 0.0)
    assert (change.p_worse, change.pairs) == (1.0, 200)
    assert change.reason == "identical on 200 samples"
    assert tolerance <= change.resolution <= 1.02 * tolerance


def test_the_same_binary_scores_are_unchanged_and_report_their_limit() -> None:
    change = compare(np.ones(200), np.ones(200), tolerance=0.01)
    assert change.outcome is Outcome.UNCHANGED
    assert change.reason == "identical on 200 samples"
    # Up to 1.33 % of other samples could be worse all the same (the rule of three, by Tango).
    assert 0.01 + 0.0133 < change.resolution < 0.06


@pytest.mark.parametrize(("shift", "outcome"), [(0.02, Outcome.WORSE), (0.009, Outcome.UNCHANGED)])
def test_a_constant_shift_is_judged_without_any_spread(shift: float, outcome: Outcome) -> None:
    assert compare(scores(1), scores(1) - shift, tolerance=0.01).outcome is outcome


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_samples_decide_nothing(n: int) -> None:
    change = compare(np.full(n, 0.9), np.full(n, 0.1), tolerance=0.01)
    assert change.outcome is Outcome.INCONCLUSIVE
    assert change.reason is not None
    assert "needs at least 2" in change.reason
    assert (change.pairs, change.resolution) == (n, math.inf)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"better": "more"}, "better must be 'lower' or 'higher'"),
        ({"kind": "set"}, "kind must be 'paired' or 'ordinal', not 'set'"),
        ({"tolerance": -0.1}, "tolerance must be a finite number"),
        ({"tolerance": math.nan}, "tolerance must be a finite number"),
        ({"alpha": 0.0}, "alpha must lie between 0 and 0.5"),
        ({"alpha": 0.5}, "alpha must lie between 0 and 0.5"),
    ],
)
def test_options_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(ParetoError, match=message):
        compare_paired({"a": 1.0}, {"a": 1.0}, **({"tolerance": 0.1} | options))  # type: ignore[arg-type]  # any options, wrong ones


def test_the_worst_samples_come_first() -> None:
    before, after = np.zeros(8), np.array([1.0, -3.0, 2.0, 0.0, 5.0, 1.0, 4.0, 1.0])
    change = compare(before, after, tolerance=0.1, better="lower")
    assert change.worst_ids == ("p004", "p006", "p002", "p000", "p005")
    assert compare(before, after, tolerance=0.1).worst_ids == ("p001",)


def test_flips_both_ways_are_no_collapse() -> None:
    before = np.ones(200)
    before[:10] = 0.0
    after = before[::-1].copy()
    assert compare(before, after, tolerance=0.05).outcome is not Outcome.WORSE


def test_many_flips_one_way_are_worse() -> None:
    before, after = np.ones(200), np.ones(200)
    after[:20] = 0.0
    change = compare(before, after, tolerance=0.01)
    assert change.outcome is Outcome.WORSE
    assert change.estimate == pytest.approx(0.1)
    assert change.df is None


@pytest.mark.parametrize(("n", "outcome"), [(200, Outcome.INCONCLUSIVE), (600, Outcome.UNCHANGED)])
def test_one_binary_flip_needs_many_samples_to_pass(n: int, outcome: Outcome) -> None:
    before, after = np.ones(n), np.ones(n)
    after[0] = 0.0
    change = compare(before, after, tolerance=0.01)
    assert change.outcome is outcome
    if outcome is Outcome.INCONCLUSIVE:
        assert change.reason is not None
        assert change.reason.endswith("within the tolerance; there are 200")


def test_an_undecided_change_reports_how_many_samples_would_settle_it() -> None:
    noise = np.random.default_rng(6).normal(0, 0.1, 100)
    change = compare(scores(1, 100), scores(1, 100) + noise - noise.mean(), tolerance=0.01)
    assert change.outcome is Outcome.INCONCLUSIVE
    assert change.reason is not None
    needed = int(change.reason.split()[1])
    assert needed == pytest.approx((2.487 * noise.std(ddof=1) / 0.01) ** 2, rel=0.01)


def test_an_undecided_change_that_more_samples_do_not_explain_has_no_reason() -> None:
    noise = np.random.default_rng(6).normal(0, 0.01, 200)
    change = compare(scores(1), scores(1) - 0.01 + noise - noise.mean(), tolerance=0.01)
    assert change.outcome is Outcome.INCONCLUSIVE
    assert change.reason is None


@pytest.mark.parametrize("binary", [False, True])
def test_a_suspicion_reports_how_many_samples_would_settle_it(*, binary: bool) -> None:
    """The same differences, so many times: then they are significant among 40 tests."""
    if binary:
        before = np.array([1.0] * 9 + [0.0] * 2 + [1.0] * 109)
        after = np.array([0.0] * 9 + [1.0] * 2 + [1.0] * 109)
        tolerance, family = 0.01, 40
    else:
        before = scores(1, 100)
        after = before - 0.02 + np.random.default_rng(6).normal(0, 0.04, 100)
        tolerance, family = 0.01, 40

    def among_all(times: int) -> Change:
        then, now = np.tile(before, times), np.tile(after, times)
        ids = list(map(str, range(then.size)))
        found = compare_scores(
            ids, then, now, better=Better.HIGHER, tolerance=tolerance, family=family
        )
        return found.corrected(min(1.0, family * found.p_worse))

    one = among_all(1)
    assert one.suspected
    assert one.reason is not None
    assert one.reason.endswith(f"would settle it; there are {before.size}")
    times = int(one.reason.split()[1]) / before.size
    assert among_all(math.ceil(1.15 * times)).outcome is Outcome.WORSE
    assert among_all(math.floor(0.85 * times)).suspected


def test_a_tolerance_of_zero_reports_that_it_cannot_be_shown() -> None:
    noise = np.random.default_rng(6).normal(0, 0.01, 200)
    change = compare(scores(1), scores(1) + noise - noise.mean(), tolerance=0.0)
    assert change.outcome is Outcome.INCONCLUSIVE
    assert change.reason is not None
    assert "tolerance of 0" in change.reason


finite = st.integers(-10_000, 10_000).map(lambda thousandths: thousandths / 1_000)
pairs = st.lists(st.tuples(finite, finite), min_size=2, max_size=25)


@given(pairs, st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(
    rows: list[tuple[float, float]], random: Random
) -> None:
    before = named(np.array([b for b, _ in rows]))
    after = named(np.array([a for _, a in rows]))
    shuffled = list(before)
    random.shuffle(shuffled)
    assert compare_paired(before, after, tolerance=0.5) == compare_paired(
        {name: before[name] for name in shuffled}, after, tolerance=0.5
    )


@given(pairs, st.sampled_from([0.0, 0.5]))
def test_turning_scores_and_direction_around_changes_nothing(
    rows: list[tuple[float, float]], tolerance: float
) -> None:
    before, after = (np.array(side) for side in zip(*rows, strict=True))
    assume(not is_binary(before, after))
    assume(not is_binary(-before, -after))
    up = compare(before, after, tolerance, better="higher")
    down = compare(-before, -after, tolerance, better="lower")
    assert down.outcome is up.outcome
    assert (down.estimate, down.low, down.high) == (up.estimate, up.low, up.high)
    assert (down.p_worse, down.p_better) == (up.p_worse, up.p_better)


@given(pairs)
def test_swapping_the_sides_mirrors_the_interval(rows: list[tuple[float, float]]) -> None:
    before, after = (np.array(side) for side in zip(*rows, strict=True))
    there, back = compare(before, after, 0.5), compare(after, before, 0.5)
    assert back.estimate == pytest.approx(-there.estimate)
    assert back.low == pytest.approx(-there.high, abs=1e-9)


@given(pairs, st.sampled_from([2.0, 0.25, 64.0]))
def test_scaling_scores_and_tolerance_scales_the_change(
    rows: list[tuple[float, float]], factor: float
) -> None:
    before, after = (np.array(side) for side in zip(*rows, strict=True))
    assume(not is_binary(before, after))
    assume(not is_binary(factor * before, factor * after))
    small = compare(before, after, 0.5)
    large = compare(factor * before, factor * after, factor * 0.5)
    assert large.outcome is small.outcome
    assert large.estimate == pytest.approx(factor * small.estimate)
    assert large.resolution == pytest.approx(factor * small.resolution)
    assert large.p_worse == pytest.approx(small.p_worse)


# Mean zero, sd about one, harm positive.
SHAPES: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "tail towards improvement": lambda rng, n: 1 - rng.exponential(size=n),
    "tail towards harm": lambda rng, n: rng.exponential(size=n) - 1,
    "t with 3 df": lambda rng, n: rng.standard_t(3, size=n) / math.sqrt(3),
    "5 % collapse": lambda rng, n: np.where(rng.random(n) < 0.05, 0.95, -0.05) / 0.218,
}


def size_of_worse(shape: str, n: int, draws: int) -> float:
    rng, tolerance = np.random.default_rng(8), 0.1
    ids = [str(i) for i in range(n)]
    worse = 0
    for _ in range(draws):
        before = rng.normal(size=n)
        after = before - tolerance - 0.3 * SHAPES[shape](rng, n)
        change = compare_scores(ids, before, after, better=Better.HIGHER, tolerance=tolerance)
        worse += change.outcome is Outcome.WORSE
    return worse / draws


@pytest.mark.parametrize("shape", ["normal", "tail towards improvement"])
def test_worse_stays_within_alpha_at_the_tolerance(shape: str) -> None:
    assert size_of_worse(shape, 100, 2_000) <= 0.052


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 200])
@pytest.mark.parametrize("shape", SHAPES)
def test_worse_stays_within_alpha_in_full(shape: str, n: int) -> None:
    assert size_of_worse(shape, n, 10_000) <= 0.052


@pytest.mark.slow
def test_binary_worse_stays_within_alpha_in_full() -> None:
    rng, worse, not_worse, draws = np.random.default_rng(9), 0, 0, 10_000
    for _ in range(draws):
        before = (rng.random(200) < 0.9).astype(float)
        after = before.copy()
        after[rng.random(200) < (0.03 / 0.9)] *= 0.0
        after[(before == 0) & (rng.random(200) < 0.1)] = 1.0
        outcome = compare(before, after, tolerance=0.02).outcome
        worse += outcome is Outcome.WORSE
        not_worse += outcome in {Outcome.NOT_WORSE, Outcome.UNCHANGED}
    assert worse / draws <= 0.052
    assert not_worse / draws <= 0.055


@pytest.mark.parametrize("kind", ["continuous", "binary"])
def test_a_thousand_comparisons_take_no_more_than_three_seconds(kind: str) -> None:
    before, after = scores(1), scores(2)
    if kind == "binary":
        before, after = np.round(before - 0.25), np.round(after - 0.25)
    one, other = named(before), named(after)
    start = time.process_time()
    for _ in range(1_000):
        compare_paired(one, other, tolerance=0.01)
    assert time.process_time() - start <= 3.0


# Grades.


def graded(worse: int, better: int, by: float = 1.0, n: int = 200) -> tuple[Array, Array]:
    """So many of n samples lost grades, and so many won some."""
    before, after = np.full(n, 3.0), np.full(n, 3.0)
    after[:worse] -= by
    after[n - better :] += by
    return before, after


def compare_grades(sides: tuple[Array, Array], tolerance: float) -> Change:
    before, after = map(named, sides)
    return compare_paired(before, after, tolerance=tolerance, kind="ordinal")


def test_of_grades_only_the_order_counts() -> None:
    small = compare_grades(graded(60, 20), 0.05)
    assert small.outcome is Outcome.WORSE
    assert small.estimate == pytest.approx(0.2)
    assert small == compare_grades(graded(60, 20, by=2.0), 0.05)
    assert compare(*graded(60, 20, by=2.0), 0.05).estimate == pytest.approx(0.4)


def test_grades_that_change_both_ways_are_within_a_tolerated_share() -> None:
    assert compare_grades(graded(10, 10), 0.1).outcome is Outcome.UNCHANGED
    assert compare_grades(graded(10, 10), 0.01).outcome is Outcome.INCONCLUSIVE


def test_a_few_grades_that_fall_far_are_no_collapse() -> None:
    sides = graded(12, 0, by=100.0)
    assert compare(*sides, 0.1).reason == "12 of 200 samples fell by more than 1"
    assert compare_grades(sides, 0.15).outcome is Outcome.UNCHANGED


def test_the_same_grades_report_their_limit() -> None:
    change = compare_grades(graded(0, 0), 0.01)
    assert change.outcome is Outcome.UNCHANGED
    assert change.reason == "identical on 200 samples"
    assert 0.01 + 0.0133 < change.resolution < 0.06


# Numbers of a whole set: pseudo-values of blocks.


def compare_sets(before: Array, after: Array, tolerance: float) -> Change:
    ids = [str(i) for i in range(before.size)]
    return compare_scores(
        ids, before, after, better=Better.LOWER, tolerance=tolerance, kind=Kind.SET
    )


def test_a_whole_set_is_judged_by_t_over_its_blocks() -> None:
    rng = np.random.default_rng(10)
    before = rng.normal(5.0, 1.0, 20)
    after = before + 0.3 + rng.normal(0, 0.1, 20)
    change = compare_sets(before, after, 0.1)
    harm = after - before
    t = (harm.mean() - 0.1) / (harm.std(ddof=1) / math.sqrt(20))
    assert change.outcome is Outcome.WORSE
    assert change.p_worse == pytest.approx(float(stdtr(19, -t)))
    assert (change.df, change.pairs, change.worst_ids) == (19, 20, ())


def test_a_block_that_falls_far_is_no_collapse_of_samples() -> None:
    before = np.full(20, 5.0)
    after = before.copy()
    after[:8] += 10.0
    change = compare_sets(before, after, 0.1)
    assert change.reason is None or "samples rose" not in change.reason
    assert change.p_worse > 0.0005


def test_the_same_number_of_every_block_is_unchanged() -> None:
    change = compare_sets(np.arange(20.0), np.arange(20.0), 0.0)
    assert change.outcome is Outcome.UNCHANGED
    assert change.reason == "identical on 20 blocks"
