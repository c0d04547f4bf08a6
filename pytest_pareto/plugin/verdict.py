"""The end of a session: judged, written where asked for, and told."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_pareto.baseline.edits import Edit, UpdateMode, plan_update
from pytest_pareto.baseline.store import load, write
from pytest_pareto.compare.terms import SessionSpreads, Terms
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.facts import SessionFacts
from pytest_pareto.model.history import Baseline
from pytest_pareto.model.run import Run
from pytest_pareto.model.verdict import CaseVerdict, Judgement
from pytest_pareto.pipeline import Judged, judge_runs
from pytest_pareto.plugin.failures import report_failures, without_test
from pytest_pareto.plugin.selection import Selection
from pytest_pareto.plugin.settings import Settings
from pytest_pareto.report.failure import failure_text
from pytest_pareto.report.summary import title
from pytest_pareto.report.terminal import render_terminal


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a session came to."""

    judgement: Judgement
    facts: SessionFacts

    def report(self, session: pytest.Session, already_red: frozenset[str]) -> None:
        """Turn failing cases into failed tests; count what has no test to hang on."""
        config = session.config
        report_failures(
            session,
            self.judgement.cases,
            already_red,
            lambda case: failure_text(_located(case, config)),
        )
        session.testsfailed += len(self.judgement.failures)
        session.testsfailed += without_test(session, self.judgement.cases)

    def tell(self, reporter: pytest.TerminalReporter, *, plot: bool) -> None:
        """Write the section, or the one line of ``-q``."""
        writer = reporter.config.get_terminal_writer()
        verbosity = reporter.config.get_verbosity()
        cases = tuple(_located(case, reporter.config) for case in self.judgement.cases)
        located = replace(self.judgement, cases=cases)
        width = writer.fullwidth
        lines = render_terminal(located, self.facts, verbosity=verbosity, plot=plot, width=width)
        if verbosity >= 0:
            reporter.section(title(self.judgement), sep="=")
        for line in lines:
            reporter.write_line(line.text, **dict.fromkeys(line.markup, True))


def _located(case: CaseVerdict, config: pytest.Config) -> CaseVerdict:
    """Name a case's test as it can be typed in the folder where pytest was started."""
    module, separator, test = case.comparison.nodeid.partition("::")
    here = os.path.relpath(config.rootpath / module, config.invocation_params.dir)
    nodeid = f"{Path(here).as_posix()}{separator}{test}"
    return replace(case, comparison=replace(case.comparison, nodeid=nodeid))


def conclude(
    settings: Settings,
    selection: Selection,
    runs: tuple[Run, ...],
    failures: tuple[str, ...],
    duration_s: float,
    rootpath: Path,
) -> Conclusion:
    """Judge the runs against the baseline; then, and only then, write what was asked for."""
    environment = runs[-1].environment
    baseline = load(settings.baseline_dir, environment.hardware_key)
    # What was cut short measured something else than asked: nothing of it is accepted.
    writable = settings.update is not None and not failures and selection.stopped is None
    policy = settings.policy if writable else settings.policy.accepting_nothing()
    terms = Terms(settings.policy.alpha, SessionSpreads(**settings.session_spreads))
    judged = judge_runs(
        runs,
        baseline,
        policy,
        terms,
        # A process that died explains better than a test that seems to be gone.
        expected=lambda case_id: not failures and selection.expects(case_id, runs),
        skipped=lambda case_id: selection.skipped(case_id, runs),
        failures=failures,
        cut_short=selection.stopped is not None,
    )
    facts = _facts(settings, selection, runs, baseline, duration_s, rootpath)
    if not writable:
        return Conclusion(judged.judgement, replace(facts, updating=settings.update is not None))
    return _update(settings, judged, baseline, runs, facts)


def _update(
    settings: Settings,
    judged: Judged,
    baseline: Baseline,
    runs: tuple[Run, ...],
    facts: SessionFacts,
) -> Conclusion:
    assert settings.update is not None
    mode = UpdateMode(settings.update)
    prune = _prunable(judged.judgement, facts) if mode is UpdateMode.ALL else frozenset()
    after, edits = plan_update(
        baseline,
        judged.judgement,
        judged.measured,
        judged.levels,
        judged.samples,
        runs[-1].environment,
        mode,
        prune=prune,
    )
    judgement = _forgiven(judged.judgement, prune)
    try:
        write(settings.baseline_dir, baseline.hardware_key, baseline, after)
    except ParetoError as error:
        failed = replace(judgement, failures=(*judgement.failures, str(error)))
        return Conclusion(failed, replace(facts, updating=True))
    facts = replace(facts, updating=True, edits=_told(edits), written=len(edits))
    return Conclusion(judgement, facts)


def _prunable(judgement: Judgement, facts: SessionFacts) -> frozenset[str]:
    """Name the missing cases, if everything ran and nothing else failed."""
    missing = frozenset(c.case_id for c in judgement.cases if c.comparison.missing is not None)
    others = any(c.fails for c in judgement.cases if c.case_id not in missing)
    if facts.partial is not None or judgement.failures or others:
        return frozenset()
    return missing


def _forgiven(judgement: Judgement, dropped: frozenset[str]) -> Judgement:
    cases = tuple(
        replace(case, fails=(), notices=("dropped from the baseline",))
        if case.case_id in dropped
        else case
        for case in judgement.cases
    )
    return replace(judgement, cases=cases)


def _told(edits: Iterable[Edit]) -> tuple[str, ...]:
    """Say what was written, a line for all metrics of a case that went the same way."""
    together: dict[tuple[str, str, str], list[str]] = {}
    for edit in edits:
        together.setdefault((edit.action, edit.case_id, edit.detail), []).append(edit.metric)
    return tuple(
        f"{action}: {case_id} {', '.join(metrics)} ({detail})"
        for (action, case_id, detail), metrics in together.items()
    )


def _facts(
    settings: Settings,
    selection: Selection,
    runs: tuple[Run, ...],
    baseline: Baseline,
    duration_s: float,
    rootpath: Path,
) -> SessionFacts:
    histories = [h for case in baseline.cases.values() for h in case.metrics.values()]
    folder = settings.baseline_dir / baseline.hardware_key
    shown = folder.relative_to(rootpath) if folder.is_relative_to(rootpath) else folder
    return SessionFacts(
        baseline_path=shown.as_posix(),
        hardware_key=baseline.hardware_key,
        baseline_sessions=max((len(h.level_sessions) for h in histories), default=0),
        baseline_runs=max(
            (sum(len(s.runs) for s in h.level_sessions) for h in histories), default=0
        ),
        runs=len(runs),
        duration_s=duration_s,
        differences=_differences(baseline, runs[-1]),
        partial=selection.partial,
        assumptions=_assumptions(settings),
    )


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
    host = settings.session_spreads["host"]
    return (f"sessions on one host differ by {100 * host:g} % in latency",)
