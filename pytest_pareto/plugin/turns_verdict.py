"""The verdict of a session in which old and new code took turns."""

from pytest_pareto.compare.recalled import PER_BLOCK
from pytest_pareto.compare.terms import Terms
from pytest_pareto.model.run import Interleaved
from pytest_pareto.pipeline import Judged, judge_interleaved
from pytest_pareto.plugin.settings import Settings
from pytest_pareto.runs.repository import Commit


def judge_turns(
    screen: Interleaved,
    settings: Settings,
    flagged: frozenset[tuple[str, str]] = frozenset(),
    again: Interleaved | None = None,
) -> Judged:
    """Judge the new code by its turns with the old; what was flagged, by those taken again.

    A test that the old code has no result of is new, which is no failure in CI either: there
    is no baseline that somebody forgot to record.
    """
    return judge_interleaved(
        screen,
        settings.policy.accepting_nothing().without_ci(),
        Terms(settings.policy.alpha, confirming=PER_BLOCK * settings.confirm),
        expected=lambda _: True,
        flagged=flagged,
        again=again,
        notices=tuple(_failed_before(screen)),
    )


def unmeasured_side(sides: Interleaved, commit: Commit) -> str | None:
    """Say which side measured nothing at all, so that there is nothing to compare, or None."""
    for name, runs in ((str(commit), sides.old), ("the working tree", sides.new)):
        if any(run.cases for run in runs):
            continue
        failed = next((f for run in runs for f in run.failed.items()), None)
        why = f"; {failed[0]} failed: {failed[1]}" if failed is not None else ""
        return f"--pareto-against: nothing was measured of {name}, so nothing is compared{why}"
    return None


def _failed_before(sides: Interleaved) -> list[str]:
    failed = {nodeid: why for run in sides.old for nodeid, why in run.failed.items()}
    if not failed:
        return []
    nodeid, why = next(iter(failed.items()))
    tests = "1 test fails" if len(failed) == 1 else f"{len(failed)} tests fail"
    return [f"with the old code {tests}, and cannot be compared: {nodeid}: {why}"]
