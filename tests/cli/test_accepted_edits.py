"""What accepting writes, as it is told: levels from the entries, and what else is another."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.baseline.acceptance import Accepted, Step
from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.baseline.updates import KEPT_SESSIONS, Action
from pytest_pareto.cli.accepted_edits import edits_of, moved_fronts
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Samples, Session
from pytest_pareto.model.metric import Better, Kind, Scope
from tests.sessions import HERE

CASE = "test_m.py::test_f"
ENV = environment_key(HERE)
THERE = replace(HERE, cpu_model="Another", gpu_product="Another")
OTHER = environment_key(THERE)
ENVIRONMENTS = {ENV: HERE, OTHER: THERE}
LATENCY = MetricHistory(
    "s", Better.LOWER, Kind.RUN, Scope.HOST, (Session(ENV, 0, (0.1, 0.1, 0.1)),)
)
SCORE = MetricHistory(
    "", Better.HIGHER, Kind.PAIRED, Scope.GPU, (Session(ENV, 0, (0.5,)),),
    Samples(("a", "b"), (0.25, 0.75)),
)  # fmt: skip


def onward(history: MetricHistory, *runs: float, epoch: int = 1, env: str = ENV) -> MetricHistory:
    return replace(history, sessions=(*history.sessions, Session(env, epoch, runs)))


def told(
    before: MetricHistory | None, after: MetricHistory | None, name: str = "latency"
) -> tuple[Action, str]:
    """What is told of a step that its candidate calls an addition, which never needs a reason."""
    here = Baseline(HERE.hardware_key, {}, ENVIRONMENTS)
    step = Step(CASE, name, Action.ADD, before, after)
    (edit,) = edits_of(Accepted(here, (step,)))
    assert (edit.case_id, edit.metric) == (CASE, name)
    return edit.action, edit.detail


@pytest.mark.parametrize(
    ("after", "action", "detail"),
    [
        (onward(LATENCY, 0.2, 0.2), Action.ACCEPT_WORSE, "0.1 → 0.2 s, 2 runs"),
        (onward(LATENCY, 0.05), Action.ACCEPT_BETTER, "0.1 → 0.05 s, 1 run"),
        (onward(LATENCY, 0.1), Action.ACCEPT_CHANGE, "0.1 → 0.1 s, 1 run"),
        (None, Action.DROP, "gone, was 0.1 s"),
    ],
)
def test_the_step_is_read_from_the_entries(
    after: MetricHistory | None, action: Action, detail: str
) -> None:
    assert told(LATENCY, after) == (action, detail)


def test_what_is_new_has_a_level_too() -> None:
    assert told(None, LATENCY) == (Action.ADD, "0.1 s, 3 runs")


def test_the_level_is_that_of_all_sessions_that_later_ones_meet() -> None:
    """One that is smuggled in beside the accepted ones moves it by its share."""
    after = onward(LATENCY, 0.2, 0.2, 0.2, epoch=0)
    assert told(LATENCY, after) == (Action.ACCEPT_WORSE, "0.1 → 0.1414 s, 3 runs")


def test_on_another_machine_it_is_new_there() -> None:
    action, detail = told(LATENCY, onward(LATENCY, 0.2, epoch=0, env=OTHER))
    assert action is Action.ADD
    assert detail.startswith("0.1 → 0.2 s, 1 run, on another machine: GPU is Another here")


def test_another_machine_is_no_excuse_for_another_level() -> None:
    """An epoch of its own replaces the level that the machines of the baseline have to beat."""
    forged = onward(LATENCY, 0.2, epoch=1, env=OTHER)
    assert told(LATENCY, forged)[0] is Action.ACCEPT_WORSE


@pytest.mark.parametrize("env", [ENV, OTHER])
def test_a_past_that_is_dropped_is_told(env: str) -> None:
    past = onward(onward(LATENCY, 0.1, epoch=0), 0.1, epoch=0)
    forged = replace(past, sessions=(Session(env, 0, (0.1000001,)),))
    action, detail = told(past, forged)
    assert action is Action.ACCEPT_CHANGE  # and needs a reason
    assert "forgets 3 sessions" in detail


def test_what_every_update_forgets_needs_no_reason() -> None:
    long = LATENCY
    for _ in range(KEPT_SESSIONS - 1):
        long = onward(long, 0.1, epoch=0)
    after = onward(replace(long, sessions=long.sessions[1:]), 0.05)
    assert told(long, after)[0] is Action.ACCEPT_BETTER
    exact = replace(LATENCY, kind=Kind.EXACT, sessions=long.sessions[:2])
    alone = replace(exact, sessions=(Session(ENV, 1, (0.05,)),))
    assert told(exact, alone)[0] is Action.ACCEPT_BETTER


def test_scores_are_told_by_their_samples() -> None:
    """The number beside them is not what sessions compare."""
    forged = replace(onward(SCORE, 0.99), samples=Samples(("a", "b"), (0.1, 0.3)))
    assert told(SCORE, forged, "score") == (Action.ACCEPT_WORSE, "0.5 → 0.2, 1 run")


Harm = Callable[[MetricHistory], MetricHistory]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda h: replace(h, better=Better.LOWER), "direction was 'higher' and is 'lower'"),
        (lambda h: replace(h, kind=Kind.ORDINAL), "kind was 'paired' and is 'ordinal'"),
        (lambda h: replace(h, scope=Scope.ANYWHERE), "scope was 'gpu' and is 'anywhere'"),
        (lambda h: replace(h, unit="s"), "unit was '' and is 's'"),
        (lambda h: replace(h, gates=False), "it gates no more"),
        (lambda h: replace(h, samples=Samples(("c",), (0.9,))), "it is of other samples"),
    ],
)
def test_what_could_hide_a_regression_is_told(harm: Harm, words: str) -> None:
    action, detail = told(SCORE, harm(onward(SCORE, 0.9)), "score")
    assert action is Action.ACCEPT_CHANGE  # and needs a reason
    assert words in detail


def test_a_case_that_goes_to_another_front() -> None:
    old, new = (CaseHistory(CASE, front, "s", {"latency": LATENCY}) for front in ("a", "b"))
    before = Baseline(HERE.hardware_key, {CASE: old}, ENVIRONMENTS)
    after = replace(before, cases={CASE: new})
    step = Step(CASE, "latency", Action.ACCEPT_BETTER, LATENCY, LATENCY)
    assert [*moved_fronts(before, Accepted(after, (step,)))] == [
        f"{CASE}: its front was a and is b"
    ]
    assert not [*moved_fronts(before, Accepted(before, (step,)))]
