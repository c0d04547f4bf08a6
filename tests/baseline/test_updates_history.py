"""A metric's history after an update; `test_updates` covers the choice of the action."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.baseline.updates import KEPT_SESSIONS, Action, Choice, Recorded, next_history
from pytest_pareto.model.attribution import Breakdown, Part
from pytest_pareto.model.baseline import MetricHistory, Samples
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY, Better, Kind, Metric, Scope

History = Callable[..., MetricHistory]
ACCURACY = Metric("accuracy", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
THEN_PARTS = Breakdown((Part("then", 1.0),))
NOW_PARTS = Breakdown((Part("now", 3.0, 2),))
NOW = Recorded((3.0, 3.0), (), None, "now", is_other_machine=False)


def step(action: Action, *, resets_history: bool = False) -> Choice:
    return Choice(action, frozenset(), resets_history=resets_history)


@pytest.mark.parametrize(
    ("action", "epoch"), [(Action.APPEND, 4), (Action.ADD, 4), (Action.ACCEPT_WORSE, 5)]
)
def test_an_accepted_change_starts_an_epoch(action: Action, epoch: int, history: History) -> None:
    after = next_history(step(action), LATENCY, history("latency", (1.0,), epochs=(4,)), NOW)
    assert [(s.epoch, s.runs) for s in after.sessions] == [(4, (1.0,)), (epoch, NOW.levels)]


def test_a_reset_drops_the_past(history: History) -> None:
    choice = step(Action.ACCEPT_CHANGE, resets_history=True)
    after = next_history(choice, LATENCY, history("latency", (1.0,), epochs=(4,)), NOW)
    assert [(s.epoch, s.runs) for s in after.sessions] == [(0, NOW.levels)]


def test_a_reason_is_kept_as_long_as_its_level(history: History) -> None:
    past = history("latency", *((1.0,),) * KEPT_SESSIONS)
    first, *rest = past.sessions
    past = replace(past, sessions=(replace(first, reason="as agreed"), *rest))
    for _ in range(2):  # the session that it was accepted with is dropped
        past = next_history(step(Action.APPEND), LATENCY, past, NOW)
        assert [s.reason for s in past.sessions] == ["as agreed"] + [""] * (KEPT_SESSIONS - 1)
    accepted = next_history(step(Action.ACCEPT_BETTER), LATENCY, past, NOW)
    assert accepted.newest.reason == ""
    assert accepted.reason == ""


@pytest.mark.parametrize(("levels", "kept"), [((3.0, 3.0), (3.0,)), ((3.0, 4.0), (3.0, 4.0))])
def test_equal_exact_runs_are_stored_once(
    levels: tuple[float, ...], kept: tuple[float, ...], history: History
) -> None:
    past = history("peak_memory", (1.0,))
    after = next_history(step(Action.ACCEPT_WORSE), PEAK_MEMORY, past, replace(NOW, levels=levels))
    assert [s.runs for s in after.sessions] == [kept]


@pytest.mark.parametrize(("name", "metric"), [("latency", LATENCY), ("peak_memory", PEAK_MEMORY)])
@pytest.mark.parametrize("action", [Action.APPEND, Action.ADD, Action.ACCEPT_WORSE])
def test_the_parts_are_those_of_the_newest_session(
    name: str, metric: Metric, action: Action, history: History
) -> None:
    past = replace(history(name, (3.0,)), breakdown=THEN_PARTS)
    known = replace(NOW, breakdown=NOW_PARTS)
    assert next_history(step(action), metric, past, known).breakdown == NOW_PARTS
    # A session without a profile has the level that the parts before explain, or another one.
    without = next_history(step(action), metric, past, NOW).breakdown
    assert without == (THEN_PARTS if action is Action.APPEND else None)


def test_scores_that_are_kept_keep_their_parts(history: History) -> None:
    past = replace(history("accuracy", (0.5,)), breakdown=THEN_PARTS)
    known = replace(NOW, breakdown=NOW_PARTS, samples=Samples(("a", "b"), (0.1, 0.1)))
    assert next_history(step(Action.APPEND), ACCURACY, past, known) is past
    accepted = next_history(step(Action.ACCEPT_CHANGE), ACCURACY, past, known)
    assert (accepted.samples, accepted.breakdown) == (known.samples, NOW_PARTS)
