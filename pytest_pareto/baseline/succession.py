"""A metric's history after an update: this session as its newest, and how much of the past."""

from dataclasses import replace

from pytest_pareto.baseline.actions import Action, Choice, Recorded
from pytest_pareto.model.baseline import MetricHistory, Session
from pytest_pareto.model.metric import Kind, Metric

KEPT_SESSIONS = 6
"""Older sessions are forgotten: enough for a spread between sessions, and a line that fits."""


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
