"""The pipeline from a session record to its judgement: levels, pairs, changes, judgement.

`judge_record` is the only path to a verdict: at the end of a session, and whenever a results file
is compared later. Each step takes the result of the one before.
"""

from dataclasses import replace

import numpy as np

from pytest_pareto.baseline.codec import as_stored
from pytest_pareto.baseline.updates import UpdateMode, plan_update
from pytest_pareto.compare.changes import test
from pytest_pareto.compare.levels import condensed, summarise
from pytest_pareto.compare.multiplicity import share_alpha
from pytest_pareto.compare.pairs import interleaved_baseline, pair
from pytest_pareto.judge.judgement import judge
from pytest_pareto.judge.missing import find_renames
from pytest_pareto.model.baseline import Baseline, Past
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import Judged, SessionFacts, SessionRecord


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
