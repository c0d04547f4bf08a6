"""When a latency is adjusted, when it is not, and the notes of either."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.compare.changes import compare_case
from pytest_pareto.compare.matching import Pair
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import HOST_REFERENCE
from pytest_pareto.model.policy import AlphaShares, Policy, SessionSpreads
from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.model.verdict import MetricResult

if TYPE_CHECKING:
    from tests.compare.conftest import World

LATENCY = (1.00, 1.02, 0.98, 1.01, 0.99)
REFERENCE = (0.0020, 0.00205, 0.00195, 0.00202, 0.00198)
SPREADS = SessionSpreads(host=0.04, host_adjusted=0.015)
PAST = Session("here", 0, LATENCY, REFERENCE)


def runs(
    world: "World", latency: list[float], reference: list[float | None]
) -> tuple[CaseRun, ...]:
    return tuple(
        replace(
            run,
            measurements=(
                *run.measurements,
                *(() if reading is None else (Measurement(HOST_REFERENCE, (reading,)),)),
            ),
        )
        for run, reading in zip(world.runs(latency=latency), reference, strict=True)
    )


def latency(
    world: "World",
    now: list[float],
    reference: list[float | None],
    past: Session = PAST,
    software: dict[str, str] | None = None,
) -> Pair | MetricResult:
    baseline = world.baseline(world.history(latency=world.past("latency", past)))
    here = world.here if software is None else replace(world.here, software=software)
    matched = world.match(baseline, runs(world, now, reference), now=here, spreads=SPREADS)
    return matched["a"].pairs["latency"]


def is_adjusted(found: Pair | MetricResult) -> bool:
    return isinstance(found, Pair) and found.adjusted


def result(world: "World", now: list[float], reference: list[float | None]) -> MetricResult:
    baseline = world.baseline(world.history(latency=world.past("latency", PAST)))
    matched = world.match(baseline, runs(world, now, reference), spreads=SPREADS)["a"]
    compared = compare_case(matched, Policy(spreads=SPREADS), AlphaShares(1.0, 0.0), 1, 0)
    found = compared.metric("latency")
    assert found is not None
    return found


def test_the_host_state_is_subtracted_and_the_raw_change_is_noted(world: "World") -> None:
    found = result(world, [1.04, 1.06, 1.05], [0.00210, 0.00214, 0.00212])
    assert found.candidate == pytest.approx(1.05, rel=1e-3)  # as it was measured
    assert found.change is not None
    assert found.change.estimate < 0.01
    (note,) = found.notes
    assert note.startswith("adjusted by the host reference: raw +5.")
    assert "launches 6.0 % slower" in note


def test_its_sessions_differ_by_less(world: "World") -> None:
    found = latency(world, [1.0, 1.01], [0.0020, 0.00202])
    assert is_adjusted(found)
    assert isinstance(found, Pair)
    assert found.session_spread == 0.015


def test_a_slower_torch_is_not_explained_away(world: "World") -> None:
    now = [1.04, 1.06, 1.05]
    reference: list[float | None] = [0.00210, 0.00214, 0.00212]
    found = latency(world, now, reference, software={"torch": "2.12"})
    assert isinstance(found, Pair)
    assert not is_adjusted(found)
    assert found.runs == pytest.approx(tuple(now))
    assert found.notes == ("not adjusted by the host reference: torch unknown → 2.12",)


def test_other_software_than_the_reference_runs_through_does_not_matter(world: "World") -> None:
    assert is_adjusted(latency(world, [1.0], [0.0020], software={"diffusers": "1.0"}))


def test_a_very_different_host_state_is_not_comparable_for_now(world: "World") -> None:
    found = result(world, [1.19, 1.20], [0.0024, 0.0024])
    assert found.outcome is Outcome.NOT_COMPARABLE
    assert found.for_now
    assert found.baseline == pytest.approx(1.0, rel=1e-3)
    assert found.reason == (
        "this host launches 20 % slower than it did, too far to be allowed for; "
        "measure again, or interleave with --pareto-against"
    )


def test_no_host_state_hides_more_than_it_can_explain(world: "World") -> None:
    found = result(world, [1.7, 1.71, 1.69], [0.0022, 0.0022, 0.0022])
    assert found.outcome is Outcome.WORSE


def test_a_reference_that_latency_does_not_follow_hides_nothing(world: "World") -> None:
    past = Session("here", 0, (1.00, 0.98, 1.02, 1.01, 0.99), REFERENCE)
    found = latency(world, [1.6, 1.61], [0.0022, 0.0022], past)
    assert isinstance(found, Pair)
    assert not is_adjusted(found)


def test_what_follows_too_little_is_compared_as_it_is(world: "World") -> None:
    past = Session("here", 0, (1.00, 0.98, 1.02, 1.01, 0.99), REFERENCE)
    found = latency(world, [1.0, 1.01], [0.0020, 0.00202], past)
    assert isinstance(found, Pair)
    assert not is_adjusted(found)
    assert "follows the host reference too little" in found.notes[0]


@pytest.mark.parametrize("reference", [[None, None], [0.0020, None]])
def test_without_a_reference_in_every_run_there_is_no_note(
    world: "World", reference: list[float | None]
) -> None:
    found = latency(world, [1.0, 1.01], reference)
    assert isinstance(found, Pair)
    assert not found.notes


def test_a_baseline_without_a_reference_is_compared_as_it_is(world: "World") -> None:
    found = latency(world, [1.0], [0.0020], replace(PAST, reference=()))
    assert isinstance(found, Pair)
    assert not is_adjusted(found)


def test_the_reference_is_compared_with_that_of_the_baselines_latency(
    world: "World",
) -> None:
    baseline = world.baseline(world.history(latency=world.past("latency", PAST)))
    matched = world.match(baseline, runs(world, [1.0], [0.0020]), spreads=SPREADS)["a"]
    found = matched.pairs["host_reference"]
    assert isinstance(found, Pair)
    assert found.sessions[0].runs == REFERENCE
