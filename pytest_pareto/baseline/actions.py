"""What an update does to one metric: which action its outcome asks for, and what is left then."""

from dataclasses import dataclass, replace
from enum import StrEnum

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.history import MetricHistory, Samples, Session
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.verdict import MetricResult

KEPT_SESSIONS = 6
"""Older sessions are forgotten: enough for a spread between sessions, and a line that fits."""


class UpdateMode(StrEnum):
    """What ``--pareto-update`` may write."""

    CHANGED = "changed"  # what is new, and what changed
    NEW = "new"  # only what was not recorded on this kind of machine
    RUNS = "runs"  # another session of cases that did not change
    ALL = "all"  # everything; it alone forgets


class Action(StrEnum):
    """What happens to one metric of one case."""

    ADD = "add"
    ACCEPT_WORSE = "accept-worse"
    ACCEPT_BETTER = "accept-better"
    ACCEPT_CHANGE = "accept-change"
    APPEND = "append"
    DROP = "drop"

    @property
    def accepts(self) -> bool:
        """Whether it moves the level that later sessions are compared with."""
        return self in (Action.ACCEPT_WORSE, Action.ACCEPT_BETTER, Action.ACCEPT_CHANGE)


_ONLY_ALL = frozenset({UpdateMode.ALL})
_MODES = {
    Action.ADD: frozenset({UpdateMode.NEW, UpdateMode.CHANGED, UpdateMode.ALL}),
    Action.ACCEPT_WORSE: frozenset({UpdateMode.CHANGED, UpdateMode.ALL}),
    Action.ACCEPT_BETTER: frozenset({UpdateMode.CHANGED, UpdateMode.ALL}),
    Action.ACCEPT_CHANGE: frozenset({UpdateMode.CHANGED, UpdateMode.ALL}),
    Action.APPEND: frozenset({UpdateMode.RUNS, UpdateMode.ALL}),
    Action.DROP: _ONLY_ALL,
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What this session measured of one metric: one level per run, and where.

    ``reference`` is the host reference of each of these runs, of a latency where all timed it.
    ``env`` names the session's environment. ``alien`` says that the baseline's newest
    session ran on a machine which a metric of this scope cannot be compared with.
    """

    levels: tuple[float, ...]
    reference: tuple[float, ...]
    samples: Samples | None
    env: str
    alien: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """An action with the modes that take it; ``afresh`` forgets the metric's past sessions."""

    action: Action
    modes: frozenset[UpdateMode]
    afresh: bool = False


def choose(
    result: MetricResult,
    history: MetricHistory | None,
    recorded: Recorded | None,
    *,
    vanished: bool,
) -> Choice | None:
    """Return what a metric's outcome asks for, or None where its entry stays as it is.

    ``recorded`` is None where the session has no reading. That forgets a metric only where
    it has ``vanished``: its test no longer asks for it, as against failing to measure it.
    """
    outcome = result.outcome
    if recorded is None:
        gone = outcome is Outcome.MISSING and vanished and history is not None
        return _plain(Action.DROP) if gone else None
    if history is None:
        return None if outcome is Outcome.BROKEN else _plain(Action.ADD)
    if outcome is Outcome.BROKEN:
        # It was measured well and contradicts the baseline: that takes an explicit word.
        return Choice(Action.ACCEPT_CHANGE, _ONLY_ALL, afresh=True)
    if result.change is not None and result.change.suspected:
        return None  # it would lower the level that it is suspected of missing
    if outcome in (Outcome.NEW, Outcome.NOT_COMPARABLE):
        return _uncompared(result, history, recorded)
    return _plain(_compared(result, history, recorded))


def next_history(
    choice: Choice, metric: Metric, history: MetricHistory | None, recorded: Recorded
) -> MetricHistory:
    """Return a metric's history with this session as its newest."""
    past = () if history is None or choice.afresh else history.sessions
    if history is not None and choice.action is Action.APPEND and metric.kind.sampled:
        # The scores that were accepted stay the ones to beat: else they would creep.
        return history
    # Another machine measures the level that is accepted here too.
    epoch = past[-1].epoch + choice.action.accepts if past else 0
    exact = metric.kind is Kind.EXACT
    levels = recorded.levels
    if exact and len(set(levels)) == 1:
        levels = levels[:1]
    session = Session(recorded.env, epoch, levels, recorded.reference)
    alone = exact and choice.action is not Action.ADD
    sessions = (session,) if alone else (*past, session)[-KEPT_SESSIONS:]
    sessions = still_explained(sessions, None if choice.afresh else history)
    samples = recorded.samples if metric.kind.sampled else None
    return MetricHistory(
        metric.unit, metric.better, metric.kind, metric.scope, sessions, samples, metric.gates
    )


def still_explained(
    sessions: tuple[Session, ...], history: MetricHistory | None
) -> tuple[Session, ...]:
    """Keep why the level was accepted, as long as it is the level: also past its session."""
    epoch = sessions[-1].epoch
    if history is None or not history.reason or history.newest.epoch != epoch:
        return sessions
    if any(s.reason for s in sessions if s.epoch == epoch):
        return sessions
    first = next(at for at, s in enumerate(sessions) if s.epoch == epoch)
    explained = replace(sessions[first], reason=history.reason)
    return (*sessions[:first], explained, *sessions[first + 1 :])


def _plain(action: Action) -> Choice:
    return Choice(action, _MODES[action])


def _uncompared(result: MetricResult, history: MetricHistory, recorded: Recorded) -> Choice:
    if result.for_now:
        return Choice(Action.ACCEPT_CHANGE, _ONLY_ALL)  # a mood that lasts is the new normal
    if _another_quantity(history, result.metric, recorded):
        return Choice(Action.ACCEPT_CHANGE, _MODES[Action.ACCEPT_CHANGE], afresh=True)
    first_here = result.outcome is Outcome.NEW or recorded.alien
    return _plain(Action.ADD if first_here else Action.ACCEPT_CHANGE)


def _compared(result: MetricResult, history: MetricHistory, recorded: Recorded) -> Action:
    if result.outcome is Outcome.WORSE:
        return Action.ACCEPT_WORSE
    if result.outcome is Outcome.BETTER:
        return Action.ACCEPT_BETTER
    exact = result.metric.kind is Kind.EXACT
    if exact and set(recorded.levels) != set(history.newest.runs):
        return Action.ACCEPT_CHANGE
    return Action.APPEND


def _another_quantity(history: MetricHistory, metric: Metric, recorded: Recorded) -> bool:
    """Tell whether the past is of something else than what was measured now."""
    if history.disagreement(metric) is not None:
        return True
    if history.samples is None or recorded.samples is None:
        return False
    return set(history.samples.ids) != set(recorded.samples.ids)
