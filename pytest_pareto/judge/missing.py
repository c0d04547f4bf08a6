"""The cases that a session should have measured and did not, each with its reason.

What broke of a case that was measured, and why it cannot be judged.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace

from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import Run, cause_of
from pytest_pareto.model.session_record import Circumstances, Confirmation
from pytest_pareto.model.verdict import CaseComparison, MetricResult


def broken_cases(
    runs: Sequence[Run], baseline: Baseline, measured: Container[str]
) -> list[CaseComparison]:
    """Name the cases of the baseline whose test failed before it measured them."""
    failed = {nodeid for run in runs for nodeid in run.failed}
    return [
        CaseComparison(case_id, nodeid, history.front, (), broken=failure_of(nodeid, runs))
        for case_id, history in baseline.cases.items()
        if case_id not in measured and (nodeid := _test_of(case_id, failed)) is not None
    ]


def missing_cases(
    runs: Sequence[Run],
    baseline: Baseline,
    measured: Container[str],
    expected: Callable[[str], bool],
    skipped: Callable[[str], bool],
) -> list[CaseComparison]:
    """Name the cases of the baseline that no test measured, though one should have."""
    failed = {nodeid: why for run in runs for nodeid, why in run.failed.items()}
    finished = {nodeid for run in runs for nodeid in run.finished}
    comparisons = []
    for case_id, history in baseline.cases.items():
        if case_id in measured or _test_of(case_id, set(failed)) is not None:
            continue
        nodeid = _test_of(case_id, finished) or case_id
        lack = CaseComparison(case_id, nodeid, history.front, ())
        if skipped(case_id):
            comparisons.append(replace(lack, skipped=_SKIPPED if baseline.stored else _SKIPPED_NOW))
        elif expected(case_id):
            missing = _MISSING if baseline.stored else _MISSING_NOW
            if (cause := cause_of(case_id, failed)) is not None:
                missing = f"{_UNCOLLECTED}: {cause}"
            comparisons.append(replace(lack, missing=missing))
    return comparisons


def gone_cases(nodeids: Iterable[str], skipped: Callable[[str], bool]) -> list[CaseComparison]:
    """Name the tests that measure as of the old code, and are not among the new ones."""
    lacks = [CaseComparison(test, test, test.partition("[")[0], ()) for test in nodeids]
    return [
        replace(lack, skipped=_SKIPPED_NOW)
        if skipped(lack.nodeid)
        else replace(lack, missing=_MISSING_NOW)
        for lack in lacks
    ]


_MISSING = (
    "the baseline has this case, and no test measured it: was it renamed or removed? "
    "Restore it, or drop it from the baseline with --pareto-update=all"
)
_MISSING_NOW = (
    "the old code has this case, and no test measured it with the new: was it renamed or removed? "
    "--pareto-missing=warn lets it pass"
)
_UNCOLLECTED = "this case was measured before, and now its test could not be collected"
_SKIPPED = (
    "the baseline has this case, and its test was skipped or expected to fail: it was not judged "
    "(--pareto-missing=fail makes that a failure)"
)
_SKIPPED_NOW = (
    "the old code has this case, and with the new its test was skipped or expected to fail: it was "
    "not judged (--pareto-missing=fail makes that a failure)"
)


def told_of_session(
    around: Circumstances,
    comparisons: Sequence[CaseComparison],
    runs: Sequence[Run],
    policy: Policy,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the failures and the notices of the session, with what its emptiness adds."""
    nothing = _nothing_measured(comparisons, runs)
    if nothing is None or around.cut_short or around.failures:
        return around.failures, around.notices
    if policy.vanished_fails:
        return (nothing,), around.notices
    return (), (*around.notices, nothing)


def _nothing_measured(comparisons: Sequence[CaseComparison], runs: Sequence[Run]) -> str | None:
    """Say that a session measured nothing at all, and why it seems; None if it did."""
    judged = any(c.missing is None and c.skipped is None for c in comparisons)
    if judged or any(run.failed for run in runs):
        return None
    skipped = len({nodeid for run in runs for nodeid in run.skipped})
    why = f"{skipped} tests were skipped" if skipped else "no test that ran measured anything"
    return (
        f"nothing was measured: {why}. Give a test the `pareto` fixture and call "
        "pareto.measure(fn, ...), or leave --pareto away; --pareto-missing=warn lets it pass"
    )


def _test_of(case_id: str, nodeids: set[str]) -> str | None:
    if case_id in nodeids:
        return case_id
    return next((n for n in nodeids if case_id.startswith(f"{n}#")), None)


def failure_of(nodeid: str, runs: Sequence[Run], what: str = "run") -> str | None:
    """Say in which of the runs, called ``what``, a test failed and why; None if it did not."""
    for number, run in enumerate(runs, start=1):
        if nodeid in run.failed:
            only = len(runs) == 1 and what == "run"
            where = "" if only else f" in {what} {number} of {len(runs)}"
            return f"the test failed{where}: {run.failed[nodeid]}"
    return None


def with_trouble(
    case: CaseComparison, measured: int, runs: Sequence[Run], confirmation: Confirmation | None
) -> CaseComparison:
    """Return a case that ``measured`` of the ``runs`` measured, broken where it cannot be judged.

    So is one that looked worse and was not measured again, though the runs for that came to
    their end.
    """
    trouble = _incomplete(case, measured, runs)
    if trouble is None and confirmation is not None:
        trouble = _not_confirmed(case, confirmation)
    return case if trouble is None else replace(case, broken=trouble)


def _incomplete(case: CaseComparison, measured: int, runs: Sequence[Run]) -> str | None:
    failure = failure_of(case.nodeid, runs)
    if failure is None and measured < len(runs):
        return f"measured in {measured} of {len(runs)} runs only"
    return failure


def _not_confirmed(case: CaseComparison, confirmation: Confirmation) -> str | None:
    flagged = confirmation.flagged_of(case.case_id)
    runs, old_runs = confirmation.runs, confirmation.old_runs
    failure = failure_of(case.nodeid, runs, "confirming run")
    if failure is not None or not flagged:
        return failure
    why = None
    if runs and not any(case.case_id in run.cases for run in runs):
        why = f"its test {_did_not(case, runs)}"
    elif old_runs and any(_is_lost(case.metric(name)) for name in flagged):
        failed = failure_of(case.nodeid, old_runs, "confirming run")
        why = f"with the old code {failed or f'its test {_did_not(case, old_runs)}'}"
    return f"it looked worse, and could not be measured again: {why}" if why else None


def _did_not(case: CaseComparison, runs: Sequence[Run]) -> str:
    skipped = any(case.nodeid in run.skipped for run in runs)
    return "skipped itself" if skipped else "did not measure it"


def _is_lost(result: MetricResult | None) -> bool:
    """Whether a metric that looked worse has nothing to be compared with any more."""
    return result is None or result.outcome in (Outcome.NEW, Outcome.ABSENT)
