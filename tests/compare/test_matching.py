from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.compare.levels import measured_metrics
from pytest_pareto.compare.matching import Pair, missing_result, pair_metric, unmatched
from pytest_pareto.model.baseline import Baseline, CaseHistory, Session
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import FLOPS, LATENCY, Better, Kind
from pytest_pareto.model.policy import SessionSpreads
from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.model.verdict import MetricResult

if TYPE_CHECKING:
    from tests.compare.conftest import World

SPREADS = SessionSpreads(host=0.1, gpu=0.2, gpu_other_board=0.3)


def matched(
    world: "World",
    runs: Sequence[CaseRun],
    history: CaseHistory | None,
    *,
    name: str = "latency",
    **kwargs: Any,
) -> Pair | MetricResult:
    baseline = world.baseline(*([history] if history else []), **kwargs)
    found = measured_metrics(runs)[name]
    return pair_metric(found, "a", history, baseline, world.here, SPREADS)


def comparable(found: Pair | MetricResult) -> Pair:
    assert isinstance(found, Pair), found
    return found


def refused(found: Pair | MetricResult, state: Outcome) -> MetricResult:
    assert isinstance(found, MetricResult), found
    assert found.outcome is state
    return found


def reason(found: MetricResult) -> str:
    assert found.reason is not None
    return found.reason


# What it can be compared with


def test_the_same_metric_on_the_same_machine_is_comparable(world: "World") -> None:
    history = world.history(latency=[1.0, 1.1])
    found = comparable(matched(world, world.runs(latency=[1.2]), history))
    assert found.sessions == history.metrics["latency"].sessions
    assert found.session_spread == 0.1
    assert not found.exact


def test_an_exact_metric_is_compared_plainly(world: "World") -> None:
    found = matched(
        world, world.runs(peak_memory=[1]), world.history(peak_memory=[1]), name="peak_memory"
    )
    assert comparable(found).exact


def test_the_session_spread_is_that_of_the_board_measured_last(world: "World") -> None:
    other = replace(world.here, boards=("cd34",))
    past = world.past("device", Session("here", 0, (1.0,)), Session("elsewhere", 0, (1.0,)))
    found = matched(
        replace(world, elsewhere=other),
        world.runs(device=[1.0]),
        world.history(device=past),
        name="device",
    )
    assert len(comparable(found).sessions) == 2
    assert comparable(found).session_spread == 0.3


def test_a_case_or_a_metric_that_was_never_recorded_is_new(world: "World") -> None:
    runs = world.runs(latency=[1.0, 2.0])
    case = refused(matched(world, runs, None), Outcome.NEW)
    metric = refused(matched(world, runs, world.history(fid=[1.0])), Outcome.NEW)
    assert case.reason == "a new case; record it with --pareto-update"
    assert metric.reason == "a new metric of this case; record it with --pareto-update"
    assert case.candidate == pytest.approx(2**0.5)


def test_what_another_folder_holds_is_not_new(world: "World") -> None:
    held = {"cpu-xeonx4": frozenset({("a", "latency")})}
    found = matched(world, world.runs(latency=[1.0]), None, elsewhere=held)
    assert (
        refused(found, Outcome.NOT_COMPARABLE).reason
        == "recorded on cpu-xeonx4 only, and this is nvidia-h200x1"
    )
    another = {"cpu-xeonx4": frozenset({("b", "latency")})}
    refused(matched(world, world.runs(latency=[1.0]), None, elsewhere=another), Outcome.NEW)


@pytest.mark.parametrize(
    ("about", "label"),
    [
        ({"kind": Kind.EXACT}, "kind"),
        ({"better": Better.HIGHER}, "direction"),
        ({"unit": "J"}, "unit"),
    ],
)
def test_another_nature_breaks_the_comparison(
    world: "World", about: dict[str, object], label: str
) -> None:
    past = world.past("latency", [1.0], **about)
    found = matched(world, world.runs(latency=[1.0]), world.history(latency=past))
    assert f"its {label} was" in reason(refused(found, Outcome.BROKEN))
    assert "--pareto-update=all" in reason(refused(found, Outcome.BROKEN))


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        (3, 2, "1 ids of the baseline are gone (such as 's002')"),
        (2, 4, "2 ids are new (such as 's002')"),
    ],
)
def test_other_samples_break_the_comparison(world: "World", then: int, now: int, told: str) -> None:
    runs = world.runs(score=[[0.5] * now])
    found = matched(world, runs, world.history(score=[0.5] * then), name="score")
    assert told in reason(refused(found, Outcome.BROKEN))
    assert " and " not in reason(refused(found, Outcome.BROKEN)).split(";")[0]


def test_a_count_below_zero_in_the_baseline_is_broken(world: "World") -> None:
    runs = world.runs(peak_memory=[10.0])
    found = matched(world, runs, world.history(peak_memory=[-1.0]), name="peak_memory")
    assert "-1 is less than 0" in reason(refused(found, Outcome.BROKEN))


def test_renamed_samples_name_both_sides(world: "World") -> None:
    (run,) = world.runs(score=[[0.5, 0.5]])
    run = replace(
        run, measurements=(Measurement(world.metric("score"), (0.5, 0.5), ("s000", "t")),)
    )
    found = refused(
        matched(world, [run], world.history(score=[0.5, 0.5]), name="score"), Outcome.BROKEN
    )
    assert "(such as 's001') and 1 ids are new (such as 't')" in reason(found)


def test_the_order_of_samples_is_no_difference(world: "World") -> None:
    score = world.metric("score")
    (run,) = world.runs(score=[[0.5, 0.6]])
    run = replace(run, measurements=(Measurement(score, (0.6, 0.5), ("s001", "s000")),))
    comparable(matched(world, [run], world.history(score=[0.5, 0.6]), name="score"))


def test_only_sessions_measured_here_are_compared_with(world: "World") -> None:
    past = world.past(
        "latency", Session("here", 0, (1.0,)), Session("elsewhere", 0, (3.0,)), [1.1], [1.2]
    )
    found = matched(world, world.runs(latency=[1.0]), world.history(latency=past))
    assert [s.runs for s in comparable(found).sessions] == [(1.0,), (1.1,), (1.2,)]


def test_a_level_measured_elsewhere_only_is_not_comparable(world: "World") -> None:
    past = world.past("latency", Session("elsewhere", 0, (1.0,)))
    found = matched(world, world.runs(latency=[1.0]), world.history(latency=past))
    assert (
        refused(found, Outcome.NOT_COMPARABLE).reason
        == "CPU is AMD EPYC 9654 here, Intel Xeon in the baseline"
    )


def test_the_scope_decides_what_elsewhere_is(world: "World") -> None:
    past = world.past("device", Session("elsewhere", 0, (1.0,)))
    comparable(matched(world, world.runs(device=[1.0]), world.history(device=past), name="device"))


def test_an_older_epoch_is_not_the_accepted_level(world: "World") -> None:
    past = world.past("latency", Session("here", 0, (1.0,)), Session("elsewhere", 1, (2.0,)))
    found = matched(world, world.runs(latency=[1.0]), world.history(latency=past))
    assert "Intel Xeon in the baseline" in reason(refused(found, Outcome.NOT_COMPARABLE))
    # Once the new level was measured here too, the newest session may be another machine's.
    past = world.past(
        "latency",
        Session("here", 0, (1.0,)),
        Session("here", 1, (2.0,)),
        Session("elsewhere", 1, (2.0,)),
    )
    comparable(matched(world, world.runs(latency=[1.0]), world.history(latency=past)))


def test_scores_of_another_machine_are_not_comparable(world: "World") -> None:
    """Only the newest session's scores are remembered."""
    capped = replace(world, elsewhere=replace(world.here, power_limits_w=(500.0,)))
    past = capped.past("score", [0.5, 0.6])
    here, there = (Session(env, 0, (0.55,)) for env in ("here", "elsewhere"))
    runs = capped.runs(score=[[0.5, 0.6]])
    newest_here, newest_there = (
        matched(capped, runs, capped.history(score=replace(past, sessions=sessions)), name="score")
        for sessions in ((there, here), (here, there))
    )
    assert comparable(newest_here).sessions == (here,)
    assert "500 in the baseline" in reason(refused(newest_there, Outcome.NOT_COMPARABLE))


def test_what_is_absent_here_and_remembered_is_missing(world: "World") -> None:
    runs = world.runs(device=["no GPU"])
    absent = refused(matched(world, runs, world.history(fid=[1]), name="device"), Outcome.ABSENT)
    missing = refused(
        matched(world, runs, world.history(device=[1.0]), name="device"), Outcome.MISSING
    )
    assert absent.reason == "no GPU"
    assert missing.reason == "no GPU; the baseline has it"
    assert missing.unmeasured


def test_what_is_broken_stays_broken(world: "World") -> None:
    found = matched(world, world.runs(latency=[0.0]), world.history(latency=[1.0]))
    assert "the baseline has it" not in reason(refused(found, Outcome.BROKEN))


# Numbers that repeat

NOISY = [2.0, 2.0, 2.1]


@pytest.mark.parametrize(
    ("past", "now", "repeats"),
    [
        ([[2.0, 2.0, 2.0]], [2.0], True),
        ([[2.0], [2.0], [2.0]], [2.0], True),
        ([[2.0, 2.0, 2.0]], [5.0, 5.0], True),  # the level moved, and still repeats
        ([[2.0, 2.0]], [2.0], False),  # two may agree by chance
        ([NOISY], [2.0], False),
        ([[2.0, 2.0, 2.0]], [2.0, 2.1], False),
        ([[2.0, 2.0, 2.0 + 1e-6]], [2.0], True),  # the last stored digit
        ([[2.0, 2.0, 2.0 + 1e-5]], [2.0], False),
        ([[0.0, 0.0, 0.0]], [0.0], True),
    ],
)
def test_three_identical_runs_make_a_number_repeatable(
    world: "World", past: list[list[float]], now: list[float], repeats: bool
) -> None:
    history = world.history(fid=world.past("fid", *past))
    assert comparable(matched(world, world.runs(fid=now), history, name="fid")).exact is repeats


def test_only_the_accepted_level_has_to_repeat(world: "World") -> None:
    now = world.runs(fid=[3.0])
    past = world.past("fid", Session("here", 0, (2.0, 2.1)), Session("here", 1, (3.0,) * 3))
    assert comparable(matched(world, now, world.history(fid=past), name="fid")).exact
    past = world.past("fid", Session("here", 0, (3.0,) * 3), Session("here", 1, (3.0,) * 2))
    assert not comparable(matched(world, now, world.history(fid=past), name="fid")).exact


def test_times_that_repeat_are_luck(world: "World") -> None:
    history = world.history(latency=[2.0] * 5)
    assert not comparable(matched(world, world.runs(latency=[2.0]), history)).exact


# What has no other side


def test_a_metric_that_vanished_is_missing_with_what_it_was(world: "World") -> None:
    latency = missing_result("latency", world.past("latency", [1.0, 4.0]), world.baseline())
    assert latency.outcome is Outcome.MISSING
    assert latency.metric == LATENCY
    assert latency.baseline == pytest.approx(2.0)
    assert not latency.unmeasured
    fid = missing_result("fid", world.past("fid", [1.0, 4.0]), world.baseline())
    assert fid.metric == replace(world.metric("fid"), tolerance=0.0)
    assert fid.baseline == 2.5


@pytest.mark.parametrize(
    ("name", "then", "now", "state"),
    [
        ("device", 1.0, "no GPU", Outcome.MISSING),
        ("latency", 0.0, 1.0, Outcome.BROKEN),
    ],
)
def test_where_nothing_is_stored_it_is_the_old_code_that_has_it(
    name: str, then: float, now: float | str, state: Outcome, world: "World"
) -> None:
    before: dict[str, Any] = {name: [then]}
    after: dict[str, Any] = {name: [now]}
    history = world.history(**before)
    found = measured_metrics(world.runs(**after))[name]
    for baseline, told in (
        (world.baseline(history), "the baseline"),
        (replace(world.baseline(history), stored=False), "the old code"),
    ):
        text = reason(
            refused(pair_metric(found, "a", history, baseline, world.here, SPREADS), state)
        )
        assert told in text
        assert ("baseline" in text) is baseline.stored
        gone = reason(missing_result(name, history.metrics[name], baseline))
        assert gone.startswith(f"{told} has it")
        assert ("--pareto-update" in gone) is baseline.stored


def test_a_diagnostic_that_vanished_does_not_gate(world: "World") -> None:
    past = world.past("fid", [10.0])
    assert missing_result("fid", past, world.baseline()).metric.gates
    assert not missing_result("fid", replace(past, gates=False), world.baseline()).metric.gates
    # A diagnostic that was asked to gate is missed like any other metric.
    asked = world.where(FLOPS).past("flops", [10.0])
    assert missing_result("flops", asked, world.baseline()).metric.gates


def test_a_metric_without_another_side_shows_what_was_measured(world: "World") -> None:
    found = replace(world.measured(world.runs(fid=[1.0, 2.0]), "fid"), first=9.0, notes=("n",))
    shown = unmatched(found, Outcome.NEW, "why")
    assert (shown.candidate, shown.first, shown.notes) == (1.5, 9.0, ("n",))
    assert (shown.outcome, shown.reason) == (Outcome.NEW, "why")


def test_an_empty_baseline_holds_nothing(world: "World") -> None:
    empty = Baseline("k", {}, {})
    found = measured_metrics(world.runs(latency=[1.0]))["latency"]
    refused(pair_metric(found, "a", None, empty, world.here, SPREADS), Outcome.NEW)


# Lower bounds

BOUND = "without the FLOPs of mylib.kernel"


def test_a_lower_bound_is_compared_with_nothing(world: "World") -> None:
    runs, history = world.runs(peak_memory=[1]), world.history(peak_memory=[4])
    assert isinstance(matched(world, runs, history, name="peak_memory"), Pair)  # the control
    found = matched(world, world.bounded(runs, "peak_memory"), history, name="peak_memory")
    refusal = refused(found, Outcome.NOT_COMPARABLE)
    assert refusal.reason == f"it is a lower bound, {BOUND}"
    assert (refusal.candidate, refusal.lower_bound) == (1, BOUND)


def test_nor_is_anything_compared_with_one(world: "World") -> None:
    past = world.past("peak_memory", Session("here", 0, (1.0,), lower_bound=BOUND))
    history, runs = world.history(peak_memory=past), world.runs(peak_memory=[4])
    found = refused(matched(world, runs, history, name="peak_memory"), Outcome.NOT_COMPARABLE)
    assert reason(found) == (
        f"the baseline has a lower bound of it, {BOUND}; record it again with --pareto-update"
    )
    assert found.lower_bound is None
    old = refused(
        matched(world, runs, history, name="peak_memory", stored=False), Outcome.NOT_COMPARABLE
    )
    assert reason(old) == f"the old code has a lower bound of it, {BOUND}"


def test_a_new_lower_bound_is_new(world: "World") -> None:
    runs = world.bounded(world.runs(peak_memory=[1]), "peak_memory")
    found = refused(matched(world, runs, None, name="peak_memory"), Outcome.NEW)
    assert found.lower_bound == BOUND
