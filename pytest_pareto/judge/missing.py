"""What a session should have measured and did not: broken, missing, skipped and gone cases."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.policy import Option
from pytest_pareto.model.run import Run, failure_reason
from pytest_pareto.model.session_record import Changes, SessionRecord
from pytest_pareto.model.verdict import CaseComparison, Failure, MetricResult


def complete(changes: Changes) -> tuple[CaseComparison, ...]:
    """Return every case of a session: the compared ones, and those that were not measured.

    A compared case is broken where it was not measured in every run, where its test failed, or
    where it was flagged and could not be measured again although the confirming runs ended.
    """
    record, past = changes.record, changes.past.baseline
    compared = tuple(_with_failure(case, record) for case in changes.comparisons)
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
        nodeid = None if case_id in measured else _test_of(case_id, failed)
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
        if case_id in measured or _test_of(case_id, set(failed)) is not None:
            continue
        nodeid = _test_of(case_id, finished) or case_id
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


def _test_of(case_id: str, nodeids: set[str]) -> str | None:
    """Return the node id among ``nodeids`` of the test that measures a case, or None."""
    if case_id in nodeids:
        return case_id
    return next((n for n in nodeids if case_id.startswith(f"{n}#")), None)


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


def _with_failure(case: CaseComparison, record: SessionRecord) -> CaseComparison:
    """Return the case, broken where its test failed or did not measure it in every run."""
    broken = failure_of(case.nodeid, record.runs)
    measured = sum(case.case_id in run.cases for run in record.runs)
    if broken is None and measured < len(record.runs):
        broken = f"measured in {measured} of {len(record.runs)} runs only"
    if broken is None and record.confirmed:
        broken = _not_confirmed(case, record)
    return case if broken is None else replace(case, broken=broken)


def _not_confirmed(case: CaseComparison, record: SessionRecord) -> str | None:
    """Return the message that a flagged case could not be measured again, or None."""
    flagged = record.flagged_of(case.case_id)
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
