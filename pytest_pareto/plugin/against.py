"""Interleaved sessions (``--pareto-against REF``): old and new code measured alternately.

`AgainstRuns` replaces pytest's run loop. `open_legs` checks the old code out and removes it at the
end; `collect_ref_tests` collects the ref's own tests, so that a test that is gone is noticed.
"""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pytest_pareto.judge.gate import confirming_level, flagged, flagged_by_test, flagged_changes
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import BUILT_IN
from pytest_pareto.model.policy import RUNS_PER_BLOCK, SCREENING_BLOCKS, SCREENING_PAIRS
from pytest_pareto.model.run import Interleaved
from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import Failure
from pytest_pareto.plugin.against_verdict import (
    InterleavedRuns,
    conclude_interleaved,
    judge_interleaved,
    unmeasured_side,
)
from pytest_pareto.plugin.command_line import timeout_s
from pytest_pareto.plugin.fresh_processes import (
    COMPLETED_EXIT_CODES,
    child_arguments,
    defers_to_pytest,
    read_line,
)
from pytest_pareto.plugin.interleaving import InterleavedRunner
from pytest_pareto.plugin.progress import write_progress
from pytest_pareto.plugin.settings import AgainstOptions, Selection, Settings
from pytest_pareto.runs.git import Commit, Tree, open_tree, resolve
from pytest_pareto.runs.leg_process import (
    LegError,
    LegRun,
    run_process,
    set_up,
)
from pytest_pareto.runs.legs import Leg, Side, make_legs, same_folder
from pytest_pareto.runs.project import changed_data, survey_project
from pytest_pareto.runs.tempfolders import run_folder
from pytest_pareto.runs.worktree import check_out, refuse_missing_content, refuse_unbuilt
from pytest_pareto.stats.power import blocks_for


@contextlib.contextmanager
def open_legs(
    session: pytest.Session, candidate: Tree, commit: Commit, against: AgainstOptions
) -> Iterator[dict[Side, Leg]]:
    """Yield both legs: check the commit out, run the setup command, remove it all at the end.

    Raises ParetoError, with a remedy, where the old code cannot be used beside the new.
    """
    write_progress(session.config, f"measuring interleaved with {commit}")
    with check_out(candidate, commit, against.links) as worktree:
        tests = [item.path for item in session.items]
        tests += [candidate.root / folder for folder in against.test_folders]

        def survey() -> dict[Side, Leg]:
            return make_legs(
                candidate,
                worktree,
                survey_project(candidate, worktree, tests),
                tests_of=against.tests_of,
                cwd=session.config.invocation_params.dir,
            )

        legs = survey()
        if against.setup:
            _build(session, legs, against.setup)
            legs = survey()  # the command may have generated code, or fetched a submodule's
        else:
            refuse_unbuilt(candidate, worktree, legs[Side.REF].project)
        refuse_missing_content(candidate, worktree)
        yield legs


def _build(session: pytest.Session, legs: dict[Side, Leg], command: str) -> None:
    with run_folder() as folder:
        for side, leg in legs.items():
            write_progress(session.config, f"setting up the {side} leg: {command}")
            set_up(leg, command, folder / str(side))


@dataclass(frozen=True, slots=True)
class CollectedTests:
    """The node ids of the ref's own tests, in order, with whether each measures.

    ``notices`` report what could not be collected.
    """

    tests: Mapping[str, bool] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def collect_ref_tests(session: pytest.Session, leg: Leg) -> CollectedTests:
    """Collect the ref's own tests with the ref's code, selected as the session's own are.

    A failure becomes a notice, not an error: the comparison does not need these tests.
    """
    ref_leg = _leg_with_ref_tests(session, leg)
    if ref_leg is None:
        return CollectedTests()
    reader = _ListingReader()
    try:
        with run_folder() as folder:
            run_process(
                LegRun(
                    ref_leg,
                    lambda lines: child_arguments(
                        session,
                        lines,
                        folder / "spec.json",
                        nodeids=(),
                        leg=ref_leg,
                        lists=True,
                    ),
                    folder=folder / "run",
                    hear=reader,
                    timeout_s=timeout_s(session.config),
                    orderly=COMPLETED_EXIT_CODES,
                )
            )
    except ParetoError as error:
        first, *rest = str(error).splitlines()
        why = f"{first} {rest[-1]}" if rest else first
        return CollectedTests(
            notices=(f"whether a test of the old code is gone is not known: {why}",)
        )
    # A node id may contain an absolute path: map it to the same path in this working tree.
    new_top, old_top = str(ref_leg.other.top), str(ref_leg.tree.top)
    tests = {
        nodeid.replace(old_top, new_top): measures for nodeid, measures in reader.tests.items()
    }
    return CollectedTests(tests, reader.notices())


def _leg_with_ref_tests(session: pytest.Session, leg: Leg) -> Leg | None:
    """Return the ref's leg with the ref's own tests; None where it lacks the start folder."""
    start = same_folder(session.config.invocation_params.dir, leg.other, leg.tree)
    return replace(leg, tests=leg.tree, cwd=start) if start.is_dir() else None


class _ListingReader:
    """Reads the lines of a child that only lists its tests."""

    def __init__(self) -> None:
        self.tests: dict[str, bool] = {}
        self._uncollected: list[tuple[str, str]] = []

    def __call__(self, text: str) -> None:
        line = read_line(text)
        if line.listed is not None:
            self.tests = line.listed
        elif line.uncollected is not None:
            self._uncollected.append(line.uncollected)

    def notices(self) -> tuple[str, ...]:
        if not self._uncollected:
            return ()
        nodeid, why = self._uncollected[0]
        more = f" (and {len(self._uncollected) - 1} more)" if len(self._uncollected) > 1 else ""
        notice = (
            f"as of the old code, {nodeid}{more} cannot be collected, so that it is not known "
            f"whether a test of it is gone: {why}"
        )
        return (notice,)


class AgainstRuns:
    """Replaces pytest's run loop: measures both legs interleaved.

    The first run of the new code is shown while it runs. What is then flagged is measured again
    on both sides, while the old code is still checked out.
    """

    def __init__(self, settings: Settings, selection: Selection, root: Path) -> None:
        assert settings.against is not None
        self._settings = settings
        self._selection = selection
        self._against = settings.against
        self._candidate = open_tree(root)
        self._commit = resolve(self._candidate, settings.against.ref)
        self._failures: list[Failure] = []
        self._notices: list[str] = []
        self._in_pairs = sys.platform != "win32"  # its processes inherit no socket
        self._interleaved: InterleavedRuns | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Measure both legs, then measure again what is flagged."""
        if defers_to_pytest(session):
            return None
        if not session.items:
            return True
        try:
            with open_legs(session, self._candidate, self._commit, self._against) as legs:
                self._measure(session, legs)
        except ParetoError as error:
            # Half of a comparison cannot be judged.
            self._interleaved = None
            self._failures.append(Failure(str(error)))
        except OSError as error:
            self._interleaved = None
            what = (
                f"--pareto-against: {error}; look whether the temp folder can be written, and has "
                "room for the old code (TMPDIR sets another)."
            )
            self._failures.append(Failure(what))
        return True

    def conclude(self, session: pytest.Session, duration_s: float) -> SessionReport:
        """Judge both legs and return the report; what could not be compared fails."""
        return conclude_interleaved(
            session,
            self._interleaved,
            self._settings,
            self._selection,
            tuple(self._failures),
            self._commit,
            duration_s,
        )

    def _measure(self, session: pytest.Session, legs: Mapping[Side, Leg]) -> None:
        collected = self._collect(session, legs[Side.REF])
        # Where the ref's tests measure, run all of them: also those that the new code has not.
        nodeids = tuple(collected.tests) if self._against.tests_of is Side.REF else None
        runner = InterleavedRunner(session, legs, nodeids=nodeids or None)
        screen = self._interleave(runner, self._against.runs, show=True)
        reason = unmeasured_side(screen, self._commit)
        if reason is not None:
            raise ParetoError(reason)
        ref = legs[Side.REF]
        self._interleaved = InterleavedRuns(
            screen,
            gone=() if nodeids else self._gone_tests(session, collected),
            notices=(*collected.notices, *self._notices),
            data=tuple(map(str, changed_data(ref.other, ref.tree, ref.project.ground))),
        )
        judgement = judge_interleaved(self._interleaved, self._settings, self._selection).judgement
        flagged_metrics = flagged(judgement) if self._settings.policy.confirming else frozenset()
        if not flagged_metrics:
            return
        level = confirming_level(judgement, flagged_metrics, self._settings.policy.alpha)
        per_block, fixed = screen.runs_per_block, RUNS_PER_BLOCK * self._settings.policy.confirming
        changes = flagged_changes(judgement, flagged_metrics)
        planned = per_block * blocks_for(
            changes, screen.blocks, level, per_block, pooled=judgement.pooled
        )
        runs = fixed if self._against.fixed_confirm else planned
        names = flagged_by_test(judgement, flagged_metrics)
        runner = InterleavedRunner(
            session,
            legs,
            nodeids=nodeids or None,
            # A stage comes with the latency of its call, and a meter may need another one's.
            measured={test: n if n <= BUILT_IN.keys() else None for test, n in names.items()},
        )
        started_s = time.monotonic()
        again = self._interleave(runner, runs, after=screen.blocks)
        self._interleaved = replace(
            self._interleaved,
            flagged=flagged_metrics,
            again=again,
            confirming_s=time.monotonic() - started_s,
            notices=(*collected.notices, *self._notices),
        )

    def _interleave(
        self, runner: InterleavedRunner, runs: int | None, *, after: int = 0, show: bool = False
    ) -> Interleaved:
        """Measure ``runs`` runs of each side in pairs of live processes, or else in blocks.

        Without a number, as many as screen.
        """
        # The difference of a single pair has no spread to judge by.
        pairs = SCREENING_PAIRS if runs is None else max(runs, 2)
        found = None
        if self._in_pairs:
            try:
                found = runner.run_pairs(pairs, after=after, show=show)
            except LegError as error:
                self._measure_apart(str(error).partition(";")[0])
            if runner.out_of_memory is not None:
                self._measure_apart(f"{runner.out_of_memory} ran out of memory")
        if not self._in_pairs:
            runner.forget()
            blocks = SCREENING_BLOCKS if runs is None else -(-runs // RUNS_PER_BLOCK)
            found = runner.run_blocks(blocks, after=after, show=show)
        assert found is not None
        self._failures += runner.failures
        return found

    def _measure_apart(self, why: str) -> None:
        self._in_pairs = False
        self._notices.append(
            "old and new code were measured one after the other, in blocks of fresh processes, "
            f"since they could not live at the same time: {why}"
        )

    def _collect(self, session: pytest.Session, leg: Leg) -> CollectedTests:
        if self._selection.is_chosen_by_cache:
            # The tests were selected by this folder's pytest cache, which the ref's tests lack.
            return CollectedTests()
        return collect_ref_tests(session, leg)

    def _gone_tests(self, session: pytest.Session, collected: CollectedTests) -> tuple[str, ...]:
        here = {item.nodeid for item in session.items} | self._selection.deselected
        return tuple(
            test for test, measures in collected.tests.items() if measures and test not in here
        )
