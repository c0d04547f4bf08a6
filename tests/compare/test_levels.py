from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.compare.levels import reported_level
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import LATENCY, Scope
from pytest_pareto.model.run import Measurement
from pytest_pareto.model.verdict import MetricResult

if TYPE_CHECKING:
    from tests.compare.conftest import World


def reason(found: MetricResult) -> str:
    assert found.reason is not None
    return found.reason


def test_a_run_is_one_level(world: "World") -> None:
    readings = (0.1, 0.4), (0.9,)
    runs = [
        replace(run, measurements=(Measurement(LATENCY, values, first=5.0 + i),))
        for i, (run, values) in enumerate(zip(world.runs(latency=[1, 1]), readings, strict=True))
    ]
    assert world.measured(runs, "latency").runs == pytest.approx((0.2, 0.9))
    assert world.measured(runs, "latency").first == 5.0
    assert world.measured(runs, "latency").samples is None


def test_an_absolute_level_is_a_mean_and_an_exact_one_is_itself(world: "World") -> None:
    (run,) = world.runs(fid=[0])
    fid = Measurement(world.metric("fid"), (1.0, 4.0))
    memory = world.measurement("peak_memory", 7.0)
    run = replace(run, measurements=(fid, memory))
    assert world.measured([run], "fid").runs == (2.5,)
    assert world.measured([run], "peak_memory").runs == (7.0,)


def test_samples_are_averaged_over_runs(world: "World") -> None:
    runs = world.runs(score=[[1.0, 0.0], [1.0, 0.5]])
    found = world.measured(runs, "score")
    assert found.runs == (0.5, 0.75)
    assert found.samples is not None
    assert found.samples.ids == world.ids(2)
    assert found.samples.values == (1.0, 0.25)


def test_runs_that_scored_different_samples_are_broken(world: "World") -> None:
    one, other = world.runs(score=[[1.0, 0.0], [1.0, 0.5]])
    renamed = Measurement(world.metric("score"), (1.0, 0.5), ("s000", "later"))
    found = world.unmeasured([one, replace(other, measurements=(renamed,))], "score")
    assert found.outcome is Outcome.BROKEN
    assert "must not depend on time or chance" in reason(found)


def test_a_reading_without_a_ratio_is_broken(world: "World") -> None:
    found = world.unmeasured(world.runs(latency=[0.0]), "latency")
    assert found.outcome is Outcome.BROKEN
    assert "below the resolution of the clock" in reason(found)


def test_a_count_that_is_too_large_to_compare_is_broken(world: "World") -> None:
    found = world.unmeasured(world.runs(peak_memory=[2e300, 2e300]), "peak_memory")
    assert found.outcome is Outcome.BROKEN
    assert "numbers beyond 1e+150 cannot be compared" in reason(found)


def test_what_no_run_measured_is_absent_with_its_reason(world: "World") -> None:
    found = world.unmeasured(world.runs(device=["no GPU", "no GPU"]), "device")
    assert found.outcome is Outcome.ABSENT
    assert found.reason == "no GPU"
    assert found.unmeasured


@pytest.mark.parametrize(("second", "why"), [("MIG", "MIG"), (None, "not recorded in every run")])
def test_a_metric_of_only_some_runs_has_a_note(
    world: "World", second: str | None, why: str
) -> None:
    runs = world.runs(device=[1.0, second, 1.2], latency=[1, 1, 1])
    found = world.measured(runs, "device")
    assert found.runs == pytest.approx((1.0, 1.2))
    assert found.notes == (f"measured in 2 of 3 runs: {why}",)


def test_a_note_is_reported_once(world: "World") -> None:
    noted = Measurement(LATENCY, (1.0,), notes=("throttled",))
    runs = [replace(run, measurements=(noted,)) for run in world.runs(latency=[1, 1])]
    assert world.measured(runs, "latency").notes == ("throttled",)


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=9))
def test_people_see_means_on_the_scale_of_the_metric(runs: list[float]) -> None:
    fid = replace(LATENCY, name="fid", relative=False, scope=Scope.GPU)
    assert reported_level(runs, fid) == pytest.approx(fmean(runs))
    assert min(runs) * 0.999 <= reported_level(runs, LATENCY) <= fmean(runs) * 1.001


def test_people_see_every_run_that_is_compared() -> None:
    runs = [1.0] * 19 + [2.0]  # as readings of one run, the last would be trimmed
    assert reported_level(runs, LATENCY) == pytest.approx(2.0 ** (1 / 20))


def test_a_zero_in_a_baseline_can_still_be_shown() -> None:
    assert reported_level([0.0, 1.0], LATENCY) == 0.5


def test_an_exact_zero_is_shown_as_it_is(world: "World") -> None:
    assert reported_level([0.0, 0.0], world.metric("peak_memory")) == 0.0


def test_one_run_that_leaves_something_out_makes_a_lower_bound(world: "World") -> None:
    first, second = world.runs(peak_memory=[1, 2])
    assert world.measured([first, second], "peak_memory").lower_bound is None
    found = world.measured([first, *world.bounded([second], "peak_memory")], "peak_memory")
    assert found.lower_bound == "without the FLOPs of mylib.kernel"
