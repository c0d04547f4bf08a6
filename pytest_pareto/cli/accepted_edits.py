"""The edits that ``pytest-pareto accept`` writes, as its report lists them.

Every edit is derived from the baseline's entries before and after it, and not from the texts in
the candidate: an artifact can claim anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import fsum, isclose

from pytest_pareto.baseline.acceptance import Accepted, Step
from pytest_pareto.baseline.updates import KEPT_SESSIONS, Action, Edit, format_step
from pytest_pareto.compare.matching import remembered_metric
from pytest_pareto.compare.stored import accepted_level
from pytest_pareto.model.baseline import Baseline, MetricHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Better, Kind


def edits_of(accepted: Accepted) -> tuple[Edit, ...]:
    """Return one edit for each accepted step: its action, and the levels before and after."""
    environments = accepted.after.environments
    return tuple(_edit(step, environments) for step in accepted.steps)


def moved_fronts(before: Baseline, accepted: Accepted) -> Iterator[str]:
    """Yield a message for each accepted case that moves to another front."""
    for case_id in dict.fromkeys(step.case_id for step in accepted.steps):
        old, new = before.cases.get(case_id), accepted.after.cases.get(case_id)
        if old is not None and new is not None and old.front != new.front:
            yield f"{case_id}: its front was {old.front} and is {new.front}"


def _edit(step: Step, environments: Mapping[str, Environment]) -> Edit:
    name, before, after = step.metric, step.before, step.after
    if after is None:
        was = "" if before is None else f", was {_level_text(name, None, before)}"
        return Edit(step.case_id, name, Action.DROP, f"gone{was}")
    runs = plural(len(after.newest.runs), "run")
    if before is None:
        detail = f"{_level_text(name, None, after)}, {runs}"
        return Edit(step.case_id, name, Action.ADD, detail)
    other = [*_definition_changes(before, after), *_forgotten(before, after)]
    elsewhere = _machine_mismatch(before, after, environments)
    # The level of this machine stays the one to beat, unless a new epoch starts.
    added = elsewhere is not None and after.newest.epoch == before.newest.epoch
    if elsewhere is not None:
        after = replace(
            after, sessions=after.sessions[-1:]
        )  # the older ones are of the other machine
    level = Action.ADD if added else _direction(name, before, after)
    where = [] if elsewhere is None else [f"on another machine: {elsewhere}"]
    parts = (_level_text(name, before, after), runs, *other, *where)
    return Edit(step.case_id, name, Action.ACCEPT_CHANGE if other else level, ", ".join(parts))


def _forgotten(before: MetricHistory, after: MetricHistory) -> Iterator[str]:
    """Yield how many sessions are dropped beyond those that every update drops."""
    same_machine = after.newest.env in {session.env for session in before.sessions}
    newest_only = after.kind is Kind.EXACT and (
        same_machine or after.newest.epoch > before.newest.epoch
    )
    kept = 0 if newest_only else min(len(before.sessions), KEPT_SESSIONS - 1)
    lost = kept - (len(after.sessions) - 1)
    if lost > 0:
        yield f"forgets {plural(lost, 'session')}"


def _direction(name: str, before: MetricHistory, after: MetricHistory) -> Action:
    """Return the action that accepts a level: a better, a worse, or an equal one."""
    then, now = _level(name, before), _level(name, after)
    if isclose(then, now):
        return Action.ACCEPT_CHANGE
    worse = now > then if after.better is Better.LOWER else now < then
    return Action.ACCEPT_WORSE if worse else Action.ACCEPT_BETTER


def _level_text(name: str, before: MetricHistory | None, after: MetricHistory) -> str:
    """Render the step between two levels; the new one alone where they share no unit."""
    then = _level(name, before) if before is not None and before.unit == after.unit else None
    metric = replace(remembered_metric(name, after), unit=after.unit)
    return format_step(then, _level(name, after), metric)


def _level(name: str, history: MetricHistory) -> float:
    """Return the accepted level, in the metric's unit."""
    # Sessions compare the scores of samples, so their mean is the level, whatever the sessions
    # beside them contain.
    if history.samples is not None and history.kind is not Kind.SET:
        return fsum(history.samples.values) / len(history.samples.values)
    return accepted_level(history, remembered_metric(name, history))


def _machine_mismatch(
    before: MetricHistory, after: MetricHistory, environments: Mapping[str, Environment]
) -> str | None:
    """Return how the machine of the newest session differs from that of the old one, or None."""
    old = environments[before.newest.env]
    return environments[after.newest.env].mismatch(old, after.scope)


def _definition_changes(before: MetricHistory, after: MetricHistory) -> Iterator[str]:
    """Yield how the metric's definition changes: any such change could hide a regression."""
    for label, then, now in (
        ("kind", before.kind, after.kind),
        ("direction", before.better, after.better),
        ("unit", before.unit, after.unit),
        ("scope", before.scope, after.scope),
    ):
        if then != now:
            yield f"its {label} was {str(then)!r} and is {str(now)!r}"
    if before.gates != after.gates:
        yield "it gates from now on" if after.gates else "it gates no more"
    if before.samples and after.samples and {*before.samples.ids} != {*after.samples.ids}:
        yield "it is of other samples"
