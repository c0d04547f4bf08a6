"""A candidate: what an update would write after this session, kept until somebody accepts it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from pytest_pareto.baseline.codec import history_key
from pytest_pareto.baseline.edits import Action, Edit, UpdateMode, plan_update
from pytest_pareto.model.baseline import Baseline, CaseHistory, Samples
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.run import CaseRun
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Verdict


@dataclass(frozen=True, slots=True)
class OfferedChange:
    """What accepting does to one metric.

    ``against`` stands for the baseline's entry that the session was judged by, None where it had
    none. Where ``only_named``, it takes the case's name: what contradicts the baseline or is gone.
    """

    action: Action
    against: str | None
    only_named: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """What a session has to offer of one case, by metric name.

    ``left_out`` says of changed metrics why they cannot be accepted, and ``lack`` why nothing can.
    """

    nodeid: str
    verdict: Verdict
    fails: bool
    changes: Mapping[str, OfferedChange] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    lack: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What could be accepted of a session: ``content`` has the new entries, and no others.

    ``refused`` says why nothing can: what was cut short measured something else than asked.
    ``of`` is the folder of the baseline that it was judged by, relative to the root.
    """

    hardware_key: str
    offers: Mapping[str, Offer]
    content: Baseline
    refused: str = ""
    of: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a session measured, as `plan_update` takes it."""

    judgement: Judgement
    runs: Mapping[str, tuple[CaseRun, ...]]
    levels: Mapping[tuple[str, str], tuple[float, ...]]
    samples: Mapping[tuple[str, str], Samples]
    environment: Environment


def plan_candidate(baseline: Baseline, measured: Measured, of: str = "") -> Candidate:
    """Return what an update would write, case by case, without another session of the unchanged."""
    judgement = measured.judgement
    gone = frozenset(c.case_id for c in judgement.cases if c.comparison.missing is not None)
    after, edits = _plan(baseline, measured, UpdateMode.ALL, gone)
    freely = {(e.case_id, e.metric) for e in _plan(baseline, measured, UpdateMode.CHANGED)[1]}
    by_case: dict[str, list[Edit]] = {}
    for edit in edits:
        if edit.action is not Action.APPEND:
            by_case.setdefault(edit.case_id, []).append(edit)
    offers, cases = {}, {}
    for verdict in judgement.cases:
        case_id = verdict.case_id
        own = by_case.get(case_id, [])
        changes = {
            edit.metric: OfferedChange(
                edit.action,
                _against(baseline, edit),
                only_named=(case_id, edit.metric) not in freely,
            )
            for edit in own
        }
        offers[case_id] = _offer(verdict, changes)
        written = [edit.metric for edit in own if edit.action is not Action.DROP]
        if written:
            cases[case_id] = _part(after.cases[case_id], written)
    content = replace(after, cases=cases, elsewhere={})
    return Candidate(baseline.hardware_key, offers, content, of=of)


def refused_candidate(hardware_key: str, why: str, of: str = "") -> Candidate:
    """Return the candidate of a session of which nothing can be accepted."""
    return Candidate(hardware_key, {}, Baseline(hardware_key, {}, {}), why, of)


def _plan(
    baseline: Baseline,
    measured: Measured,
    mode: UpdateMode,
    gone: frozenset[str] = frozenset(),
) -> tuple[Baseline, tuple[Edit, ...]]:
    return plan_update(
        baseline,
        measured.judgement,
        measured.runs,
        measured.levels,
        measured.samples,
        measured.environment,
        mode,
        prune=gone,
    )


def _against(baseline: Baseline, edit: Edit) -> str | None:
    case = baseline.cases.get(edit.case_id)
    history = None if case is None else case.metrics.get(edit.metric)
    return None if history is None else history_key(history)


def _part(case: CaseHistory, metrics: list[str]) -> CaseHistory:
    return replace(case, metrics={name: case.metrics[name] for name in metrics})


def _offer(verdict: CaseVerdict, changes: Mapping[str, OfferedChange]) -> Offer:
    comparison = verdict.comparison
    lack = comparison.broken or comparison.skipped or ""
    left_out = {} if lack else dict(_left_out(verdict, changes))
    fails = bool(verdict.fails)
    return Offer(comparison.nodeid, verdict.verdict, fails, changes, left_out, lack)


def _left_out(
    verdict: CaseVerdict, changes: Mapping[str, OfferedChange]
) -> Iterator[tuple[str, str]]:
    for result in verdict.comparison.metrics:
        name, looks = result.metric.name, result.looks
        changed = result.outcome in (Outcome.WORSE, Outcome.BETTER, Outcome.BROKEN)
        if name in changes or not changed or not result.metric.gates:
            continue
        if looks is not None and not looks.complete:
            yield name, f"it stopped early, with {looks.used} of {looks.samples} samples"
        else:
            yield name, result.reason or "it has no level to be compared with later"
