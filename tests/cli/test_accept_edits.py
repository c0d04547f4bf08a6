"""Edits that ``accept`` reports: levels from the entries, and changes of the definition."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.baseline.acceptance import Accepted, Step
from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.baseline.updates import KEPT_SESSIONS, Action
from pytest_pareto.cli.accept import edits_of, moved_fronts
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


def with_session(
    history: MetricHistory, *runs: float, epoch: int = 1, env: str = ENV
) -> MetricHistory:
    return replace(history, sessions=(*history.sessions, Session(env, epoch, runs)))


def reported_edit(
    before: MetricHistory | None, after: MetricHistory | None, name: str = "latency"
) -> tuple[Action, str]:
    """Return the reported edit of a step that its candidate calls an addition.

    An addition never needs a reason.
    """
    here = Baseline(HERE.hardware_key, {}, ENVIRONMENTS)
    step = Step(CASE, name, Action.ADD, before, after)
    (edit,) = edits_of(Accepted(here, (step,)))
    assert (edit.case_id, edit.metric) == (CASE, name)
    return edit.action, edit.detail


@pytest.mark.parametrize(
    ("after", "action", "detail"),
    [
        (with_session(LATENCY, 0.2, 0.2), Action.ACCEPT_WORSE, "0.1 → 0.2 s, 2 runs"),
        (with_session(LATENCY, 0.05), Action.ACCEPT_BETTER, "0.1 → 0.05 s, 1 run"),
        (with_session(LATENCY, 0.1), Action.ACCEPT_CHANGE, "0.1 → 0.1 s, 1 run"),
        (None, Action.DROP, "gone, was 0.1 s"),
    ],
)
def test_the_action_is_derived_from_the_entries(
    after: MetricHistory | None, action: Action, detail: str
) -> None:
    assert reported_edit(LATENCY, after) == (action, detail)


def test_a_new_metric_has_a_level() -> None:
    assert reported_edit(None, LATENCY) == (Action.ADD, "0.1 s, 3 runs")


def test_the_level_is_that_of_all_sessions_of_the_epoch() -> None:
    """A forged session in the same epoch moves the level by its share."""
    after = with_session(LATENCY, 0.2, 0.2, 0.2, epoch=0)
    assert reported_edit(LATENCY, after) == (Action.ACCEPT_WORSE, "0.1 → 0.1414 s, 3 runs")


def test_a_level_of_another_machine_is_an_addition() -> None:
    action, detail = reported_edit(LATENCY, with_session(LATENCY, 0.2, epoch=0, env=OTHER))
    assert action is Action.ADD
    assert detail.startswith("0.1 → 0.2 s, 1 run, on another machine: GPU is Another here")


def test_a_new_epoch_on_another_machine_is_not_an_addition() -> None:
    """A new epoch replaces the level that the machines of the baseline have to beat."""
    forged = with_session(LATENCY, 0.2, epoch=1, env=OTHER)
    assert reported_edit(LATENCY, forged)[0] is Action.ACCEPT_WORSE


@pytest.mark.parametrize("env", [ENV, OTHER])
def test_dropped_sessions_are_reported(env: str) -> None:
    past = with_session(with_session(LATENCY, 0.1, epoch=0), 0.1, epoch=0)
    forged = replace(past, sessions=(Session(env, 0, (0.1000001,)),))
    action, detail = reported_edit(past, forged)
    assert action is Action.ACCEPT_CHANGE  # and needs a reason
    assert "forgets 3 sessions" in detail


def test_sessions_that_every_update_drops_need_no_reason() -> None:
    long = LATENCY
    for _ in range(KEPT_SESSIONS - 1):
        long = with_session(long, 0.1, epoch=0)
    after = with_session(replace(long, sessions=long.sessions[1:]), 0.05)
    assert reported_edit(long, after)[0] is Action.ACCEPT_BETTER
    exact = replace(LATENCY, kind=Kind.EXACT, sessions=long.sessions[:2])
    alone = replace(exact, sessions=(Session(ENV, 1, (0.05,)),))
    assert reported_edit(exact, alone)[0] is Action.ACCEPT_BETTER


def test_the_level_of_scores_is_the_mean_of_the_samples() -> None:
    """Sessions do not compare the number that is stored with the samples."""
    forged = replace(with_session(SCORE, 0.99), samples=Samples(("a", "b"), (0.1, 0.3)))
    assert reported_edit(SCORE, forged, "score") == (Action.ACCEPT_WORSE, "0.5 → 0.2, 1 run")


Change = Callable[[MetricHistory], MetricHistory]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda h: replace(h, better=Better.LOWER), "direction was 'higher' and is 'lower'"),
        (lambda h: replace(h, kind=Kind.ORDINAL), "kind was 'paired' and is 'ordinal'"),
        (lambda h: replace(h, scope=Scope.ANYWHERE), "scope was 'gpu' and is 'anywhere'"),
        (lambda h: replace(h, unit="s"), "unit was '' and is 's'"),
        (lambda h: replace(h, gates=False), "it gates no more"),
        (lambda h: replace(h, samples=Samples(("c",), (0.9,))), "it is of other samples"),
    ],
)
def test_changes_of_the_definition_are_reported(change: Change, words: str) -> None:
    action, detail = reported_edit(SCORE, change(with_session(SCORE, 0.9)), "score")
    assert action is Action.ACCEPT_CHANGE  # and needs a reason
    assert words in detail


def test_a_move_to_another_front_is_reported() -> None:
    old, new = (CaseHistory(CASE, front, "s", {"latency": LATENCY}) for front in ("a", "b"))
    before = Baseline(HERE.hardware_key, {CASE: old}, ENVIRONMENTS)
    after = replace(before, cases={CASE: new})
    step = Step(CASE, "latency", Action.ACCEPT_BETTER, LATENCY, LATENCY)
    assert [*moved_fronts(before, Accepted(after, (step,)))] == [
        f"{CASE}: its front was a and is b"
    ]
    assert not [*moved_fronts(before, Accepted(before, (step,)))]
