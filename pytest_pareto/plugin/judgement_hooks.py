"""The end of a session: judged, measured again where it looks worse, and written.

``--pareto-confirm N``: what looks worse, measured again in N fresh processes.

``--pareto-update``: the baseline, written after judging and told of.

What a session leaves to be accepted: a candidate, in a folder that git does not see.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_pareto.baseline.candidate import (
    SESSION,
    Candidate,
    Measured,
    plan_candidate,
    refused_candidate,
    write_candidate,
)
from pytest_pareto.baseline.store import write
from pytest_pareto.baseline.updates import UpdateMode, plan_update, told
from pytest_pareto.judge.gate import flagged, only_exact
from pytest_pareto.measure.device import release_device_memory
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import Confirmation, SessionFacts, SessionRecord
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.outputs.folders import being_made, locked, open_folder, put_in_place, remove
from pytest_pareto.pipeline import Judged, facts_against, judge_record, without_calls
from pytest_pareto.plugin.command_line import own_dir
from pytest_pareto.plugin.fresh_processes import run_child
from pytest_pareto.plugin.process_hooks import RunBuilder
from pytest_pareto.plugin.progress import Countdown, fresh_processes, say
from pytest_pareto.plugin.selection import Selection
from pytest_pareto.plugin.settings import Settings, load_past
from pytest_pareto.plugin.terminal_summary import Conclusion, Sampled
from pytest_pareto.report.text import typed


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


class Confirming:
    """Measures suspects again, with all tests in their old order around them.

    What ran earlier in a process shifts latency: the tests that nobody suspects run too, but
    call their functions once, unmeasured.
    """

    def __init__(self, session: pytest.Session, count: int) -> None:
        self._session = session
        self._count = count
        self.failures: list[str] = []

    def __call__(self, judgement: Judgement) -> Confirmation | None:
        """Measure again what looks worse; None where nothing does."""
        suspects = flagged(judgement) if self._count else frozenset()
        if not suspects:
            return None
        # Without noise a second look tells as much as five.
        count = 1 if only_exact(judgement, suspects) else self._count
        cases = {case_id for case_id, _ in suspects}
        nodeids = {c.comparison.nodeid for c in judgement.cases if c.case_id in cases}
        say(self._session.config, _announced(len(cases), count))
        release_device_memory()  # which this process holds on to, and the fresh ones need
        runs = []
        countdown = Countdown(self._session.config, count)
        for number in range(1, count + 1):
            countdown.start(f"measuring again, run {number} of {count}")
            run = self._measure(nodeids, number, count)
            if run is None:
                break
            runs.append(run)
        countdown.end(f"measuring again in {fresh_processes(len(runs))}")
        return Confirmation(suspects, tuple(runs))

    def _measure(self, nodeids: Collection[str], number: int, count: int) -> Run | None:
        builder = RunBuilder()
        ended = run_child(self._session, builder, measured=nodeids)
        if ended.trouble is not None or ended.environment is None:
            self.failures.append(f"confirming run {number} of {count} failed: {ended.trouble}")
            return None
        self.failures += builder.silent_failures(f"confirming run {number} of {count}")
        return builder.build(ended.environment)


def _announced(cases: int, count: int) -> str:
    looks = "1 case looks" if cases == 1 else f"{cases} cases look"
    again = f"measuring {'it' if cases == 1 else 'them'} again"
    return f"{looks} worse; {again} in {fresh_processes(count)}"


def update(
    settings: Settings,
    judged: Judged,
    baseline: Baseline,
    environment: Environment,
    facts: SessionFacts,
) -> Conclusion:
    """Write what the user asked for, atomically, and tell what was written.

    A baseline that cannot be written is a failure of the session.
    """
    assert settings.update is not None
    mode = UpdateMode(settings.update)
    prune = _prunable(judged.judgement, facts) if mode is UpdateMode.ALL else frozenset()
    after, edits = plan_update(
        baseline,
        judged.judgement,
        judged.measured,
        judged.levels,
        judged.samples,
        environment,
        mode,
        prune=prune,
    )
    judgement = _forgiven(judged.judgement, prune)
    try:
        write(settings.baseline_dir, baseline.hardware_key, baseline, after)
    except ParetoError as error:
        failed = replace(judgement, failures=(*judgement.failures, str(error)))
        unwritten = Sampled(judged.samples, baseline, baseline)
        return Conclusion(failed, replace(facts, updating=True), unwritten)
    facts = replace(facts, updating=True, edits=told(edits), written=len(edits))
    return Conclusion(judgement, facts, Sampled(judged.samples, baseline, after))


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


_README = """\
What the last `pytest --pareto` would have written into the baseline, in its own format, and in
`session/candidate.json` what of it is what. `pytest-pareto accept` copies in what you name:

    pytest-pareto accept .pareto_candidate 'test_file.py::test_name[case]' --reason 'say why'

Replaced by each session. It can be deleted at any time.
"""


def offer(
    folder: Path | None,
    judged: Judged,
    baseline: Baseline,
    now: Environment,
    refused: str | None,
    of: str,
) -> Candidate | None:
    """Return what a session leaves; None where it leaves none.

    ``refused`` says why nothing of it can be accepted, where it was cut short. ``of`` is the
    baseline's folder, relative to the root.
    """
    if folder is None:
        return None
    if refused is not None:
        return refused_candidate(baseline.hardware_key, refused, of)
    measured = Measured(judged.judgement, judged.measured, judged.levels, judged.samples, now)
    return plan_candidate(baseline, measured, of)


def leave(
    conclusion: Conclusion,
    folder: Path | None,
    candidate: Candidate | None,
    cwd: Path,
    other_baseline: Path | None = None,
) -> Conclusion:
    """Replace the last session's candidate by this one's; where that fails, it is a notice.

    The facts say where it is, as it can be typed in ``cwd``, and so its baseline where that is
    not the project's own (``other_baseline``).
    """
    if folder is None or candidate is None:
        return conclusion
    try:
        open_folder(folder, _README)
        with locked(folder):
            made = being_made(folder / SESSION)
            write_candidate(made, candidate)
            put_in_place(made, folder / SESSION)
    except (OSError, ParetoError, UnicodeError) as error:
        notice = f"no candidate is left for `pytest-pareto accept`: {error}"
        judgement = conclusion.judgement
        told = replace(judgement, notices=(*judgement.notices, notice))
        return replace(conclusion, judgement=told)
    if candidate.refused:
        return conclusion
    acceptable = frozenset(
        case for case, told in candidate.offers.items() if told.changes and not told.left_out
    )
    facts = replace(
        conclusion.facts,
        candidate_path=typed(folder, cwd),
        acceptable=acceptable,
        other_baseline=None if other_baseline is None else typed(other_baseline, cwd),
    )
    return replace(conclusion, facts=facts)


def discard(folder: Path | None) -> str | None:
    """Remove the last session's candidate; return why that failed, if it did.

    It would be taken for this session's, and for one of the baseline as it is now.
    """
    if folder is None or not (folder / SESSION).is_dir():
        return None
    try:
        with locked(folder):
            remove(folder / SESSION)
    except OSError as error:
        return f"the last session's candidate could not be removed from {folder}: {error}"
    return None
