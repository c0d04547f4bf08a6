"""What broke of a case that was measured, and why it cannot be judged."""

from collections.abc import Sequence
from dataclasses import replace

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import Confirmation
from pytest_pareto.model.verdict import CaseComparison, MetricResult


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
