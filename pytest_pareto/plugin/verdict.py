"""The end of a session: judged, measured again where it looks worse, and written."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import SessionFacts, SessionRecord
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.pipeline import facts_against, judge_record, without_calls
from pytest_pareto.plugin.candidates import leave, offer
from pytest_pareto.plugin.conclusion import Conclusion, Sampled
from pytest_pareto.plugin.confirming import Confirming
from pytest_pareto.plugin.folders import own_dir
from pytest_pareto.plugin.past import load_past
from pytest_pareto.plugin.selection import Selection
from pytest_pareto.plugin.settings import Settings
from pytest_pareto.plugin.updating import update


@dataclass(frozen=True, slots=True)
class SessionRuns:
    """What a session's own runs were, and what failed in them beside the tests."""

    runs: tuple[Run, ...]
    failures: tuple[str, ...]
    duration_s: float


def conclude(
    session: pytest.Session, settings: Settings, selection: Selection, measured: SessionRuns
) -> Conclusion:
    """Judge the runs against the baseline; then, and only then, write what was asked for."""
    confirming = Confirming(session, settings.confirm)
    environment = measured.runs[-1].environment
    past = load_past(settings, environment.hardware_key)
    complete = not measured.failures and selection.stopped is None
    # What was cut short measured something else than asked: nothing of it is accepted.
    writable = settings.update is not None and complete
    record = _record(settings, selection, measured, accepting=writable)
    judged = judge_record(record, past.baseline, past.anchor)
    untold = tuple(untold_failures(measured, judged.judgement))
    if untold:
        complete = writable = False
        measured = replace(measured, failures=(*measured.failures, *untold))
        record = _record(settings, selection, measured, accepting=False)
        judged = judge_record(record, past.baseline, past.anchor)
    confirmation = confirming(judged.judgement) if complete else None
    if confirmation is not None:
        record = replace(record, flagged=confirmation.flagged, again=confirmation.runs)
        if confirming.failures:
            writable = False
            policy = record.policy.accepting_nothing()
            record = replace(record, policy=policy, failures=tuple(confirming.failures))
        judged = judge_record(record, past.baseline, past.anchor)
    facts = _facts(settings, record, past.baseline, session.config.rootpath)
    facts = replace(facts, duration_s=measured.duration_s)
    if writable:
        conclusion = update(settings, judged, past.baseline, environment, facts)
    else:
        facts = replace(facts, updating=settings.update is not None)
        sampled = Sampled(judged.samples, past.baseline, past.baseline)
        refused = _cut_short(selection, record.failures)
        rootpath = session.config.rootpath
        of = _shown(settings.baseline_dir, rootpath)
        candidate = offer(settings.candidate_dir, judged, past.baseline, environment, refused, of)
        conclusion = Conclusion(judged.judgement, facts, sampled)
        cwd = session.config.invocation_params.dir
        other = settings.baseline_dir if settings.baseline_dir != own_dir(session.config) else None
        conclusion = leave(conclusion, settings.candidate_dir, candidate, cwd, other)
    return replace(conclusion, environment=environment, record=without_calls(record))


def untold_failures(measured: SessionRuns, judgement: Judgement) -> Iterator[str]:
    """Say which tests failed in runs that are not shown, and are not told by a case that fails.

    Such as one that was skipped in the run that is shown, or whose cases do not gate.
    """
    broken = (case for case in judgement.cases if case.fails and case.comparison.broken is not None)
    told = {case.comparison.nodeid for case in broken}
    failed = {nodeid: why for run in measured.runs[:0:-1] for nodeid, why in run.failed.items()}
    for nodeid, why in failed.items():
        # A module that cannot be imported breaks the cases of its tests.
        known = any(text.startswith(f"{nodeid} failed in ") for text in measured.failures)
        if "::" in nodeid and nodeid not in told and not known:
            yield f"{nodeid} failed in a run that is not shown: {why}"


def _cut_short(selection: Selection, failures: tuple[str, ...]) -> str | None:
    """Say why nothing of a session can be accepted, or None: not all that was asked for ran."""
    if selection.stopped is not None:
        return f"this session was cut short ({selection.stopped})"
    if failures:
        return f"a process of this session failed ({failures[0].partition(chr(10))[0]})"
    return None


def _record(
    settings: Settings, selection: Selection, measured: SessionRuns, *, accepting: bool
) -> SessionRecord:
    return SessionRecord(
        measured.runs,
        settings.policy if accepting else settings.policy.accepting_nothing(),
        selection.asked,
        settings.session_spreads,
        settings.confirm,
        failures=measured.failures,
        anchored=settings.anchor_dir is not None,
    )


def _facts(
    settings: Settings, record: SessionRecord, baseline: Baseline, rootpath: Path
) -> SessionFacts:
    anchor = settings.anchor_dir
    path = _shown(settings.baseline_dir / baseline.hardware_key, rootpath)
    return replace(
        facts_against(record, baseline, path),
        anchor_path=_shown(anchor, rootpath) if anchor is not None else None,
    )


def _shown(folder: Path, rootpath: Path) -> str:
    inside = folder.is_relative_to(rootpath)
    return (folder.relative_to(rootpath) if inside else folder).as_posix()
