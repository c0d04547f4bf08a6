"""What became of a planted regression: red as before, reported by name, or passed in silence.

The oracle compares what the product decided with what was planted, metric by metric, so that one
metric that is red does not hide another that has turned green.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from enum import StrEnum

from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.verdict import CaseVerdict, Judgement, MetricResult, RuleKind

Pair = tuple[str, str]
"""A case's id and a metric's name."""

_PASSES = (Outcome.UNCHANGED, Outcome.NOT_WORSE, Outcome.BETTER, Outcome.ABSENT)


class Fate(StrEnum):
    """What became of one fault, in the order of how bad it is."""

    OLD = "old"
    NEW = "new"
    RED = "red"
    REFUSED = "refused"
    REPORTED = "reported"
    CONSISTENT = "consistent"
    UNREPORTED = "without a report"
    UNNAMED = "unnamed"
    SILENT = "silent"
    TORN = "torn"
    TRACEBACK = "traceback"


_SEVERITY = {fate: number for number, fate in enumerate(Fate)}


def worst(fates: Iterable[Fate]) -> Fate:
    """Return the worst of several fates; RED of none."""
    return max(fates, key=_SEVERITY.__getitem__, default=Fate.RED)


def planted(judgement: Judgement) -> frozenset[Pair]:
    """Return the metrics that are worse, of cases that fail."""
    return frozenset(
        (case.case_id, result.metric.name)
        for case in judgement.cases
        if case.fails
        for result in case.comparison.results(Outcome.WORSE)
    )


def fates(
    judgement: Judgement,
    pairs: Iterable[Pair],
    rewritten: Callable[[Pair], bool],
    *,
    partial: bool = False,
    known: frozenset[str] = frozenset(),
) -> Fate:
    """Return the worst fate of planted regressions in a judgement.

    ``rewritten`` is whether all that says a pair's level was changed, as by a person who means it.
    ``partial`` is whether the report says that not all was selected. ``known`` are the notices that
    a session without a fault has.
    """
    cases = {case.case_id: case for case in judgement.cases}
    new = " ".join({*judgement.notices} - known)
    found = []
    for pair in pairs:
        case = cases.get(pair[0])
        if case is None:
            found.append(Fate.REPORTED if partial or judgement.failures else Fate.SILENT)
        else:
            found.append(_fate(judgement, case, pair, new, rewritten))
    return worst(found)


def _fate(
    judgement: Judgement, case: CaseVerdict, pair: Pair, new: str, rewritten: Callable[[Pair], bool]
) -> Fate:
    result = case.comparison.metric(pair[1])
    if result is None:
        return Fate.REPORTED if case.fails or case.notices else Fate.SILENT
    if result.outcome is Outcome.WORSE:
        return Fate.RED if judgement.failed else Fate.REPORTED
    edited = {(rule.case, rule.name) for rule in judgement.rules if rule.kind is RuleKind.EDITED}
    if result.outcome not in _PASSES or pair in edited or _is_named(result, case, pair, new):
        return Fate.REPORTED
    return Fate.CONSISTENT if rewritten(pair) else Fate.SILENT


def _is_named(result: MetricResult, case: CaseVerdict, pair: Pair, new: str) -> bool:
    """Return whether a text of the report names what was done to this metric's past."""
    notices = " ".join([new, *case.notices, *result.notes])
    return "by hand" in notices and (pair[1] in notices or pair[0] in notices)


def crept(judgement: Judgement) -> frozenset[Pair]:
    """Return the metrics that are worse than the anchor."""
    return frozenset((case.case_id, name) for case in judgement.cases for name in case.crept)


def anchor_fates(
    judgement: Judgement,
    pairs: Iterable[Pair],
    rewritten: Callable[[Pair], bool],
    known: frozenset[str],
) -> Fate:
    """Return the worst fate of what had crept since the anchor, as `fates` does."""
    now, cases = crept(judgement), {case.case_id: case for case in judgement.cases}
    reported = bool({*judgement.notices} - known)
    found = []
    for pair in pairs:
        case = cases.get(pair[0])
        results = () if case is None else case.comparison.anchor
        result = next((r for r in results if r.metric.name == pair[1]), None)
        if pair in now:
            found.append(Fate.RED if judgement.failed else Fate.REPORTED)
        elif result is None or result.outcome not in _PASSES:
            found.append(Fate.REPORTED if reported or result is not None else Fate.SILENT)
        else:
            found.append(Fate.CONSISTENT if rewritten(pair) else Fate.SILENT)
    return worst(found)


Levels = Mapping[Pair, tuple[Hashable, Hashable]]
"""What says the level of each metric: its sessions, and its scores per sample."""


def levels_of(baseline: Baseline) -> Levels:
    """Return all that a baseline says of each metric's level."""
    return {
        (case_id, name): (
            tuple((s.epoch, s.runs, s.reference) for s in history.sessions),
            None if history.samples is None else history.samples.values,
        )
        for case_id, case in baseline.cases.items()
        for name, history in case.metrics.items()
    }


def rewritten_since(before: Levels, after: Levels) -> Callable[[Pair], bool]:
    """Return whether all that says a level was changed, by pair: sessions, and scores if any."""

    def is_rewritten(pair: Pair) -> bool:
        if pair not in after:
            return False
        (runs, samples), (new_runs, new_samples) = before[pair], after[pair]
        return runs != new_runs and (samples is None or samples != new_samples)

    return is_rewritten


def evidence_of(record: SessionRecord, pair: Pair) -> Hashable:
    """Return all that a session's record says of one metric, and the policy it is judged by."""
    measured = tuple(
        (repr(case.measurement(pair[1])), case.gate) if case is not None else None
        for run in (*record.runs, *record.again)
        for case in [run.cases.get(pair[0])]
    )
    environments = tuple(repr(run.environment) for run in record.runs)
    return measured, environments, repr(record.policy), pair in record.flagged
