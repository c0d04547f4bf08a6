"""What accepting writes, told from both entries: an artifact's own words prove nothing."""

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
    """Return what was accepted as edits: what each really does, from which level to which."""
    environments = accepted.after.environments
    return tuple(_edit(step, environments) for step in accepted.steps)


def moved_fronts(before: Baseline, accepted: Accepted) -> Iterator[str]:
    """Say which cases are on another front from now on."""
    for case_id in dict.fromkeys(step.case_id for step in accepted.steps):
        old, new = before.cases.get(case_id), accepted.after.cases.get(case_id)
        if old is not None and new is not None and old.front != new.front:
            yield f"{case_id}: its front was {old.front} and is {new.front}"


def _edit(step: Step, environments: Mapping[str, Environment]) -> Edit:
    name, before, after = step.metric, step.before, step.after
    if after is None:
        was = "" if before is None else f", was {_level_words(name, None, before)}"
        return Edit(step.case_id, name, Action.DROP, f"gone{was}")
    runs = plural(len(after.newest.runs), "run")
    if before is None:
        detail = f"{_level_words(name, None, after)}, {runs}"
        return Edit(step.case_id, name, Action.ADD, detail)
    other = [*_other_nature(before, after), *_forgotten(before, after)]
    elsewhere = _elsewhere(before, after, environments)
    # The level here stays the one to beat, unless a new epoch says otherwise.
    added = elsewhere is not None and after.newest.epoch == before.newest.epoch
    if elsewhere is not None:
        after = replace(after, sessions=after.sessions[-1:])  # the others are of that machine
    level = Action.ADD if added else _direction(name, before, after)
    where = [] if elsewhere is None else [f"on another machine: {elsewhere}"]
    parts = (_level_words(name, before, after), runs, *other, *where)
    return Edit(step.case_id, name, Action.ACCEPT_CHANGE if other else level, ", ".join(parts))


def _forgotten(before: MetricHistory, after: MetricHistory) -> Iterator[str]:
    """Say of how many sessions nothing is left, beyond what any update forgets."""
    here = after.newest.env in {session.env for session in before.sessions}
    alone = after.kind is Kind.EXACT and (here or after.newest.epoch > before.newest.epoch)
    kept = 0 if alone else min(len(before.sessions), KEPT_SESSIONS - 1)
    lost = kept - (len(after.sessions) - 1)
    if lost > 0:
        yield f"forgets {plural(lost, 'session')}"


def _direction(name: str, before: MetricHistory, after: MetricHistory) -> Action:
    then, now = _level(name, before), _level(name, after)
    if isclose(then, now):
        return Action.ACCEPT_CHANGE
    worse = now > then if after.better is Better.LOWER else now < then
    return Action.ACCEPT_WORSE if worse else Action.ACCEPT_BETTER


def _level_words(name: str, before: MetricHistory | None, after: MetricHistory) -> str:
    then = _level(name, before) if before is not None and before.unit == after.unit else None
    metric = replace(remembered_metric(name, after), unit=after.unit)
    return format_step(then, _level(name, after), metric)


def _level(name: str, history: MetricHistory) -> float:
    # Sessions compare the scores of samples, so these are the level, whatever stands beside them.
    if history.samples is not None and history.kind is not Kind.SET:
        return fsum(history.samples.values) / len(history.samples.values)
    return accepted_level(history, remembered_metric(name, history))


def _elsewhere(
    before: MetricHistory, after: MetricHistory, environments: Mapping[str, Environment]
) -> str | None:
    there = environments[before.newest.env]
    return environments[after.newest.env].mismatch(there, after.scope)


def _other_nature(before: MetricHistory, after: MetricHistory) -> Iterator[str]:
    """Say what else than the level is another: any of these could hide a regression."""
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
