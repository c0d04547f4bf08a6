"""A session judged by its record: when it ends, and whenever it is compared later."""

from dataclasses import replace

from pytest_pareto.baseline.edits import UpdateMode, plan_update
from pytest_pareto.baseline.rounded import as_stored
from pytest_pareto.compare.condensed import condensed
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.policy import Terms
from pytest_pareto.model.run import Interleaved, Run
from pytest_pareto.model.session_record import (
    Circumstances,
    Confirmation,
    SessionFacts,
    SessionRecord,
)
from pytest_pareto.pipeline import Judged, judge_interleaved, judge_runs


def judge_record(
    record: SessionRecord, baseline: Baseline, anchor: Baseline | None = None
) -> Judged:
    """Judge what a session measured against a stored baseline, and beside the anchor."""
    runs, asked = record.runs, record.asked
    # What failed while suspects were measured again says nothing of the session's own runs.
    failed = bool(record.failures) and not record.flagged
    return judge_runs(
        runs,
        baseline,
        record.policy,
        _terms(record),
        Circumstances(
            # A process that died explains better than a test that seems to be gone.
            expected=lambda case_id: not failed and asked.expects(case_id, runs),
            skipped=lambda case_id: asked.skipped(case_id, runs),
            failures=record.failures,
            cut_short=record.cut_short,
            notices=record.notices,
            anchored=record.anchored,
        ),
        Confirmation(record.flagged, record.again) if record.flagged else None,
        anchor,
    )


def judge_record_in_turn(record: SessionRecord) -> Judged:
    """Judge the new code of a session by its turns with the old."""
    asked = record.asked
    again = Interleaved(record.old_again, record.again) if record.flagged else None
    return judge_interleaved(
        Interleaved(record.old_runs, record.runs),
        record.policy,
        _terms(record),
        Circumstances(
            expected=lambda _: not record.cut_short,
            skipped=lambda case_id: asked.skipped(case_id, record.runs),
            failures=record.failures,
            cut_short=record.cut_short,
            notices=record.notices,
            gone=record.gone,
        ),
        flagged=record.flagged,
        again=again,
    )


def accepted(record: SessionRecord) -> Baseline:
    """Return the baseline that a session would have left, had there been none before.

    As ``--pareto-update`` writes it: without cases that are broken or incomplete, and with the
    digits that files keep.
    """
    environment = record.runs[-1].environment
    empty = Baseline(environment.hardware_key, {}, {})
    judged = judge_record(record, empty)
    after, _ = plan_update(
        empty,
        judged.judgement,
        judged.measured,
        judged.levels,
        judged.samples,
        environment,
        UpdateMode.ALL,
        prune=frozenset(),
    )
    return as_stored(after)


def without_calls(record: SessionRecord) -> SessionRecord:
    """Return a record without the single calls of its runs: it is judged the same."""
    runs, again, old_runs, old_again = (
        tuple(map(condensed, side))
        for side in (record.runs, record.again, record.old_runs, record.old_again)
    )
    return replace(record, runs=runs, again=again, old_runs=old_runs, old_again=old_again)


def _terms(record: SessionRecord) -> Terms:
    return Terms(record.policy.alpha, record.spreads, record.confirming)


def facts_against(record: SessionRecord, baseline: Baseline, path: str) -> SessionFacts:
    """Return the circumstances of a session that is compared with a stored baseline."""
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
        suspects=_suspects(record),
        assumptions=(f"sessions on one host differ by {100 * record.spreads.host:g} % in latency",),
    )


def _suspects(record: SessionRecord) -> str | None:
    if not record.flagged:
        return None
    cases = plural(len({case_id for case_id, _ in record.flagged}), "case")
    return f"{cases} measured again in {plural(len(record.again), 'fresh run')}"


def _differences(baseline: Baseline, run: Run) -> tuple[str, ...]:
    """Name the software that changed since the newest sessions of the baseline."""
    used = {h.newest.env for case in baseline.cases.values() for h in case.metrics.values()}
    now = run.environment.software
    changed = {
        f"{name} {then} → {now[name]}"
        for key in used
        for name, then in baseline.environments[key].software.items()
        if name in now and now[name] != then
    }
    return tuple(sorted(changed))
