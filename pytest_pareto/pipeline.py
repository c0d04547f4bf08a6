"""The pipeline from a session record to its judgement: levels, pairs, changes, judgement.

`judge_record` is the only path to a verdict: at the end of a session, and whenever a results file
is compared later. Each step takes the result of the one before. `read_levels` reads the accepted
levels over the commits of a baseline.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from pytest_pareto.baseline.codec import as_stored
from pytest_pareto.baseline.layout import ENVIRONMENT_FOLDER, NO_MACHINE, module_of
from pytest_pareto.baseline.sources import Files, PastBaselines, machines_of
from pytest_pareto.baseline.updates import UpdateMode, plan_update
from pytest_pareto.compare.changes import test
from pytest_pareto.compare.levels import condensed, summarise
from pytest_pareto.compare.multiplicity import share_alpha
from pytest_pareto.compare.pairs import interleaved_baseline, pair
from pytest_pareto.compare.stored import level_histories
from pytest_pareto.judge.judgement import judge
from pytest_pareto.judge.missing import find_renames
from pytest_pareto.model.baseline import Baseline, LevelHistories, Past, Revision
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.errors import BaselineError, ParetoError
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import Judged, SessionFacts, SessionRecord
from pytest_pareto.runs.git_objects import FolderLog, GitObjects, Snapshots


def judge_record(record: SessionRecord, past: Past | None = None) -> Judged:
    """Judge a session against its past, and return the judgement with the measured levels.

    Without a ``past`` the session is interleaved: it is compared with the runs of the old code. The
    levels of flagged metrics are those of their confirming runs, if any; an update of the baseline
    writes them.
    """
    if past is None:
        past = Past(interleaved_baseline(record.old_runs))
    with np.errstate(over="warn", invalid="warn", divide="warn", under="ignore"):
        # Numpy's own: a test may have asked for exceptions, and they would be raised here too.
        levels = summarise(record)
        pairs = pair(levels, past)
        changes = test(pairs, share_alpha(pairs))
        judgement = judge(changes)
    found = [(case.case_id, name, m) for case in pairs.cases for name, m in case.measured.items()]
    judged = Judged(
        judgement,
        record.environment,
        {case_id: case.runs for case_id, case in levels.cases.items()},
        # The level of an evaluation that stopped early is not comparable with a later one.
        {(case, name): m.runs for case, name, m in found if m.complete},
        {(case, name): m.samples for case, name, m in found if m.samples is not None},
        # Confirming runs do not record what a level consists of.
        {
            (case.case_id, name): m.breakdown
            for case in pairs.cases
            for name, m in case.own.measured.items()
            if m.breakdown is not None
        },
    )
    lacks = any(
        case.comparison.missing is not None
        or any(result.state is Outcome.MISSING for result in case.comparison.metrics)
        for case in judgement.cases
    )
    # Old code has no name to carry over, and an update gives the new name a past of its own.
    if not lacks or not past.baseline.stored or record.policy.accepts_new:
        return judged
    renames = tuple(find_renames(judged, past.baseline))
    notices = (*judgement.notices, *map(str, renames))
    return replace(judged, judgement=replace(judgement, notices=notices, renames=renames))


def accepted(record: SessionRecord) -> Baseline:
    """Return the baseline that a session would record if there were none.

    The content is what ``--pareto-update`` writes: without cases that are broken or incomplete, and
    with numbers rounded as in files.
    """
    empty = Baseline(record.environment.hardware_key, {}, {})
    judged = judge_record(record, Past(empty))
    after, _ = plan_update(empty, judged, UpdateMode.ALL, prune=frozenset())
    return as_stored(after)


def without_calls(record: SessionRecord) -> SessionRecord:
    """Return a record whose runs hold levels instead of single readings; its judgement is equal."""
    runs, again, old_runs, old_again = (
        tuple(map(condensed, side))
        for side in (record.runs, record.again, record.old_runs, record.old_again)
    )
    return replace(record, runs=runs, again=again, old_runs=old_runs, old_again=old_again)


def facts_against(record: SessionRecord, baseline: Baseline, path: str) -> SessionFacts:
    """Return the circumstances of a session that is compared with a stored baseline."""
    host = record.policy.spreads.host
    histories = [h for case in baseline.cases.values() for h in case.metrics.values()]
    return SessionFacts(
        baseline_path=path,
        hardware_key=baseline.hardware_key,
        baseline_sessions=max((len(h.level_sessions) for h in histories), default=0),
        baseline_runs=max(
            (sum(len(s.runs) for s in h.level_sessions) for h in histories), default=0
        ),
        runs=len(record.runs),
        duration_s=0.0,
        differences=_differences(baseline, record.runs[-1]),
        partial=record.asked.partial,
        stopped=record.asked.stopped,
        confirmed=record.confirms,
        suspects=_remeasured_text(record),
        gpus=len(record.environment.boards),
        assumptions=(f"sessions on one host differ by {100 * host:g} % in latency",),
    )


def _remeasured_text(record: SessionRecord) -> str | None:
    """Return how many cases were measured again, and in how many runs, or None."""
    if not record.flagged:
        return None
    cases = {case_id for case_id, _ in record.flagged}
    counts = {sum(case_id in run.cases for run in record.again) for case_id in cases}
    least, most = min(counts), max(counts)
    runs = plural(most, "fresh run") if least == most else f"{least} to {most} fresh runs"
    return f"{plural(len(cases), 'case')} measured again in {runs}"


def _differences(baseline: Baseline, run: Run) -> tuple[str, ...]:
    """Return the software that changed since the newest sessions of the baseline."""
    used = {h.newest.env for case in baseline.cases.values() for h in case.metrics.values()}
    now = run.environment.software
    changed = {
        f"{name} {then} → {now[name]}"
        for key in used
        for name, then in baseline.environments[key].software.items()
        if name in now and now[name] != then
    }
    return tuple(sorted(changed))


def read_levels(
    log: FolderLog,
    objects: GitObjects,
    choose_machine: Callable[[Collection[str]], str],
    *,
    diagnostics: bool,
    modules: Collection[str] | None = None,
) -> LevelHistories:
    """Read the levels of one kind of machine from every commit of a baseline's folder.

    ``choose_machine`` takes the keys of the machines that have results, and returns one. Metrics
    that do not gate are read where ``diagnostics``; of test ``modules``, all where they are None.
    Commits that cannot be read are reported in the result. Raises BaselineError where none can be
    read, or none holds a level.
    """
    snapshots = Snapshots(objects, log.folder)
    files = {revision.sha: snapshots.files(revision.sha) for revision in log.revisions}
    key = choose_machine({key for each in files.values() for key in machines_of(each)})
    past = PastBaselines(key, lambda name: objects.read(name).content)
    read: list[tuple[int, Revision, Baseline]] = []
    unreadable: list[tuple[Revision, str]] = []
    for at, revision in enumerate(log.revisions):
        try:
            read.append((at, revision, past.load(_files_of(modules, files[revision.sha]))))
        except ParetoError as error:
            unreadable.append((revision, str(error)))
    if not read:
        first, why = unreadable[-1]
        raise BaselineError(
            f"none of {len(unreadable)} commits holds a baseline that can be read; "
            f"of {first.short}: {why}"
        )
    histories = level_histories(read, diagnostics=diagnostics)
    if not histories:
        raise BaselineError(
            f"{log.folder} holds no results{'' if key == NO_MACHINE else f' of {key}'} in any of "
            f"{len(log.revisions)} commits; record some with pytest --pareto --pareto-update"
        )
    return LevelHistories(key, log.revisions, tuple(unreadable), histories)


def _files_of(modules: Collection[str] | None, files: Files) -> Files:
    """Return the files of these test modules, and the environments; all files without modules."""
    if modules is None:
        return files
    return {
        path: name
        for path, name in files.items()
        if (parts := PurePosixPath(path).parts)[0] == ENVIRONMENT_FOLDER
        or (len(parts) > 1 and module_of(PurePosixPath(*parts[1:])) in modules)
    }
