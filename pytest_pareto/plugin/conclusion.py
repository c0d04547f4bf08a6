"""The end of a session: judge it, measure again what is flagged, write baseline or candidate.

`conclude` ends a session with a stored baseline: the first judgement may flag metrics, which
``--pareto-confirm N`` fresh processes measure again. `finish` ends every session: it writes the
baseline under ``--pareto-update``, and otherwise leaves a candidate for `pytest-pareto accept`.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pareto.baseline.candidate import (
    SESSION,
    Candidate,
    plan_candidate,
    refused_candidate,
    write_candidate,
)
from pytest_pareto.baseline.layout import ANYWHERE_FOLDER
from pytest_pareto.baseline.store import write
from pytest_pareto.baseline.updates import Action, UpdateMode, describe_edits, plan_update
from pytest_pareto.compare.pairs import interleaved_baseline
from pytest_pareto.compare.sample_size import coarse_scores
from pytest_pareto.judge.gate import (
    confirming_runs,
    flagged,
    flagged_by_test,
    unconfirmable,
)
from pytest_pareto.judge.judgement import after_update
from pytest_pareto.measure.device import release_device_memory
from pytest_pareto.model.baseline import Baseline, Past
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import BUILT_IN, DEVICE_TIME, ENERGY
from pytest_pareto.model.policy import Option
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import (
    Judged,
    SampleScores,
    SessionFacts,
    SessionRecord,
    SessionReport,
)
from pytest_pareto.model.verdict import Failure, Judgement
from pytest_pareto.outputs.folders import (
    create_ignored_folder,
    create_staging_folder,
    locked,
    remove_folder,
    replace_folder,
)
from pytest_pareto.pipeline import facts_against, judge_record, without_calls
from pytest_pareto.plugin.command_line import project_baseline_dir
from pytest_pareto.plugin.fresh_processes import ChildRun, MeasuredTests, run_children
from pytest_pareto.plugin.process_hooks import RunBuilder
from pytest_pareto.plugin.progress import Countdown, process_count_text, write_progress
from pytest_pareto.plugin.settings import Selection, Settings, load_past
from pytest_pareto.report.next_steps import without_recording_advice
from pytest_pareto.report.text import relative_path


def conclude(
    session: pytest.Session,
    settings: Settings,
    selection: Selection,
    record: SessionRecord,
    duration_s: float,
) -> SessionReport:
    """Judge a session against the stored baseline, confirm what is flagged, and finish it."""
    past = load_past(settings, record.environment.hardware_key)
    # A session that was cut short did not measure all that was requested: accept nothing of it.
    complete = not record.failures and not record.cut_short
    if not (complete and settings.update is not None):
        record = replace(record, policy=record.policy.accepting_nothing())
    judged = judge_record(record, past)
    unreported = tuple(unreported_failures(record, judged.judgement))
    if unreported:
        complete = False
        policy = record.policy.accepting_nothing()
        failures = (*record.failures, *unreported)
        record = replace(record, policy=policy, failures=failures)
        judged = judge_record(record, past)
    confirming_s = None
    if complete:
        updating = settings.update is not None
        confirmation = Confirmation(session, record.policy.confirming, updating=updating)
        started_s = time.monotonic()
        confirmed = confirmation.confirm(record, judged.judgement)
        if confirmed is not record:
            record, confirming_s = confirmed, time.monotonic() - started_s
            judged = judge_record(record, past)
    facts = _facts(settings, record, past.baseline, session.config.rootpath)
    facts = replace(
        facts,
        duration_s=duration_s + (confirming_s or 0.0),
        confirming_s=confirming_s,
        updating=settings.update is not None,
    )
    return finish(session, settings, selection, record, judged, past, facts)


def session_record(
    settings: Settings,
    selection: Selection,
    runs: Sequence[Run],
    failures: Sequence[Failure] = (),
) -> SessionRecord:
    """Return the record of a session with a stored baseline, before anything is confirmed."""
    return SessionRecord(
        tuple(runs),
        settings.policy,
        selection.asked,
        failures=tuple(failures),
        anchored=settings.anchor_dir is not None,
    )


def finish(
    session: pytest.Session,
    settings: Settings,
    selection: Selection,
    record: SessionRecord,
    judged: Judged,
    past: Past | None,
    facts: SessionFacts,
) -> SessionReport:
    """Write the baseline or the candidate of a judged session, and return its report.

    Nothing is written before the session is judged. None for ``past`` is an interleaved session,
    which compares with nothing stored and writes nothing.
    """
    before = (
        interleaved_baseline(record.old_again or record.old_runs) if past is None else past.baseline
    )
    report = SessionReport(
        judged.judgement,
        facts,
        record.environment,
        record=without_calls(record),
        scores=SampleScores(judged.samples, before, before),
    )
    if past is None:
        return report
    if settings.update is not None and not record.failures and not record.cut_short:
        return _update_baseline(report, settings, record, judged, past.baseline)
    candidate = _candidate(settings, selection, record, judged, past.baseline, session)
    cwd = session.config.invocation_params.dir
    other = (
        settings.baseline_dir
        if settings.baseline_dir != project_baseline_dir(session.config)
        else None
    )
    return leave_candidate(report, settings.candidate_dir, candidate, cwd, other)


def unreported_failures(record: SessionRecord, judgement: Judgement) -> Iterator[Failure]:
    """Yield the tests that failed in runs that are not shown, and that no failing case reports.

    An example is a test that was skipped in the run that is shown, or whose cases do not gate.
    """
    broken = (case for case in judgement.cases if case.fails and case.comparison.broken is not None)
    reported = {case.comparison.nodeid for case in broken}
    # A module that cannot be imported breaks the cases of its tests.
    reported |= {failure.nodeid for failure in record.failures if failure.nodeid is not None}
    failed = {nodeid: why for run in record.runs[:0:-1] for nodeid, why in run.failed.items()}
    for nodeid, why in failed.items():
        if "::" in nodeid and nodeid not in reported:
            text = f"{nodeid} failed in a run that is not shown: {why}"
            yield Failure(text, nodeid)


def _facts(
    settings: Settings, record: SessionRecord, baseline: Baseline, rootpath: Path
) -> SessionFacts:
    anchor = settings.anchor_dir
    folder = settings.baseline_dir / baseline.hardware_key
    if baseline.cases and not folder.is_dir():  # all that is known holds on any machine
        folder = folder.with_name(ANYWHERE_FOLDER)
    path = _display_path(folder, rootpath)
    return replace(
        facts_against(record, baseline, path),
        anchor_path=_display_path(anchor, rootpath) if anchor is not None else None,
    )


def _display_path(folder: Path, rootpath: Path) -> str:
    inside = folder.is_relative_to(rootpath)
    return (folder.relative_to(rootpath) if inside else folder).as_posix()


class Confirmation:
    """Measures again what is flagged, in fresh processes that run all tests in their order.

    What ran earlier in a process shifts latency. So the tests of which nothing is flagged run
    too, but call their functions once, unmeasured. So do those that are measured often enough.
    """

    def __init__(self, session: pytest.Session, count: int, *, updating: bool) -> None:
        self._session, self._count, self._updating = session, count, updating
        self._failures: list[Failure] = []

    def confirm(self, record: SessionRecord, judgement: Judgement) -> SessionRecord:
        """Return the record with the confirming runs; the same record where nothing is flagged.

        A process that fails is a failure of the session, and nothing of that is accepted.
        """
        flagged_metrics = flagged(judgement) if self._count else frozenset()
        if self._count and (hopeless := unconfirmable(judgement)):
            message = _unconfirmable_message(hopeless, updating=self._updating)
            write_progress(self._session.config, message)
        if not flagged_metrics:
            return record
        needed = confirming_runs(judgement, flagged_metrics, self._count)
        message = _confirming_message(len(needed), max(needed.values()))
        write_progress(self._session.config, message)
        release_device_memory()  # this process caches it, and the fresh processes need it
        tests = flagged_by_test(judgement, flagged_metrics)
        runs = self._measure(
            [
                {
                    case.comparison.nodeid: _measured_before(tests[case.comparison.nodeid])
                    for case in judgement.cases
                    if needed.get(case.case_id, 0) > number
                }
                for number in range(max(needed.values()))
            ]
        )
        record = replace(record, flagged=flagged_metrics, again=runs)
        if self._failures:
            policy = record.policy.accepting_nothing()
            record = replace(record, policy=policy, failures=tuple(self._failures))
        return record

    def _measure(self, measured: Sequence[MeasuredTests]) -> tuple[Run, ...]:
        """Run a process for each of ``measured``: the tests that measure in it."""
        runs: list[Run] = []
        count = len(measured)
        countdown = Countdown(self._session.config, count)
        children = [ChildRun(RunBuilder(), measured=tests) for tests in measured]
        with closing(run_children(self._session, children)) as results:
            for number, builder in enumerate((child.builder for child in children), start=1):
                countdown.start(f"measuring again, run {number} of {count}")
                result = next(results)
                where = f"confirming run {number} of {count}"
                if result.error is not None or result.environment is None:
                    self._failures.append(Failure(f"{where} failed: {result.error}"))
                    break
                self._failures += builder.silent_failures(where)
                runs.append(builder.build(result.environment))
        countdown.end(f"measuring again in {process_count_text(len(runs))}")
        return tuple(runs)


def _measured_before(flagged_names: frozenset[str]) -> frozenset[str] | None:
    """Return the metrics up to the last flagged one of a test, in the order of the meters.

    What meters did before a reading, such as warming the GPU up, is so as in the baseline. Energy
    near idle needs the kernels of the call (`drop_energy_without_kernels`). None for all metrics,
    where one is not built in.
    """
    if not flagged_names <= BUILT_IN.keys():
        return None
    order = list(BUILT_IN)
    needed = {*flagged_names, DEVICE_TIME.name} if ENERGY.name in flagged_names else flagged_names
    return frozenset(order[: 1 + max(map(order.index, needed))])


def _unconfirmable_message(metrics: Collection[tuple[str, str]], *, updating: bool) -> str:
    names = ", ".join(sorted({name for _, name in metrics}))
    cases = plural(len({case_id for case_id, _ in metrics}), "case")
    record = f"record more sessions ({Option.UPDATE}=runs), or " if not updating else ""
    return (
        f"not repeated, since more runs could not show it: {names} of {cases} looks worse; {record}"
        f"use {Option.AGAINST}"
    )


def _confirming_message(cases: int, count: int) -> str:
    looks = "1 case looks" if cases == 1 else f"{cases} cases look"
    again = f"measuring {'it' if cases == 1 else 'them'} again"
    return f"{looks} worse; {again} in {process_count_text(count)}"


def _update_baseline(
    report: SessionReport,
    settings: Settings,
    record: SessionRecord,
    judged: Judged,
    baseline: Baseline,
) -> SessionReport:
    """Update the baseline atomically, and return the report with what was written.

    A baseline that cannot be written is a failure of the session.
    """
    assert settings.update is not None
    mode = UpdateMode(settings.update)
    prune = (
        _prunable_cases(judged.judgement, report.facts) if mode is UpdateMode.ALL else frozenset()
    )
    after, edits = plan_update(baseline, judged, mode, prune=prune)
    if edits:
        after = replace(after, policy=settings.policy.as_recorded())
    judgement = _drop_cases(judged.judgement, prune)
    try:
        write(settings.baseline_dir, baseline.hardware_key, baseline, after)
    except ParetoError as error:
        failures = (*judgement.failures, Failure(str(error)))
        return replace(report, judgement=replace(judgement, failures=failures))
    judgement = after_update(judgement, record, after)
    added = {(edit.case_id, edit.metric) for edit in edits if edit.action is Action.ADD}
    coarse = coarse_scores(judged, added, settings.policy.alpha)
    judgement = replace(judgement, notices=(*judgement.notices, *coarse))
    judgement = without_recording_advice(judgement)
    gone = any(case.comparison.missing is not None for case in judgement.cases)
    if gone and mode is UpdateMode.ALL and not prune:
        judgement = replace(judgement, notices=(*judgement.notices, _NOT_DROPPED))
    policy = after.policy
    noted = () if baseline.policy in (None, policy) else ("the policy of this session",)
    facts = replace(report.facts, edits=(*describe_edits(edits), *noted), written=len(edits))
    scores = SampleScores(judged.samples, baseline, after)
    return replace(report, judgement=judgement, facts=facts, scores=scores)


_NOT_DROPPED = (
    "what is gone stays in the baseline: a whole session drops it, without other failures"
)


def _prunable_cases(judgement: Judgement, facts: SessionFacts) -> frozenset[str]:
    """Return the ids of the missing cases, if everything ran and nothing else failed."""
    missing = frozenset(c.case_id for c in judgement.cases if c.comparison.missing is not None)
    others = any(c.fails for c in judgement.cases if c.case_id not in missing)
    if facts.partial is not None or judgement.failures or others:
        return frozenset()
    return missing


def _drop_cases(judgement: Judgement, dropped: frozenset[str]) -> Judgement:
    """Return the judgement in which the cases dropped from the baseline no longer fail."""
    cases = tuple(
        replace(case, fails=(), notices=("dropped from the baseline",))
        if case.case_id in dropped
        else case
        for case in judgement.cases
    )
    return replace(judgement, cases=cases)


_CANDIDATE_README = """\
What the last `pytest --pareto` would have written into the baseline, in its own format, and in
`session/candidate.json` what of it is what. `pytest-pareto accept` copies in what you name:

    pytest-pareto accept .pareto_candidate 'test_file.py::test_name[case]' --reason 'say why'

Replaced by each session. It can be deleted at any time.
"""


def _candidate(
    settings: Settings,
    selection: Selection,
    record: SessionRecord,
    judged: Judged,
    baseline: Baseline,
    session: pytest.Session,
) -> Candidate | None:
    """Return what can be accepted of a session; None where it leaves no candidate."""
    if settings.candidate_dir is None:
        return None
    refused = _refusal_reason(selection, record.failures)
    of = _display_path(settings.baseline_dir, session.config.rootpath)
    if refused is not None:
        return refused_candidate(baseline.hardware_key, refused, of)
    return plan_candidate(baseline, judged, of)


def _refusal_reason(selection: Selection, failures: Sequence[Failure]) -> str | None:
    """Return why nothing of a session can be accepted (not all of it ran), or None."""
    if selection.stopped is not None:
        return f"this session was cut short ({selection.stopped})"
    if failures:
        return f"a process of this session failed ({failures[0].text.partition(chr(10))[0]})"
    return None


def leave_candidate(
    report: SessionReport,
    folder: Path | None,
    candidate: Candidate | None,
    cwd: Path,
    other_baseline: Path | None = None,
) -> SessionReport:
    """Replace the last session's candidate by this one's, and return the report with its path.

    Paths are relative to ``cwd``, as they can be typed there: of the candidate, and of its
    baseline where that is not the project's own (``other_baseline``). A failure is a notice.
    """
    if folder is None or candidate is None:
        return report
    try:
        create_ignored_folder(folder, _CANDIDATE_README)
        with locked(folder):
            made = create_staging_folder(folder / SESSION)
            write_candidate(made, candidate)
            replace_folder(made, folder / SESSION)
    except (OSError, ParetoError, UnicodeError) as error:
        notice = f"no candidate is left for `pytest-pareto accept`: {error}"
        judgement = report.judgement
        judgement = replace(judgement, notices=(*judgement.notices, notice))
        return replace(report, judgement=judgement)
    if candidate.refused:
        return report
    acceptable = frozenset(
        case for case, offer in candidate.offers.items() if offer.changes and not offer.left_out
    )
    facts = replace(
        report.facts,
        candidate_path=relative_path(folder, cwd),
        acceptable=acceptable,
        other_baseline=None if other_baseline is None else relative_path(other_baseline, cwd),
    )
    return replace(report, facts=facts)


def remove_candidate(folder: Path | None) -> str | None:
    """Remove the last session's candidate; return why that failed, or None.

    Otherwise a user could take it for this session's, and for one of the present baseline.
    """
    if folder is None or not (folder / SESSION).is_dir():
        return None
    try:
        with locked(folder):
            remove_folder(folder / SESSION)
    except OSError as error:
        return f"the last session's candidate could not be removed from {folder}: {error}"
    return None
