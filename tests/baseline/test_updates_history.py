"""What a metric's history is after an update; `test_edits` has what asks for which action."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.baseline.updates import KEPT_SESSIONS, Action, Choice, Recorded, next_history
from pytest_pareto.model.baseline import MetricHistory
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY

History = Callable[..., MetricHistory]
NOW = Recorded((3.0, 3.0), (), None, "now", is_other_machine=False)


def step(action: Action, *, resets_history: bool = False) -> Choice:
    return Choice(action, frozenset(), resets_history=resets_history)


@pytest.mark.parametrize(
    ("action", "epoch"), [(Action.APPEND, 4), (Action.ADD, 4), (Action.ACCEPT_WORSE, 5)]
)
def test_what_is_accepted_opens_an_epoch(action: Action, epoch: int, history: History) -> None:
    after = next_history(step(action), LATENCY, history("latency", (1.0,), epochs=(4,)), NOW)
    assert [(s.epoch, s.runs) for s in after.sessions] == [(4, (1.0,)), (epoch, NOW.levels)]


def test_afresh_the_past_is_forgotten(history: History) -> None:
    choice = step(Action.ACCEPT_CHANGE, resets_history=True)
    after = next_history(choice, LATENCY, history("latency", (1.0,), epochs=(4,)), NOW)
    assert [(s.epoch, s.runs) for s in after.sessions] == [(0, NOW.levels)]


def test_a_level_is_explained_as_long_as_it_is_the_level(history: History) -> None:
    past = history("latency", *((1.0,),) * KEPT_SESSIONS)
    first, *rest = past.sessions
    past = replace(past, sessions=(replace(first, reason="as agreed"), *rest))
    for _ in range(2):  # the session that it was accepted with is forgotten
        past = next_history(step(Action.APPEND), LATENCY, past, NOW)
        assert [s.reason for s in past.sessions] == ["as agreed"] + [""] * (KEPT_SESSIONS - 1)
    accepted = next_history(step(Action.ACCEPT_BETTER), LATENCY, past, NOW)
    assert accepted.newest.reason == ""
    assert accepted.reason == ""


@pytest.mark.parametrize(("levels", "kept"), [((3.0, 3.0), (3.0,)), ((3.0, 4.0), (3.0, 4.0))])
def test_exact_runs_that_agree_are_one(
    levels: tuple[float, ...], kept: tuple[float, ...], history: History
) -> None:
    past = history("peak_memory", (1.0,))
    after = next_history(step(Action.ACCEPT_WORSE), PEAK_MEMORY, past, replace(NOW, levels=levels))
    assert [s.runs for s in after.sessions] == [kept]
