"""The cases that a session should have measured and did not, each with its reason."""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace

from pytest_pareto.judge.trouble import failure_of
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import Run, cause_of
from pytest_pareto.model.session_record import Circumstances
from pytest_pareto.model.verdict import CaseComparison


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
