"""What a session should have measured and did not: broken, missing, skipped and gone cases.

`complete` adds them to a session. `find_renames` finds what may only have another name.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from pytest_pareto.model.baseline import Baseline, MetricHistory
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.policy import Option
from pytest_pareto.model.run import Run, failure_reason, nodeid_of
from pytest_pareto.model.session_record import Changes, Judged, SessionRecord
from pytest_pareto.model.verdict import (
    CaseComparison,
    CaseVerdict,
    Failure,
    MetricResult,
    Rename,
)


def complete(changes: Changes) -> tuple[CaseComparison, ...]:
    """Return every case of a session: the compared ones, and those that were not measured.

    A compared case is broken where it was not measured in every run, where its test failed, or
    where it was flagged and could not be measured again although the confirming runs ended.
    """
    record, past = changes.record, changes.past.baseline
    flagged = record.flagged_by_case()
    compared = tuple(
        _with_failure(case, record, flagged.get(case.case_id, ())) for case in changes.comparisons
    )
    measured = {case.case_id for case in compared}
    return (
        *compared,
        *broken_cases(record, past, measured),
        *missing_cases(record, past, measured),
        *gone_cases(record),
    )


def broken_cases(
    record: SessionRecord, baseline: Baseline, measured: Collection[str]
) -> Iterator[CaseComparison]:
    """Yield the cases of the baseline whose test failed before it measured them."""
    failed = {nodeid for run in record.runs for nodeid in run.failed}
    for case_id, history in baseline.cases.items():
        nodeid = None if case_id in measured else nodeid_of(case_id, failed)
        if nodeid is not None:
            broken = failure_of(nodeid, record.runs)
            yield CaseComparison(case_id, nodeid, history.front, (), broken=broken)


def missing_cases(
    record: SessionRecord, baseline: Baseline, measured: Collection[str]
) -> Iterator[CaseComparison]:
    """Yield the cases of the baseline that no test measured, though one should have."""
    failed = {nodeid: why for run in record.runs for nodeid, why in run.failed.items()}
    finished = {nodeid for run in record.runs for nodeid in run.finished}
    for case_id, history in baseline.cases.items():
        if case_id in measured or nodeid_of(case_id, failed) is not None:
            continue
        nodeid = nodeid_of(case_id, finished) or case_id
        lack = CaseComparison(case_id, nodeid, history.front, ())
        if record.skipped(case_id):
            yield replace(lack, skipped=_SKIPPED if baseline.stored else _SKIPPED_NOW)
        elif record.expects(case_id):
            missing = _MISSING if baseline.stored else _MISSING_NOW
            if (cause := failure_reason(case_id, failed)) is not None:
                missing = f"{_UNCOLLECTED}: {cause}"
            yield replace(lack, missing=missing)


def gone_cases(record: SessionRecord) -> Iterator[CaseComparison]:
    """Yield the tests that measured with the old code, and are not among the new ones."""
    for nodeid in record.gone:
        lack = CaseComparison(nodeid, nodeid, nodeid.partition("[")[0], ())
        if record.skipped(nodeid):
            yield replace(lack, skipped=_SKIPPED_NOW)
        else:
            yield replace(lack, missing=_MISSING_NOW)


_MISSING = (
    "the baseline has this case, and no test measured it: was it renamed or removed? "
    f"Restore it, or drop it from the baseline with {Option.UPDATE}=all"
)
_MISSING_NOW = (
    "the old code has this case, and no test measured it with the new: was it renamed or removed? "
    f"{Option.MISSING}=warn lets it pass"
)
_UNCOLLECTED = "this case was measured before, and now its test could not be collected"
_SKIPPED = (
    "the baseline has this case, and its test was skipped or expected to fail: it was not judged "
    f"({Option.MISSING}=fail makes that a failure)"
)
_SKIPPED_NOW = (
    "the old code has this case, and with the new its test was skipped or expected to fail: it was "
    f"not judged ({Option.MISSING}=fail makes that a failure)"
)


def empty_session(
    record: SessionRecord, comparisons: Sequence[CaseComparison]
) -> tuple[tuple[Failure, ...], tuple[str, ...]]:
    """Return the failures and the notices of a session; one more if it measured nothing.

    None is added after other failures, or where the session was cut short, which explain why
    nothing was measured.
    """
    nothing = _nothing_measured(comparisons, record.runs)
    if nothing is None or record.cut_short or record.failures:
        return record.failures, record.notices
    if record.policy.vanished_fails:
        return (Failure(nothing),), record.notices
    return (), (*record.notices, nothing)


def _nothing_measured(comparisons: Sequence[CaseComparison], runs: Sequence[Run]) -> str | None:
    """Return the message that a session measured nothing, with the likely reason, or None."""
    judged = any(c.missing is None and c.skipped is None for c in comparisons)
    if judged or any(run.failed for run in runs):
        return None
    skipped = len({nodeid for run in runs for nodeid in run.skipped})
    reason = f"{skipped} tests were skipped" if skipped else "no test that ran measured anything"
    return (
        f"nothing was measured: {reason}. Give a test the `pareto` fixture and call "
        "pareto.measure(fn, ...), or "
        f"leave {Option.PARETO} away; {Option.MISSING}=warn lets it pass"
    )


def failure_of(nodeid: str, runs: Sequence[Run], what: str = "run") -> str | None:
    """Return the message that a test failed, in which run and why; None if it did not fail.

    ``what`` is the name of the runs in the message.
    """
    for number, run in enumerate(runs, start=1):
        if nodeid in run.failed:
            only = len(runs) == 1 and what == "run"
            where = "" if only else f" in {what} {number} of {len(runs)}"
            return f"the test failed{where}: {run.failed[nodeid]}"
    return None


def _with_failure(
    case: CaseComparison, record: SessionRecord, flagged: Collection[str]
) -> CaseComparison:
    """Return the case, broken where its test failed or did not measure it in every run."""
    broken = failure_of(case.nodeid, record.runs)
    measured = sum(case.case_id in run.cases for run in record.runs)
    if broken is None and measured < len(record.runs):
        broken = f"measured in {measured} of {len(record.runs)} runs only"
    if broken is None and record.confirmed:
        broken = _not_confirmed(case, record, flagged)
    return case if broken is None else replace(case, broken=broken)


def _not_confirmed(
    case: CaseComparison, record: SessionRecord, flagged: Collection[str]
) -> str | None:
    """Return the message that a ``flagged`` case could not be measured again, or None."""
    failure = failure_of(case.nodeid, record.again, "confirming run")
    if failure is not None or not flagged:
        return failure
    why = None
    if not any(case.case_id in run.cases for run in record.again):
        why = f"its test {_did_not(case, record.again)}"
    elif record.old_again and any(_is_lost(case.metric(name)) for name in flagged):
        failed = failure_of(case.nodeid, record.old_again, "confirming run")
        why = f"with the old code {failed or f'its test {_did_not(case, record.old_again)}'}"
    return f"it looked worse, and could not be measured again: {why}" if why else None


def _did_not(case: CaseComparison, runs: Sequence[Run]) -> str:
    """Return what the test did instead of measuring its case."""
    skipped = any(case.nodeid in run.skipped for run in runs)
    return "skipped itself" if skipped else "did not measure it"


def _is_lost(result: MetricResult | None) -> bool:
    """Return whether a flagged metric has nothing left to compare with."""
    return result is None or result.outcome in (Outcome.NEW, Outcome.ABSENT)


def find_renames(judged: Judged, baseline: Baseline) -> Iterator[Rename]:
    """Yield the tests, cases and metrics that are gone and seem to have another name now.

    A metric seems renamed to a new one of its case that has equal values; a case to a new one that
    has the same metrics, with equal values where these repeat. Where several would do, none is
    found. Nothing is renamed: what is missing stays missing.
    """
    metrics: dict[tuple[str, str, str], list[str]] = {}
    for case_id, gone, new in _renamed_metrics(judged, baseline):
        metrics.setdefault((_split(case_id)[0], gone, new), []).append(case_id)
    for (test, gone, new), cases in metrics.items():
        # One test with parameters is one offer.
        for of in [test] if len(cases) > 1 else cases:
            yield Rename(gone, new, "equal values", of)
    missing = [c.case_id for c in judged.judgement.cases if c.comparison.missing is not None]
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for old in missing:
        similar = _similar_cases(old, judged, baseline)
        if len(similar) == 1:
            (now,) = similar
            (old_test, old_rest), (new_test, new_rest) = _split(old), _split(now)
            pair = (old_test, new_test) if old_rest == new_rest else (old, now)
            found.setdefault(pair, []).append((old, now))
    for (old, now), pairs in found.items():
        whole = len(pairs) == sum(_split(case)[0] == old for case in missing)
        evidence = _evidence(pairs[0][0], baseline)
        for then, later in [(old, now)] if whole else pairs:
            yield Rename(then, later, evidence)


def _renamed_metrics(judged: Judged, baseline: Baseline) -> Iterator[tuple[str, str, str]]:
    """Yield the case id and both names of each metric that seems renamed."""
    for case in judged.judgement.cases:
        case_id, results = case.case_id, case.comparison.metrics
        history = baseline.cases.get(case_id)
        new = [r.metric for r in results if r.outcome is Outcome.NEW]
        for gone in (r.metric.name for r in results if r.outcome is Outcome.MISSING):
            past = None if history is None else history.metrics.get(gone)
            same = [m for m in new if past is not None and _is_equal(past, m, case_id, judged)]
            if len(same) == 1:
                yield case_id, gone, same[0].name


def _similar_cases(old: str, judged: Judged, baseline: Baseline) -> list[str]:
    """Return the new cases that may be the missing case ``old``, those with its parameters first.

    That is all with the same parameters and name within their test, or else all others.
    """
    similar = [
        case.case_id
        for case in judged.judgement.cases
        if case.case_id not in baseline.cases and _is_same_case(old, case, judged, baseline)
    ]
    close = [case_id for case_id in similar if _split(case_id)[1] == _split(old)[1]]
    return close or similar


def _is_same_case(old: str, case: CaseVerdict, judged: Judged, baseline: Baseline) -> bool:
    past = baseline.cases[old].metrics
    now = {r.metric.name: r.metric for r in case.comparison.metrics if r.outcome is Outcome.NEW}
    gated = {name for name, history in past.items() if history.gates}
    if not gated or gated != {name for name, metric in now.items() if metric.gates}:
        return False
    return all(
        past[name].disagreement(now[name]) is None
        and (not _repeats(past[name]) or _is_equal(past[name], now[name], case.case_id, judged))
        for name in gated
    )


def _repeats(past: MetricHistory) -> bool:
    """Return whether unchanged code gives equal values of a metric."""
    return past.kind is Kind.EXACT or past.samples is not None


def _is_equal(past: MetricHistory, metric: Metric, case_id: str, judged: Judged) -> bool:
    """Return whether a metric has in every run, or of every sample, the value that it had."""
    key = (case_id, metric.name)
    levels, samples = judged.levels.get(key, ()), judged.samples.get(key)
    if past.disagreement(metric) is not None or not levels:
        return False
    if past.samples is None or samples is None:
        return past.samples is samples and len({*levels, *past.newest.runs}) == 1
    then, now = (dict(zip(s.ids, s.values, strict=True)) for s in (past.samples, samples))
    return then == now


def _evidence(old: str, baseline: Baseline) -> str:
    metrics = baseline.cases[old].metrics
    equal = [name for name, past in metrics.items() if past.gates and _repeats(past)]
    return f"equal values of {', '.join(equal)}" if equal else "the same metrics"


def _split(case_id: str) -> tuple[str, str]:
    """Split the id of a case into its test, and its parameters and name within the test."""
    module, colons, rest = case_id.partition("::")
    end = min((at for at in map(rest.find, "[#") if at > 0), default=len(rest))
    return module + colons + rest[:end], rest[end:]
