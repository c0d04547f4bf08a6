"""The judgement of an interleaved session.

`conclude_interleaved` judges an `InterleavedRuns` and finishes the session. Differences between
the legs, and tests that failed with the old code, become notices: they fail nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Scope
from pytest_pareto.model.policy import RUNS_PER_BLOCK
from pytest_pareto.model.run import Interleaved, Run
from pytest_pareto.model.session_record import (
    Judged,
    SessionFacts,
    SessionRecord,
    SessionReport,
)
from pytest_pareto.model.verdict import Failure, Judgement
from pytest_pareto.pipeline import judge_record
from pytest_pareto.plugin.conclusion import finish
from pytest_pareto.plugin.settings import Selection, Settings
from pytest_pareto.runs.git import Commit
from pytest_pareto.runs.legs import Side

_MAX_NAMED_FILES = 3


@dataclass(frozen=True, slots=True)
class InterleavedRuns:
    """The runs of both sides: those that screened, and those that measured again what was flagged.

    ``flagged`` are pairs of case id and metric name. ``gone`` are tests that only the ref has.
    ``data`` are files of the project that differ between the sides and are not code. ``notices``
    are notices of the session. It took ``confirming_s`` to measure again.
    """

    screen: Interleaved
    flagged: frozenset[tuple[str, str]] = frozenset()
    again: Interleaved | None = None
    gone: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    confirming_s: float | None = None


def interleaved_record(
    interleaved: InterleavedRuns,
    settings: Settings,
    selection: Selection,
    failures: tuple[Failure, ...] = (),
) -> SessionRecord:
    """Return the session record of both legs: their runs, and the policy that judges them.

    A test for which the old code has no result is new. That is no failure in CI either: there is
    no baseline that somebody forgot to record.
    """
    again = interleaved.again or Interleaved((), ())
    policy = settings.policy.accepting_nothing().without_ci()
    return SessionRecord(
        interleaved.screen.new,
        replace(policy, confirming=RUNS_PER_BLOCK * policy.confirming),
        selection.asked,
        flagged=interleaved.flagged,
        again=again.new,
        old_runs=interleaved.screen.old,
        old_again=again.old,
        failures=failures,
        notices=(
            *failed_before(interleaved.screen.old),
            *failed_before(again.old, again=True),
            *_host_differences(interleaved.screen),
            *_changed_data_notices(interleaved.data, settings),
            *_anchor_notices(settings),
            *interleaved.notices,
        ),
        gone=() if selection.stopped is not None else interleaved.gone,
    )


def judge_interleaved(
    interleaved: InterleavedRuns, settings: Settings, selection: Selection
) -> Judged:
    """Judge the new code against the old code of the same session."""
    return judge_record(interleaved_record(interleaved, settings, selection))


def conclude_interleaved(
    session: pytest.Session,
    interleaved: InterleavedRuns | None,
    settings: Settings,
    selection: Selection,
    failures: tuple[Failure, ...],
    commit: Commit,
    duration_s: float,
) -> SessionReport:
    """Judge an interleaved session and return its report; None for ``interleaved`` is a failure."""
    facts = SessionFacts(
        baseline_path="",
        hardware_key="",
        baseline_sessions=1,
        baseline_runs=0 if interleaved is None else len(interleaved.screen.old),
        runs=0 if interleaved is None else len(interleaved.screen.new),
        duration_s=duration_s,
        partial=selection.partial,
        stopped=selection.stopped,
        confirmed=settings.policy.confirming > 0 and selection.stopped is None and not failures,
        suspects=None if interleaved is None else _confirmation_text(interleaved),
        gpus=0 if interleaved is None else len(interleaved.screen.new[-1].environment.boards),
        confirming_s=None if interleaved is None else interleaved.confirming_s,
        ref=commit.short,
        against=str(commit),
    )
    if interleaved is None:
        stopped = selection.stopped or "the session ended early"
        nothing = f"--pareto-against: nothing was compared with {commit}: {stopped}"
        return SessionReport(Judgement((), failures or (Failure(nothing),)), facts)
    record = interleaved_record(interleaved, settings, selection, failures)
    judged = judge_record(record)
    return finish(session, settings, selection, record, judged, None, facts)


def unmeasured_side(sides: Interleaved, commit: Commit) -> str | None:
    """Return a message naming the side that measured nothing at all; None where both did."""
    for name, runs in ((str(commit), sides.old), ("the working tree", sides.new)):
        if any(run.cases for run in runs):
            continue
        failed = next((f for run in runs for f in run.failed.items()), None)
        why = f"; {failed[0]} failed: {failed[1]}" if failed is not None else ""
        return f"--pareto-against: nothing was measured of {name}, so nothing is compared{why}"
    return None


def _host_differences(sides: Interleaved) -> list[str]:
    """Return notices of host facts that differ between the legs.

    Both ran on one machine, so the code causes such a difference.
    """
    old, new = (runs[-1].environment.scope_facts(Scope.HOST) for runs in (sides.old, sides.new))
    return [
        f"{name} is {old.get(name)} with the old code and {new.get(name)} with the new"
        for name in old | new
        if old.get(name) != new.get(name)
    ]


def _changed_data_notices(data: tuple[str, ...], settings: Settings) -> list[str]:
    """Return a notice of changed data files, which tests may read by a path of their own folder.

    Such tests read the same file on both sides.
    """
    if not data:
        return []
    of_ref = settings.against is not None and settings.against.tests_of is Side.REF
    whose = "the ref's" if of_ref else "the working tree's"
    more = f" and {len(data) - _MAX_NAMED_FILES} more" if len(data) > _MAX_NAMED_FILES else ""
    what = f"{', '.join(data[:_MAX_NAMED_FILES])}{more}: changed, but no code, so not in the proof"
    return [f"{what}; tests that read such a file by a path of theirs get {whose} on both sides"]


def _anchor_notices(settings: Settings) -> list[str]:
    notice = "the anchor is not compared with: with --pareto-against nothing stored is"
    return [notice] if settings.anchor_dir is not None else []


def _confirmation_text(interleaved: InterleavedRuns) -> str | None:
    if interleaved.again is None:
        return None
    cases = plural(len({case_id for case_id, _ in interleaved.flagged}), "case")
    again = interleaved.again
    kind = "pair" if again.runs_per_block == 1 else "block"
    return f"{cases} measured again in {plural(again.blocks, kind)}"


def failed_before(runs: Sequence[Run], *, again: bool = False) -> list[str]:
    """Return notices of what failed in runs of the old code: in all of them, or in some.

    ``again`` is whether these are the runs that measured again what was flagged.
    """
    counts = Counter(nodeid for run in runs for nodeid in run.failed)
    why = {nodeid: reason for run in runs for nodeid, reason in run.failed.items()}
    always = sorted(nodeid for nodeid, count in counts.items() if count == len(runs))
    old = "the old code, measured again," if again else "the old code"
    notices = []
    if always:
        noun = "test" if any("::" in nodeid for nodeid in always) else "module"
        what = f"1 {noun} fails" if len(always) == 1 else f"{len(always)} {noun}s fail"
        first = f"{always[0]}: {why[always[0]]}"
        notices.append(f"with {old} {what}, and cannot be compared: {first}")
    sometimes = sorted(counts.keys() - set(always))
    if sometimes:
        nodeid = sometimes[0]
        more = f" (and {len(sometimes) - 1} more)" if len(sometimes) > 1 else ""
        notices.append(
            f"with {old} {nodeid}{more} fails in {counts[nodeid]} of {len(runs)} runs, and is "
            f"compared with the others: {why[nodeid]}"
        )
    return notices
