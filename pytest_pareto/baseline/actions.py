"""What an update does to one metric: which action its outcome asks for."""

from dataclasses import dataclass
from enum import StrEnum

from pytest_pareto.model.baseline import MetricHistory, Samples
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.verdict import MetricResult


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
