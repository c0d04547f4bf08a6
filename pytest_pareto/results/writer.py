"""Write the JSON result files of ``--pareto-json``.

`render_json` writes a session: the results that the reports show, and the evidence for them.
`evidence_of` stores repeated content once: environments, metrics and lists of texts are in pools,
and are referred to by index.
"""

import contextlib
import json
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Generic, TypeVar

import msgspec

from pytest_pareto.model.attribution import Breakdown, what_and_place
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.session_record import SessionRecord, SessionReport
from pytest_pareto.model.verdict import CaseVerdict, Judgement, MetricResult
from pytest_pareto.results.json_schema import (
    Bounded,
    BudgetRecord,
    BudgetText,
    CaseEvidence,
    CaseRecord,
    Composed,
    ComposedPart,
    Evidence,
    Gate,
    Lacking,
    MetricEvidence,
    MetricRecord,
    Noted,
    PictureRecord,
    Places,
    Policy,
    ResultsFile,
    RunEvidence,
    RunsEvidence,
    Scored,
)

_LAYOUT_DEPTHS = {"evidence": 3}
"""How many levels of a part of the file are laid out on lines of their own; 1 by default."""


def render_json(report: SessionReport) -> str:
    """Render a session as the JSON text of its file."""
    return encode(results_of(report))


def results_of(report: SessionReport) -> ResultsFile:
    """Return the content of a session's file."""
    judgement = report.judgement
    metrics, anchor = (
        tuple(
            _metric(case, result)
            for case in judgement.cases
            for result in (case.comparison.anchor if anchored else case.comparison.metrics)
        )
        for anchored in (False, True)
    )
    return ResultsFile(
        format="pytest-pareto results",
        version=1,
        gate=_gate(judgement),
        session=report.facts,
        environment=report.environment,
        cases=tuple(map(_case, judgement.cases)),
        metrics=metrics,
        anchor=anchor,
        pictures=tuple(
            PictureRecord(p.case_id, p.metric, p.sample, p.file.as_posix()) for p in report.pictures
        ),
        evidence=None if report.record is None else evidence_of(report.record),
    )


def _gate(judgement: Judgement) -> Gate:
    return Gate(
        failed=judgement.failed,
        failures=tuple(failure.text for failure in judgement.failures),
        notices=judgement.notices,
        counts=dict(judgement.counts),
        common_modes=judgement.common_modes,
        shares=judgement.shares,
        rules=judgement.rules,
    )


def _case(case: CaseVerdict) -> CaseRecord:
    comparison, place = case.comparison, case.place
    return CaseRecord(
        case=comparison.case_id,
        nodeid=comparison.nodeid,
        front=comparison.front,
        verdict=case.verdict,
        fails=case.fails,
        notices=case.notices,
        notes=comparison.notes,
        gate=comparison.gate,
        position=place.position,
        on_front=place.on_front,
        rivals=place.rivals,
        position_reason=place.reason,
        budgets=tuple(
            BudgetRecord(b.metric, b.text, b.value, b.broken, b.reason) for b in comparison.budgets
        ),
        broken=comparison.broken,
        missing=comparison.missing,
        skipped=comparison.skipped,
        confirmed=tuple(sorted(comparison.confirmed)),
        common=case.common,
        crept=case.crept,
    )


def _metric(case: CaseVerdict, result: MetricResult) -> MetricRecord:
    metric, change, looks = result.metric, result.change, result.looks
    return MetricRecord(
        case=case.case_id,
        front=case.comparison.front,
        verdict=case.verdict,
        metric=metric.name,
        outcome=result.outcome,
        unit=metric.unit,
        better=metric.better,
        kind=metric.kind,
        scope=metric.scope,
        gates=metric.gates,
        relative=metric.relative,
        tolerance=metric.tolerance,
        give_up=metric.trade_bound,
        baseline=result.baseline,
        candidate=result.candidate,
        first=result.first,
        items=result.items,
        estimate=None if change is None else change.estimate,
        low=None if change is None else change.low,
        high=None if change is None else change.high,
        resolution=None if change is None else change.resolution,
        alpha=None if change is None else change.alpha,
        p_worse=None if change is None else change.p_worse,
        p_better=None if change is None else change.p_better,
        p_convicting=None if change is None else change.p_convicting,
        df=None if change is None else change.df,
        pairs=None if change is None else change.pairs,
        runs_to_settle=None if change is None else change.runs_to_settle,
        suspected=None if change is None else change.suspected,
        exact=None if change is None else change.exact,
        reason=result.reason if change is None else change.reason,
        unmeasured=result.unmeasured,
        for_now=result.for_now,
        confirmed=metric.name in case.comparison.confirmed,
        look=None if looks is None else looks.at,
        looks=None if looks is None else looks.planned,
        samples=None if looks is None else looks.samples,
        notes=result.notes,
        worst_ids=() if change is None else change.worst_ids,
        lower_bound=result.lower_bound,
        p_confirming=None if change is None else change.p_confirming,
        attribution=result.attribution,
    )


def encode(content: ResultsFile) -> str:
    """Render the content of a file: ASCII, one line per record, keys in the schema's order."""
    parts = [
        f"  {json.dumps(name)}: {_layout(part, _LAYOUT_DEPTHS.get(name, 1), '  ')}"
        for name, part in _members(content).items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _record_text(content: object) -> str:
    """Return content on one line.

    Plain objects are made of one record at a time: those of a whole session would take several
    times the memory of its text.
    """
    plain = msgspec.to_builtins(content)
    with contextlib.suppress(ValueError):  # of a number that is not finite
        text = json.dumps(plain, allow_nan=False)
        if "\\ud" not in text:  # nor a surrogate
            return text
    return json.dumps(_json_safe(plain), allow_nan=False)


def _json_safe(content: object) -> object:
    """Return content that any JSON reader accepts: no infinity, no NaN, no lone surrogate.

    Infinities and NaN become null. A lone surrogate, which is how Python represents bytes of file
    names that are not UTF-8, becomes a visible escape.
    """
    match content:
        case str():
            return content.encode("utf-8", "backslashreplace").decode()
        case float():
            return content if math.isfinite(content) else None
        case Mapping():
            return {_json_safe(name): _json_safe(part) for name, part in content.items()}
        case list() | tuple():
            return [_json_safe(part) for part in content]
    return content


def _layout(content: object, depth: int, indent: str = "") -> str:
    """Render records on a line each, down to ``depth`` levels, for readers and for diffs."""
    inner = f"{indent}  "
    if depth and isinstance(content, tuple) and content:
        parts = [f"{inner}{_record_text(part)}" for part in content]
        return "[\n" + ",\n".join(parts) + f"\n{indent}]"
    if depth and (members := _members(content)):
        parts = [
            f"{inner}{_record_text(name)}: {_layout(part, depth - 1, inner)}"
            for name, part in members.items()
        ]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    return _record_text(content)


def _members(content: object) -> Mapping[str, object]:
    """Return the members of a struct, a dataclass or a mapping by name; of other content none."""
    if isinstance(content, Mapping):
        return content
    if isinstance(content, msgspec.Struct):
        return msgspec.structs.asdict(content)
    if is_dataclass(content):
        return {field.name: getattr(content, field.name) for field in fields(content)}
    return {}


T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


def evidence_of(record: SessionRecord) -> Evidence:
    """Return the evidence that stores a record; noisy metrics must have one value in each run."""
    pools = _Pools()
    groups = [pools.runs(r) for r in (record.runs, record.again, record.old_runs, record.old_again)]
    runs, again, old, old_again = groups
    return Evidence(
        policy=Policy.of(record.policy),
        spreads=record.policy.spreads,
        confirming=record.policy.confirming,
        anchored=record.anchored,
        asked=record.asked,
        failures=tuple(failure.text for failure in record.failures),
        notices=record.notices,
        gone=record.gone,
        flagged=tuple(sorted(record.flagged)),
        environments=tuple(pools.environments.items),
        metrics=tuple(pools.metrics.items),
        lists=tuple(pools.lists.items),
        runs=runs,
        again=again,
        old=old,
        old_again=old_again,
    )


class _Pool(Generic[T]):
    """Items without duplicates, referred to by index."""

    def __init__(self) -> None:
        self.items: list[T] = []
        self._indices: dict[Hashable, int] = {}

    def index(self, item: T, key: Hashable) -> int:
        """Return the index of an item, and add it where its key is new."""
        if key not in self._indices:
            self._indices[key] = len(self.items)
            self.items.append(item)
        return self._indices[key]


@dataclass(frozen=True, slots=True)
class _Names:
    """The texts of the names of a case's parts: the ``number`` of their list, and their places."""

    number: int
    places: Mapping[str, int]


class _Pools:
    """The pools of one file, and the evidence that refers to them."""

    def __init__(self) -> None:
        self.environments: _Pool[Environment] = _Pool()
        self.metrics: _Pool[Metric] = _Pool()
        self.lists: _Pool[tuple[str, ...]] = _Pool()

    def runs(self, runs: Sequence[Run]) -> RunsEvidence:
        """Return the evidence of a group of runs."""
        found: dict[Hashable, list[tuple[int, CaseRun]]] = {}
        for number, run in enumerate(runs):
            for case in run.cases.values():
                found.setdefault(_case_key(case), []).append((number, case))
        return RunsEvidence(
            tuple(map(self._run, runs)), tuple(self._case(same) for same in found.values())
        )

    def _run(self, run: Run) -> RunEvidence:
        environment = run.environment
        return RunEvidence(
            self.environments.index(environment, repr(environment)),
            self._list(sorted(run.finished)),
            self._list(sorted(run.skipped)),
            dict(run.failed),
            run.block,
        )

    def _list(self, texts: Iterable[str]) -> int:
        items = tuple(texts)
        return self.lists.index(items, items)

    def _case(self, same: Sequence[tuple[int, CaseRun]]) -> CaseEvidence:
        _, case = same[0]
        by_metric: dict[Metric, list[Measurement | None]] = {}
        for index, (_, run) in enumerate(same):
            for m in run.measurements:
                by_metric.setdefault(m.metric, [None] * len(same))[index] = m
        names = self._names(same)
        return CaseEvidence(
            case.case_id,
            case.nodeid,
            case.front,
            case.source,
            tuple(number for number, _ in same),
            tuple(self._metric(metric, found, names) for metric, found in by_metric.items()),
            case.gate,
            tuple(BudgetText(budget.metric, budget.text) for budget in case.budgets),
            case.items,
        )

    def _names(self, same: Sequence[tuple[int, CaseRun]]) -> _Names:
        """Return the texts of the names of all parts of a case."""
        found = (m.breakdown for _, run in same for m in run.measurements)
        parts = {part.name for breakdown in found if breakdown for part in breakdown.parts}
        split = [what_and_place(name) for name in parts]
        texts = sorted({what for what, _ in split} | {where for _, where in split if where})
        places = {text: place for place, text in enumerate(texts)}
        return _Names(self._list(texts) if parts else 0, places)

    def _metric(
        self, metric: Metric, found: Sequence[Measurement | None], names: _Names
    ) -> MetricEvidence:
        lacking = _group_runs(found, lambda m: None if m.absent is None else (m.absent, m.broken))
        scores = _group_runs(found, lambda m: (m.ids, m.values, m.looks) if m.ids else None)
        notes = _group_runs(found, lambda m: m.notes or None)
        bounds = _group_runs(found, lambda m: m.lower_bound)
        breakdowns = _group_runs(found, lambda m: m.breakdown)
        return MetricEvidence(
            self.metrics.index(metric, metric),
            _column(found, _level),
            _column(found, lambda m: m.first),
            _column(found, lambda m: m.waited),
            tuple(
                Scored(runs, self._list(ids), values, looks)
                for (ids, values, looks), runs in scores.items()
            ),
            tuple(Lacking(runs, why, broken) for (why, broken), runs in lacking.items()),
            tuple(Noted(runs, texts) for texts, runs in notes.items()),
            tuple(Bounded(runs, without) for without, runs in bounds.items()),
            tuple(self._composed(parts, runs, names) for parts, runs in breakdowns.items()),
        )

    def _composed(self, breakdown: Breakdown, runs: Places, names: _Names) -> Composed:
        parts = []
        for part in breakdown.parts:
            what, where = what_and_place(part.name)
            place = names.places[where] if where else -1
            parts.append(ComposedPart(names.places[what], place, part.value, part.count))
        marks = self._list([breakdown.marks]) if breakdown.marks else None
        return Composed(runs, names.number, tuple(parts), breakdown.rest, breakdown.folded, marks)


def _case_key(case: CaseRun) -> Hashable:
    """Return all of a case but its measurements: runs with equal keys share one entry."""
    texts = case.case_id, case.nodeid, case.front, case.source
    return *texts, case.gate, case.budgets, case.items


def _level(measurement: Measurement) -> float | None:
    """Return the level to store, None where there is none or the scores determine it."""
    if measurement.absent is not None:
        return None
    match measurement.metric.kind:
        case Kind.SET:
            return measurement.whole
        case Kind.PAIRED | Kind.ORDINAL:
            return None  # the mean of its scores
    (level,) = measurement.values
    return level


def _column(
    found: Sequence[Measurement | None], number: Callable[[Measurement], float | None]
) -> tuple[float | None, ...]:
    """Return one number per run, or an empty column where no run has one."""
    numbers = tuple(None if m is None else number(m) for m in found)
    return numbers if any(x is not None for x in numbers) else ()


def _group_runs(
    found: Sequence[Measurement | None], content_of: Callable[[Measurement], K | None]
) -> dict[K, Places]:
    """Group runs by equal content; return the indices of the runs by content.

    Runs without a measurement, or for which ``content_of`` returns None, are left out.
    """
    groups: dict[K, Places] = {}
    for index, measurement in enumerate(found):
        content = None if measurement is None else content_of(measurement)
        if content is not None:
            groups[content] = (*groups.get(content, ()), index)
    return groups
