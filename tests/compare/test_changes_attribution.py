"""Which changes are attributed to parts, to whose parts, and what they add up to."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.compare.changes import compare_case
from pytest_pareto.compare.levels import condensed
from pytest_pareto.compare.pairs import interleaved_baseline
from pytest_pareto.model.attribution import Attribution, Breakdown, Part
from pytest_pareto.model.baseline import CaseHistory
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.policy import AlphaShares, Policy
from pytest_pareto.model.run import CaseRun, Run
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.pipeline import judge_record
from tests.sessions import (
    DEVICE,
    baseline,
    by_case,
    case_runs,
    five,
    judged,
    remembered,
    session,
)

if TYPE_CHECKING:
    from tests.compare.conftest import World

FIVE = [1.0, 1.01, 0.99, 1.02, 0.98]


def parts(value: float) -> Breakdown:
    return Breakdown((Part("mm in Net.fc", value, 1),))


def consisting(runs: Sequence[CaseRun], name: str, *known: Breakdown | None) -> list[CaseRun]:
    """The same runs, of which the first ones know what their level consists of."""
    return [
        replace(
            run,
            measurements=tuple(
                replace(m, breakdown=found) if m.metric.name == name else m
                for m in run.measurements
            ),
        )
        for run, found in zip(runs, (*known, *[None] * (len(runs) - len(known))), strict=True)
    ]


def explained(case: CaseHistory, name: str, known: Breakdown | None) -> CaseHistory:
    """The same case of a baseline, in which one metric has this breakdown."""
    return replace(
        case, metrics={**case.metrics, name: replace(case.metrics[name], breakdown=known)}
    )


def compared(
    world: "World", runs: Sequence[CaseRun], history: CaseHistory, name: str
) -> MetricResult:
    (case,) = world.match(world.baseline(history), runs).values()
    comparison = compare_case(case, Policy(), AlphaShares(1.0, 0.0), 1, 0)
    result = comparison.metric(name)
    assert result is not None
    return result


def moved(attribution: Attribution | None) -> dict[str, float]:
    assert attribution is not None
    return {each.name: each.change for each in attribution.contributions}


@pytest.mark.parametrize(
    ("factor", "outcome", "attributed"),
    [
        (1.5, Outcome.WORSE, True),
        (0.5, Outcome.BETTER, True),
        (1.0, Outcome.UNCHANGED, False),
        (0.97, Outcome.NOT_WORSE, False),
    ],
)
def test_what_moved_is_attributed(
    world: "World", factor: float, outcome: Outcome, attributed: bool
) -> None:
    runs = consisting(world.runs(latency=[factor * x for x in FIVE]), "latency", parts(factor))
    history = explained(world.history(latency=FIVE), "latency", parts(1.0))
    result = compared(world, runs, history, "latency")
    assert result.outcome is outcome
    assert (result.attribution is not None) is attributed
    if result.attribution is not None:
        assert moved(result.attribution) == {"mm in Net.fc": pytest.approx(factor - 1)}


@pytest.mark.parametrize(
    ("then", "now"), [(None, parts(150.0)), (parts(100.0), None), (None, None)]
)
def test_both_sides_must_be_known(
    world: "World", then: Breakdown | None, now: Breakdown | None
) -> None:
    runs = consisting(world.runs(peak_memory=[150.0]), "peak_memory", now)
    history = explained(world.history(peak_memory=[100.0]), "peak_memory", then)
    result = compared(world, runs, history, "peak_memory")
    assert result.outcome is Outcome.WORSE
    assert result.attribution is None


def test_a_new_metric_is_attributed_to_nothing(world: "World") -> None:
    runs = consisting(world.runs(peak_memory=[150.0]), "peak_memory", parts(150.0))
    result = compared(world, runs, world.history(latency=FIVE), "peak_memory")
    assert result.outcome is Outcome.NEW
    assert result.attribution is None


def test_the_total_is_the_difference_of_the_levels_shown(world: "World") -> None:
    runs = consisting(world.runs(peak_memory=[150.0]), "peak_memory", parts(140.0))
    history = explained(world.history(peak_memory=[100.0]), "peak_memory", parts(100.0))
    result = compared(world, runs, history, "peak_memory")
    assert result.baseline is not None
    assert result.candidate is not None
    found = result.attribution
    assert found is not None
    assert found.total == result.candidate - result.baseline == 50.0
    assert (moved(found), found.unexplained) == ({"mm in Net.fc": 40.0}, 10.0)


def test_parts_are_of_the_first_run_that_knows_them(world: "World") -> None:
    runs = consisting(world.runs(latency=FIVE), "latency", None, parts(2.0), parts(3.0))
    assert world.measured(runs, "latency").breakdown == parts(2.0)
    assert world.measured(world.runs(latency=FIVE), "latency").breakdown is None


@pytest.mark.parametrize(("kind", "values"), [(Kind.RUN, (1.0, 1.1, 1.2)), (Kind.EXACT, (1.0,))])
def test_a_run_of_levels_alone_keeps_the_parts(
    world: "World", kind: Kind, values: tuple[float, ...]
) -> None:
    (case,) = world.runs(latency=[1.0])
    known = replace(
        case.measurements[0],
        metric=replace(world.metric("latency"), kind=kind),
        values=values,
        breakdown=parts(1.0),
    )
    run = condensed(Run(world.here, {"a": replace(case, measurements=(known,))}))
    (kept,) = run.cases["a"].measurements
    assert (len(kept.values), kept.breakdown) == (1, parts(1.0))


# Sessions


def of_device(value: float, *known: Breakdown | None, waited: float | None = None) -> list[CaseRun]:
    runs = consisting(case_runs("m.py::a", {"device": five(value)}), "device", *known)
    waiting = [
        replace(run, measurements=tuple(replace(m, waited=waited) for m in run.measurements))
        for run in runs[:1]
    ]
    return [*waiting, *runs[1:]]


PAST = explained(remembered("m.py::a", {"device": five(1.0)}), "device", parts(1.0))


@pytest.mark.parametrize(("now", "suspected"), [(1.012, False), (1.015, True)])
def test_what_is_only_suspected_is_attributed_too(now: float, suspected: bool) -> None:
    """Alone it would be worse; among the tests of ten cases it is undecided."""
    others = [f"m.py::{name}" for name in "bcdefghij"]
    found = judged(
        session(
            of_device(now, parts(now)), *(case_runs(each, {"device": five(1.0)}) for each in others)
        ),
        baseline(PAST, *(remembered(each, {"device": five(1.0)}) for each in others)),
    )
    (result,) = by_case(found)["m.py::a"].comparison.metrics
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.change is not None
    assert result.change.suspected is suspected
    assert (result.attribution is not None) is suspected


def test_confirming_runs_decide_and_the_sessions_own_explain() -> None:
    own = session(of_device(1.2, parts(1.2)))
    flagged = frozenset({("m.py::a", "device")})
    found = judged(own, baseline(PAST), confirmation=(flagged, session(of_device(1.4))))
    (result,) = found.judgement.cases[0].comparison.metrics
    assert result.candidate == pytest.approx(1.4)
    assert moved(result.attribution) == {"mm in Net.fc": pytest.approx(0.2)}
    assert result.attribution is not None
    assert result.attribution.total == pytest.approx(0.4)
    # An update writes the same parts beside the level of the confirming runs.
    assert found.breakdowns == {("m.py::a", "device"): parts(1.2)}


def test_what_does_not_count_explains_nothing() -> None:
    """The first run waited for a core; its calls consisted of that too."""
    busy = judged(session(of_device(1.4, parts(9.0), waited=0.8)), baseline(PAST))
    quiet = judged(session(of_device(1.4, parts(1.4), waited=0.0)), baseline(PAST))
    for found, attributed in ((busy, False), (quiet, True)):
        (result,) = found.judgement.cases[0].comparison.metrics
        assert result.outcome is Outcome.WORSE
        assert (result.attribution is not None) is attributed
        assert bool(found.breakdowns) is attributed


def test_what_a_busy_host_alone_measured_has_no_parts() -> None:
    """It is so much slower that it counts, without the waiting."""
    runs = [
        replace(
            run,
            measurements=tuple(
                replace(m, waited=0.1, breakdown=parts(9.0)) for m in run.measurements
            ),
        )
        for run in of_device(9.0)
    ]
    (result,) = judged(session(runs), baseline(PAST)).judgement.cases[0].comparison.metrics
    assert result.outcome is Outcome.WORSE
    assert result.attribution is None


def interleaved(old: Sequence[CaseRun], new: Sequence[CaseRun]) -> SessionRecord:
    sides = (
        tuple(replace(run, block=1 + at) for at, run in enumerate(session(side)))
        for side in (new, old)
    )
    runs, old_runs = sides
    return SessionRecord(runs, Policy(), old_runs=old_runs)


@pytest.mark.parametrize("then", [parts(1.0), None])
def test_old_code_that_ran_beside_the_new_has_parts_too(then: Breakdown | None) -> None:
    record = interleaved(of_device(1.0, then), of_device(1.2, parts(1.2)))
    history = interleaved_baseline(record.old_runs).cases["m.py::a"].metrics["device"]
    assert history.breakdown == then
    (result,) = judge_record(record).judgement.cases[0].comparison.metrics
    assert result.outcome is Outcome.WORSE
    assert (result.attribution is not None) is (then is not None)
    if then is not None:
        assert moved(result.attribution) == {"mm in Net.fc": pytest.approx(0.2)}


def test_pairs_that_confirm_beside_those_that_screened_leave_the_parts() -> None:
    screened = interleaved(of_device(1.0, parts(1.0)), of_device(1.2, parts(1.2)))
    again = interleaved(of_device(1.0), of_device(1.2))
    record = replace(
        screened,
        policy=Policy(confirming=5),
        flagged=frozenset({("m.py::a", DEVICE.name)}),
        again=tuple(replace(run, block=run.block + 5) for run in again.runs),
        old_again=tuple(replace(run, block=run.block + 5) for run in again.old_runs),
    )
    (result,) = judge_record(record).judgement.cases[0].comparison.metrics
    assert result.change is not None
    assert result.change.outcome is Outcome.WORSE
    assert moved(result.attribution) == {"mm in Net.fc": pytest.approx(0.2)}
