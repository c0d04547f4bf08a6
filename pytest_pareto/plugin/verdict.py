"""The end of a session: judged, measured again where it looks worse, and written."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_pareto.compare.terms import Terms
from pytest_pareto.model.facts import SessionFacts
from pytest_pareto.model.history import Baseline
from pytest_pareto.model.run import Run
from pytest_pareto.pipeline import Circumstances, Confirmation, Judged, judge_runs
from pytest_pareto.plugin.candidates import discard, leave, offer
from pytest_pareto.plugin.conclusion import Conclusion, Sampled
from pytest_pareto.plugin.confirming import Confirming
from pytest_pareto.plugin.past import Past, load_past
from pytest_pareto.plugin.selection import Selection
from pytest_pareto.plugin.settings import Settings
from pytest_pareto.plugin.updating import update
from pytest_pareto.report.summary import plural


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
    past = load_past(settings, measured.runs[-1].environment.hardware_key)
    complete = not measured.failures and selection.stopped is None
    # What was cut short measured something else than asked: nothing of it is accepted.
    writable = settings.update is not None and complete
    judged, confirmation = _judged(settings, selection, measured, past, writable, None), None
    if complete:
        confirmation = confirming(judged.judgement)
    if confirmation is not None:
        measured = replace(measured, failures=tuple(confirming.failures))
        writable = writable and not measured.failures
        judged = _judged(settings, selection, measured, past, writable, confirmation)
    rootpath = session.config.rootpath
    facts = _facts(settings, selection, measured, past.baseline, confirmation, rootpath)
    environment = measured.runs[-1].environment
    if writable:
        conclusion = update(settings, judged, past.baseline, environment, facts)
        discard(settings.candidate_dir)
    else:
        facts = replace(facts, updating=settings.update is not None)
        sampled = Sampled(judged.samples, past.baseline, past.baseline)
        refused = _cut_short(selection, measured)
        candidate = offer(settings.candidate_dir, judged, past.baseline, environment, refused)
        conclusion = Conclusion(judged.judgement, facts, sampled)
        cwd = session.config.invocation_params.dir
        conclusion = leave(conclusion, settings.candidate_dir, candidate, cwd)
    return replace(conclusion, environment=environment)


def _cut_short(selection: Selection, measured: SessionRuns) -> str | None:
    """Say why nothing of a session can be accepted, or None: not all that was asked for ran."""
    if selection.stopped is not None:
        return f"this session was cut short ({selection.stopped})"
    if measured.failures:
        return f"a process of this session failed ({measured.failures[0].partition(chr(10))[0]})"
    return None


def _judged(
    settings: Settings,
    selection: Selection,
    measured: SessionRuns,
    past: Past,
    writable: bool,  # noqa: FBT001
    confirmation: Confirmation | None,
) -> Judged:
    runs, failures = measured.runs, measured.failures
    spreads = settings.session_spreads
    return judge_runs(
        runs,
        past.baseline,
        settings.policy if writable else settings.policy.accepting_nothing(),
        Terms(settings.policy.alpha, spreads, settings.confirm),
        Circumstances(
            # A process that died explains better than a test that seems to be gone.
            expected=lambda case_id: not failures and selection.expects(case_id, runs),
            skipped=lambda case_id: selection.skipped(case_id, runs),
            failures=failures,
            cut_short=selection.stopped is not None,
        ),
        confirmation,
        past.anchor,
    )


def _facts(
    settings: Settings,
    selection: Selection,
    measured: SessionRuns,
    baseline: Baseline,
    confirmation: Confirmation | None,
    rootpath: Path,
) -> SessionFacts:
    histories = [h for case in baseline.cases.values() for h in case.metrics.values()]
    anchor = settings.anchor_dir
    return SessionFacts(
        baseline_path=_shown(settings.baseline_dir / baseline.hardware_key, rootpath),
        hardware_key=baseline.hardware_key,
        baseline_sessions=max((len(h.level_sessions) for h in histories), default=0),
        baseline_runs=max(
            (sum(len(s.runs) for s in h.level_sessions) for h in histories), default=0
        ),
        runs=len(measured.runs),
        duration_s=measured.duration_s,
        differences=_differences(baseline, measured.runs[-1]),
        partial=selection.partial,
        confirmed=settings.confirm > 0 and selection.stopped is None and not measured.failures,
        suspects=_suspects(confirmation),
        assumptions=_assumptions(settings),
        anchor_path=_shown(anchor, rootpath) if anchor is not None else None,
    )


def _shown(folder: Path, rootpath: Path) -> str:
    inside = folder.is_relative_to(rootpath)
    return (folder.relative_to(rootpath) if inside else folder).as_posix()


def _suspects(confirmation: Confirmation | None) -> str | None:
    if confirmation is None:
        return None
    cases = plural(len({case_id for case_id, _ in confirmation.flagged}), "case")
    runs = len(confirmation.runs)
    return f"{cases} measured again in {plural(runs, 'fresh run')}"


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


def _assumptions(settings: Settings) -> tuple[str, ...]:
    host = settings.session_spreads.host
    return (f"sessions on one host differ by {100 * host:g} % in latency",)
