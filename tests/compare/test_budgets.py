import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_pareto.compare.budgets import check_budget
from pytest_pareto.compare.levels import Measured
from pytest_pareto.model.baseline import Samples
from pytest_pareto.model.metric import Kind, parse_budget
from pytest_pareto.model.run import Looks
from pytest_pareto.model.verdict import BudgetResult
from pytest_pareto.stats.variance import Spread, case_spread

if TYPE_CHECKING:
    from tests.compare.conftest import World

NOISE = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])


def noisy(world: "World", name: str, runs: Sequence[float]) -> tuple[Measured, Spread]:
    metric = world.metric(name)
    return Measured(metric, tuple(runs)), case_spread([], runs, relative=metric.relative)


def scored(world: "World", values: Sequence[float]) -> Measured:
    mean = sum(values) / len(values)
    samples = Samples(world.ids(len(values)), tuple(values))
    return Measured(world.metric("score"), (mean,), samples)


def checked(
    text: str, measured: Measured | None, spread: Spread | None = None, alpha: float = 0.05
) -> BudgetResult:
    name = measured.metric.name if measured is not None else "latency"
    return check_budget(parse_budget(name, text), measured, spread, alpha)


def test_what_was_not_measured_is_undecided() -> None:
    result = checked("<= 1 s", None)
    assert result == BudgetResult("latency", "<= 1 s", None, None, "it was not measured")


@pytest.mark.parametrize(("name", "its"), [("peak_memory", "B"), ("fid", "no unit")])
def test_a_bound_in_another_unit_is_broken(world: "World", name: str, its: str) -> None:
    result = checked("<= 1000 s", Measured(world.metric(name), (1.0,)))
    assert result.broken
    assert result.reason == f"it is in s, and the metric in {its}"


def test_a_bare_bound_is_in_the_unit_of_the_metric(world: "World") -> None:
    assert checked("<= 2", Measured(world.metric("peak_memory"), (1.0,))).broken is False


@pytest.mark.parametrize(
    ("text", "level", "broken"),
    [
        ("<= 1 s", 0.5, False),
        ("<= 1 s", 1.0, None),
        ("<= 1 s", 1.01, None),
        ("<= 1 s", 1.5, True),
        (">= 1 s", 1.5, False),
        (">= 1 s", 0.99, None),
        (">= 1 s", 0.5, True),
        ("<= 0 s", 0.5, True),  # no logarithm of that, and no time is below it
        ("<= -1 s", 0.5, True),
        (">= -1 s", 0.5, False),
    ],
)
def test_noisy_levels_are_tested_over_runs(
    world: "World", text: str, level: float, broken: bool | None
) -> None:
    runs = level * np.exp(NOISE + 1e-9)
    result = checked(text, *noisy(world, "latency", runs.tolist()))
    assert result.broken is broken
    assert result.value == pytest.approx(level)
    assert (result.reason is not None) == (broken is None)


@pytest.mark.parametrize(
    ("text", "broken"), [("<= 5", False), ("<= 3.99", None), ("<= 3", True), (">= 4.5", True)]
)
def test_absolute_levels_are_tested_in_their_unit(
    world: "World", text: str, broken: bool | None
) -> None:
    assert checked(text, *noisy(world, "fid", (4 + NOISE).tolist())).broken is broken


def test_negative_bounds_are_fine_for_absolute_levels(world: "World") -> None:
    assert checked(">= -1", *noisy(world, "fid", (-3 + NOISE).tolist())).broken is True
    assert checked("<= -1", *noisy(world, "fid", (-3 + NOISE).tolist())).broken is False


@pytest.mark.parametrize("spread", [Spread(0.0, 0.0), None])
def test_without_a_spread_the_assumed_one_decides(world: "World", spread: Spread | None) -> None:
    measured = Measured(world.metric("latency"), (1.05,))
    bound = parse_budget("latency", "<= 1 s")
    near = check_budget(bound, measured, spread, 0.05, session_spread=0.04)
    assert near.broken is None
    assert near.reason is not None
    # More runs would not tell: it is not their noise.
    assert near.reason.endswith("its noise and what sessions may differ by (pareto_session_spread)")
    far = replace(measured, runs=(1.5,))
    assert check_budget(bound, far, spread, 0.05, session_spread=0.04).broken is True
    assert check_budget(bound, measured, spread, 0.05, session_spread=0.0).broken is True


def test_the_session_spread_is_part_of_the_error(world: "World") -> None:
    measured, spread = Measured(world.metric("latency"), (1.03,) * 5), Spread(1e-6, 4.0)
    bound = parse_budget("latency", "<= 1 s")
    assert check_budget(bound, measured, spread, 0.05, session_spread=0.0).broken is True
    assert check_budget(bound, measured, spread, 0.05, session_spread=0.04).broken is None


def test_an_exact_metric_is_as_bad_as_its_worst_run(world: "World") -> None:
    measured = Measured(world.metric("peak_memory"), (900.0, 900.0, 1200.0))
    result = check_budget(parse_budget("peak_memory", "<= 1 kB"), measured, None, 0.05)
    assert (result.broken, result.value) == (True, 1200.0)


def test_one_run_may_break_the_bound_with_a_spread_from_history(world: "World") -> None:
    result = checked("<= 1 s", Measured(world.metric("latency"), (9.0,)), Spread(1e-4, 8.0))
    assert result.broken is True


@pytest.mark.parametrize(("text", "broken"), [("<= 10", False), ("<= 9.99", True), (">= 11", True)])
def test_exact_levels_are_held_against_the_bound_as_they_stand(
    world: "World", text: str, broken: bool
) -> None:
    assert checked(text, Measured(world.metric("peak_memory"), (10.0,))).broken is broken


@pytest.mark.parametrize(
    ("text", "broken"),
    [(">= 0.5", False), (">= 0.61", None), (">= 0.9", True), ("<= 0.2", True), ("<= 90 %", False)],
)
def test_scores_are_tested_over_samples(world: "World", text: str, broken: bool | None) -> None:
    # The spread over runs, however small, is not that of the samples.
    found = scored(world, [0.5, 0.7] * 10)
    assert checked(text, found, Spread(1e-12, 50.0)).broken is broken


def test_scores_without_scatter_are_as_they_stand(world: "World") -> None:
    assert checked(">= 0.9", scored(world, [0.5] * 20)).broken is True


def test_one_sample_is_taken_as_it_stands(world: "World") -> None:
    assert checked(">= 0.9", scored(world, [0.5])).broken is True
    assert checked(">= 0.9", scored(world, [0.95])).broken is False


def size(world: "World", known: float | None, draws: int = 4000) -> float:
    """How often a level exactly at the bound is called broken, with a spread of ``known`` df."""
    rng = np.random.default_rng(8)
    broken = 0
    for runs in np.exp(rng.normal(math.log(0.25), 0.05, (draws, 5))).tolist():
        found, spread = noisy(world, "latency", runs)
        spread = replace(spread, df=spread.df if known is None else known)
        broken += checked("<= 250 ms", found, spread).broken is True
    return broken / draws


def test_a_level_at_the_bound_is_rarely_called_broken(world: "World") -> None:
    assert size(world, None) == pytest.approx(0.05, abs=0.012)


def test_a_normal_quantile_would_call_it_broken_too_often(world: "World") -> None:
    assert size(world, 1e9) > 0.062


def size_of_scores(world: "World", clusters: int, draws: int = 3000) -> float:
    """The same for scores, each of ``clusters`` samples counted several times if fewer than 24."""
    rng = np.random.default_rng(9)
    broken = 0
    values: NDArray[np.float64] = rng.normal(0.9, 0.1, (draws, clusters))
    for row in np.repeat(values, 24 // clusters, axis=1).tolist():
        broken += checked(">= 0.9", scored(world, row)).broken is True
    return broken / draws


def test_scores_at_the_bound_are_rarely_called_broken(world: "World") -> None:
    assert size_of_scores(world, 24) == pytest.approx(0.05, abs=0.014)


def test_runs_taken_for_samples_would_be_called_broken_too_often(world: "World") -> None:
    assert size_of_scores(world, 8) > 0.08


@pytest.mark.parametrize(
    ("level", "broken"), [(0.2, True), (0.495, None), (0.75, False), (1.005, None), (1.5, True)]
)
def test_a_floor_and_a_ceiling_are_held_at_once(
    world: "World", level: float, broken: bool | None
) -> None:
    runs = level * np.exp(NOISE)
    result = checked(">= 500 ms, <= 1 s", *noisy(world, "latency", runs.tolist()))
    assert result.broken is broken


@pytest.mark.parametrize(
    ("text", "told"),
    [(">= 0.49", "within the bound by no more"), (">= 0.51", "beyond the bound by no more")],
)
def test_noise_that_reaches_across_the_bound_is_reported_from_either_side(
    world: "World", text: str, told: str
) -> None:
    result = checked(text, scored(world, [0.1, 0.9] * 20))
    assert result.broken is None
    assert result.reason is not None
    assert result.reason.startswith(told)


@pytest.mark.parametrize(
    ("right", "text", "broken"),
    [
        (10, ">= 0.9", None),  # 0.9 ** 10 is 0.35: ten right ones prove little
        (29, ">= 0.9", False),  # 0.9 ** 29 is 0.047
        (29, ">= 1", False),
        (29, "<= 1", False),
        (29, ">= 1.5", True),
        (29, "<= 0", True),
    ],
)
def test_shares_are_tested_exactly(
    world: "World", right: int, text: str, broken: bool | None
) -> None:
    assert checked(text, scored(world, [1.0] * right)).broken is broken


def test_a_single_wrong_one_breaks_a_floor_of_all(world: "World") -> None:
    assert checked(">= 1", scored(world, [1.0] * 99 + [0.0])).broken is True


def test_scores_on_the_bound_are_within(world: "World") -> None:
    assert checked(">= 0.5", scored(world, [0.5] * 3)).broken is False
    assert checked("<= 0.5", scored(world, [0.5] * 3)).broken is False


def grades(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return (rng.random(n) < 0.9).astype(float)


def skewed(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return 1.9 - rng.exponential(1.0, n)


@pytest.mark.parametrize("draw", [grades, skewed])
@pytest.mark.parametrize("text", [">= 0.9", "<= 0.9"])
def test_on_the_bound_either_claim_is_as_rare_as_alpha(
    world: "World", draw: Callable[[np.random.Generator, int], NDArray[np.float64]], text: str
) -> None:
    rng = np.random.default_rng(5)
    told = [checked(text, scored(world, draw(rng, 100).tolist())).broken for _ in range(1500)]
    assert told.count(True) / len(told) < 0.065
    assert told.count(False) / len(told) < 0.065
    # Negative control: what merely stands on one side of the bound would be told half the time.
    stands = [checked(text, scored(world, draw(rng, 100).tolist()), alpha=0.5) for _ in range(300)]
    assert sum(result.broken is not None for result in stands) / len(stands) > 0.5


def test_a_set_is_held_by_its_number_with_the_spread_of_its_blocks(world: "World") -> None:
    metric = replace(world.metric("score"), kind=Kind.SET)
    blocks = Samples(world.ids(20), tuple(1.0 + 0.1 * (-1) ** i for i in range(20)))
    far = Measured(metric, (2.0,), blocks)
    assert checked("<= 1.9", far).broken is True
    assert checked("<= 1.99", far).broken is None
    assert checked("<= 2.01", far).broken is None
    assert checked("<= 2.1", far).broken is False


def test_looks_are_paid_for(world: "World") -> None:
    values = [1.0] * 18 + [0.0] * 22
    whole = scored(world, values)
    assert checked(">= 0.6", whole).broken is True
    assert checked(">= 0.6", replace(whole, looks=Looks(200, 5, 1, 0))).broken is None


def test_what_passes_shares_its_level_with_nobody(world: "World") -> None:
    measured, budget = scored(world, [1.0] * 29), parse_budget("score", ">= 0.9")
    assert check_budget(budget, measured, None, 0.001).broken is None
    assert check_budget(budget, measured, None, 0.001, kept_alpha=0.05).broken is False


@pytest.mark.parametrize(
    ("text", "broken"),
    [("<= 90", True), ("<= 110", None), (">= 90", False), (">= 110", None), (">= 90, <= 90", True)],
)
def test_a_lower_bound_breaks_a_ceiling_or_keeps_a_floor(
    world: "World", text: str, broken: bool | None
) -> None:
    found = Measured(world.metric("peak_memory"), (100.0,), lower_bound="without x")
    result = checked(text, found)
    assert (result.broken, result.value) == (broken, 100.0)
    assert result.reason == ("a lower bound, without x" if broken is None else None)
    # A complete number decides in every case.
    assert checked(text, replace(found, lower_bound=None)).broken is not None
