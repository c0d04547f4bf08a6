"""The verdict of a session in which old and new code took turns.

What failed with the old code: it fails nothing now, and has to be told all the same.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Scope
from pytest_pareto.model.policy import PER_BLOCK
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

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Turns:
    """What both sides measured, and, of what then looked worse, what they measured again.

    ``gone`` are tests that only the ref has; ``data`` are files of the project that differ
    between them and are no code; ``notices`` are told of the session.
    """

    screen: Interleaved
    flagged: frozenset[tuple[str, str]] = frozenset()
    again: Interleaved | None = None
    gone: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def record_turns(
    turns: Turns,
    settings: Settings,
    selection: Selection,
    failures: tuple[Failure, ...] = (),
) -> SessionRecord:
    """Return what both legs measured, and how it is judged.

    A test that the old code has no result of is new, which is no failure in CI either: there
    is no baseline that somebody forgot to record.
    """
    again = turns.again or Interleaved((), ())
    policy = settings.policy.accepting_nothing().without_ci()
    return SessionRecord(
        turns.screen.new,
        replace(policy, confirming=PER_BLOCK * policy.confirming),
        selection.asked,
        flagged=turns.flagged,
        again=again.new,
        old_runs=turns.screen.old,
        old_again=again.old,
        failures=failures,
        notices=(
            *failed_before(turns.screen.old),
            *failed_before(again.old, again=True),
            *_other_conditions(turns.screen),
            *_other_data(turns.data, settings),
            *_without_anchor(settings),
            *turns.notices,
        ),
        gone=() if selection.stopped is not None else turns.gone,
    )


def judge_turns(turns: Turns, settings: Settings, selection: Selection) -> Judged:
    """Judge the new code by its turns with the old."""
    return judge_record(record_turns(turns, settings, selection))


def conclude_turns(
    session: pytest.Session,
    turns: Turns | None,
    settings: Settings,
    selection: Selection,
    failures: tuple[Failure, ...],
    commit: Commit,
    duration_s: float,
) -> SessionReport:
    """Judge an interleaved session and finish it; without ``turns`` it has failed."""
    facts = SessionFacts(
        baseline_path="",
        hardware_key="",
        baseline_sessions=1,
        baseline_runs=0 if turns is None else len(turns.screen.old),
        runs=0 if turns is None else len(turns.screen.new),
        duration_s=duration_s,
        partial=selection.partial,
        stopped=selection.stopped,
        confirmed=settings.policy.confirming > 0 and selection.stopped is None and not failures,
        suspects=None if turns is None else _suspects(turns),
        ref=commit.short,
        against=str(commit),
    )
    if turns is None:
        stopped = selection.stopped or "the session ended early"
        nothing = f"--pareto-against: nothing was compared with {commit}: {stopped}"
        return SessionReport(Judgement((), failures or (Failure(nothing),)), facts)
    record = record_turns(turns, settings, selection, failures)
    judged = judge_record(record)
    return finish(session, settings, selection, record, judged, None, facts)


def unmeasured_side(sides: Interleaved, commit: Commit) -> str | None:
    """Say which side measured nothing at all, so that there is nothing to compare, or None."""
    for name, runs in ((str(commit), sides.old), ("the working tree", sides.new)):
        if any(run.cases for run in runs):
            continue
        failed = next((f for run in runs for f in run.failed.items()), None)
        why = f"; {failed[0]} failed: {failed[1]}" if failed is not None else ""
        return f"--pareto-against: nothing was measured of {name}, so nothing is compared{why}"
    return None


def _other_conditions(sides: Interleaved) -> list[str]:
    """Tell what differs between the legs' machines: on one machine that is the code's doing."""
    old, new = (runs[-1].environment.scope_facts(Scope.HOST) for runs in (sides.old, sides.new))
    return [
        f"{name} is {old.get(name)} with the old code and {new.get(name)} with the new"
        for name in old | new
        if old.get(name) != new.get(name)
    ]


def _other_data(data: tuple[str, ...], settings: Settings) -> list[str]:
    """Tell what tests may have read by a path from their own folder, the same on both sides."""
    if not data:
        return []
    of_ref = settings.against is not None and settings.against.tests_of is Side.REF
    whose = "the ref's" if of_ref else "the working tree's"
    more = f" and {len(data) - _NAMED} more" if len(data) > _NAMED else ""
    what = f"{', '.join(data[:_NAMED])}{more}: changed, but no code, so not in the proof"
    return [f"{what}; tests that read such a file by a path of theirs get {whose} on both sides"]


def _without_anchor(settings: Settings) -> list[str]:
    lack = "the anchor is not compared with: with --pareto-against nothing stored is"
    return [lack] if settings.anchor_dir is not None else []


def _suspects(turns: Turns) -> str | None:
    if turns.again is None:
        return None
    cases = plural(len({case_id for case_id, _ in turns.flagged}), "case")
    blocks = plural(len(turns.again.new) // PER_BLOCK, "block")
    return f"{cases} measured again in {blocks}"


def failed_before(runs: Sequence[Run], *, again: bool = False) -> list[str]:
    """Tell of what failed in runs of the old code, always or now and then, and how often.

    ``again`` is whether these are the runs that measured suspects again.
    """
    often = Counter(nodeid for run in runs for nodeid in run.failed)
    why = {nodeid: said for run in runs for nodeid, said in run.failed.items()}
    always = sorted(nodeid for nodeid, count in often.items() if count == len(runs))
    old = "the old code, measured again," if again else "the old code"
    told = []
    if always:
        noun = "test" if any("::" in nodeid for nodeid in always) else "module"
        what = f"1 {noun} fails" if len(always) == 1 else f"{len(always)} {noun}s fail"
        first = f"{always[0]}: {why[always[0]]}"
        told.append(f"with {old} {what}, and cannot be compared: {first}")
    seldom = sorted(often.keys() - set(always))
    if seldom:
        nodeid, more = seldom[0], f" (and {len(seldom) - 1} more)" if len(seldom) > 1 else ""
        told.append(
            f"with {old} {nodeid}{more} fails in {often[nodeid]} of {len(runs)} runs, and is "
            f"compared with the others: {why[nodeid]}"
        )
    return told
