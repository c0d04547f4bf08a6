"""``--pareto-against REF``: the old code and the new in turn, in fresh processes.

Both legs of ``--pareto-against``: opened for a session, and closed whatever happens.

Both legs in turn: blocks of runs in fresh processes, gathered by side.

The ref's own tests: what they are now, so that one that is gone is missed.
"""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pytest_pareto.judge.gate import confirming_level, flagged, suspected_changes
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.run import Interleaved, Run
from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import Failure
from pytest_pareto.plugin.against_verdict import Turns, conclude_turns, judge_turns, unmeasured_side
from pytest_pareto.plugin.command_line import timeout_s
from pytest_pareto.plugin.fresh_processes import (
    ORDERLY,
    Hearing,
    child_arguments,
    leaves_to_pytest,
    read_line,
)
from pytest_pareto.plugin.outputs import handed
from pytest_pareto.plugin.process_hooks import RunBuilder
from pytest_pareto.plugin.progress import Countdown, say
from pytest_pareto.plugin.replication import Replay
from pytest_pareto.plugin.settings import Against, Selection, Settings
from pytest_pareto.runs.git import Commit, Tree, open_tree, resolve
from pytest_pareto.runs.leg_process import ScheduledRun, run_leg, run_order, run_process, set_up
from pytest_pareto.runs.legs import Leg, Side, make_legs, same_folder
from pytest_pareto.runs.project import changed_data, survey_project
from pytest_pareto.runs.provenance import refuse_untracked_modules
from pytest_pareto.runs.tempfolders import run_folder
from pytest_pareto.runs.worktree import check_out, refuse_missing_content, refuse_unbuilt
from pytest_pareto.stats.power import blocks_for


@contextlib.contextmanager
def opened_legs(
    session: pytest.Session, candidate: Tree, commit: Commit, against: Against
) -> Iterator[dict[Side, Leg]]:
    """Check the commit out, build both legs where asked for, and remove it at the end.

    Raises ParetoError where the old code cannot stand beside the new, with the way out.
    """
    say(session.config, f"measuring in turn with {commit}")
    with check_out(candidate, commit, against.links) as worktree:
        tests = [item.path for item in session.items]
        tests += [candidate.root / folder for folder in against.test_folders]

        def look() -> dict[Side, Leg]:
            return make_legs(
                candidate,
                worktree,
                survey_project(candidate, worktree, tests),
                tests_of=against.tests_of,
                cwd=session.config.invocation_params.dir,
            )

        legs = look()
        if against.setup:
            _build(session, legs, against.setup)
            legs = look()  # it may have made code, or brought a submodule's
        else:
            refuse_unbuilt(candidate, worktree, legs[Side.REF].project)
        refuse_missing_content(candidate, worktree)
        yield legs


def _build(session: pytest.Session, legs: dict[Side, Leg], command: str) -> None:
    with run_folder() as folder:
        for side, leg in legs.items():
            say(session.config, f"setting up the {side} leg: {command}")
            set_up(leg, command, folder / str(side))


class Taking:
    """Runs blocks of turns, and gathers what they measured by side.

    ``nodeids`` are the tests, if not the session's; ``measured`` those of them that measure.
    """

    def __init__(
        self,
        session: pytest.Session,
        legs: Mapping[Side, Leg],
        *,
        nodeids: Sequence[str] | None = None,
        measured: Collection[str] | None = None,
    ) -> None:
        self._session = session
        self._nodeids = nodeids
        self._legs = legs
        self._measured = measured
        self._runs: dict[Side, list[Run]] = {Side.REF: [], Side.CANDIDATE: []}
        self.failures: list[Failure] = []
        self._shown = False

    def take(self, blocks: int, *, after: int = 0, show: bool = False) -> Interleaved:
        """Run the blocks that follow ``after`` others; ``show`` the first run of the new code."""
        planned = list(run_order(blocks, after=after))
        what = "measuring again" if self._measured is not None else "measuring"
        countdown = Countdown(self._session.config, len(planned))
        for turn in planned:
            countdown.start(f"{what}, {_named(turn, after + blocks)}")
            run = self._run(turn, show=show)
            if not turn.is_warm_up:
                self._runs[turn.side].append(run)
        countdown.end(f"{what} in {plural(blocks, 'block')} of 4 runs")
        return Interleaved(tuple(self._runs[Side.REF]), tuple(self._runs[Side.CANDIDATE]))

    def _run(self, turn: ScheduledRun, *, show: bool) -> Run:
        builder = RunBuilder()
        shows = show and not self._shown and turn.side is Side.CANDIDATE and not turn.is_warm_up
        self._shown = self._shown or shows
        hearing = Hearing(
            self._session, builder, Replay(self._session).show if shows else lambda _: None
        )
        leg = self._legs[turn.side]
        keeps = self._measured is None and not (turn.is_warm_up or self._runs[turn.side])
        outputs = handed(self._session.config, turn.side) if keeps else None
        with run_folder() as folder:
            run_leg(
                leg,
                lambda lines: child_arguments(
                    self._session,
                    lines,
                    folder / "spec.json",
                    nodeids=self._nodeids,
                    measured=self._measured,
                    leg=leg,
                    # The tests are of one side: the other's code may lack what they import.
                    may_lack=turn.side is Side.REF or leg.tests != leg.tree,
                    outputs=outputs,
                ),
                folder=folder / "run",
                hear=hearing,
                timeout_s=timeout_s(self._session.config),
                orderly=ORDERLY,
                is_watched=turn.is_warm_up,
            )
        if turn.side is Side.REF:
            refuse_untracked_modules(leg, builder.failed)
        trouble = hearing.missing()
        if trouble is not None or hearing.environment is None:
            raise ParetoError(f"the {turn.side} leg: {trouble}")
        if turn.side is Side.CANDIDATE and not shows:
            where = "the warm-up" if turn.is_warm_up else f"block {turn.block}"
            self.failures += builder.silent_failures(
                f"{where} of the new code", counted=not turn.is_warm_up
            )
        return builder.build(hearing.environment)


def _named(turn: ScheduledRun, blocks: int) -> str:
    side = "the old code" if turn.side is Side.REF else "the new code"
    where = "warm-up" if turn.is_warm_up else f"block {turn.block} of {blocks}"
    return f"{where}: {side}"


@dataclass(frozen=True, slots=True)
class Listed:
    """The node ids of the ref's own tests, in order, with whether they measure.

    ``notices`` say what could not be learned.
    """

    tests: Mapping[str, bool] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def list_tests(session: pytest.Session, leg: Leg) -> Listed:
    """Collect the ref's tests with its code, chosen as the session's own are.

    Where that fails, so much is said, and the comparison goes on: it does not need them.
    """
    own = _with_own_tests(session, leg)
    if own is None:
        return Listed()
    heard = _Heard()
    try:
        with run_folder() as folder:
            run_process(
                own,
                lambda lines: child_arguments(
                    session,
                    lines,
                    folder / "spec.json",
                    nodeids=(),
                    leg=own,
                    lists=True,
                ),
                folder=folder / "run",
                hear=heard,
                timeout_s=timeout_s(session.config),
                orderly=ORDERLY,
            )
    except ParetoError as error:
        first, *rest = str(error).splitlines()
        why = f"{first} {rest[-1]}" if rest else first
        return Listed(notices=(f"whether a test of the old code is gone is not known: {why}",))
    # Where an id has a path in it, the same one here has another.
    here, there = str(own.other.top), str(own.tree.top)
    tests = {nodeid.replace(there, here): measures for nodeid, measures in heard.tests.items()}
    return Listed(tests, heard.notices())


def _with_own_tests(session: pytest.Session, leg: Leg) -> Leg | None:
    """Return the ref's leg with the ref's tests; None where it has no folder to start them in."""
    start = same_folder(session.config.invocation_params.dir, leg.other, leg.tree)
    return replace(leg, tests=leg.tree, cwd=start) if start.is_dir() else None


class _Heard:
    """Takes in what the listing child says."""

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
    """Takes the place of pytest's loop: both legs take turns, in blocks of two runs each.

    The first run of the new code is shown as it goes. What then looks worse is measured again,
    both sides anew, while the old code is still checked out.
    """

    def __init__(self, settings: Settings, selection: Selection, root: Path) -> None:
        assert settings.against is not None
        self._settings = settings
        self._selection = selection
        self._against = settings.against
        self._candidate = open_tree(root)
        self._commit = resolve(self._candidate, settings.against.ref)
        self._failures: list[Failure] = []
        self._turns: Turns | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Measure both legs, and again what looks worse."""
        if leaves_to_pytest(session):
            return None
        if not session.items:
            return True
        try:
            with opened_legs(session, self._candidate, self._commit, self._against) as legs:
                self._measure(session, legs)
        except ParetoError as error:
            # Half of a comparison is none.
            self._turns = None
            self._failures.append(Failure(str(error)))
        except OSError as error:
            self._turns = None
            what = (
                f"--pareto-against: {error}; look whether the temp folder can be written, and has "
                "room for the old code (TMPDIR sets another)."
            )
            self._failures.append(Failure(what))
        return True

    def conclude(self, session: pytest.Session, duration_s: float) -> SessionReport:
        """Judge what both legs measured; what could not be compared fails."""
        return conclude_turns(
            session,
            self._turns,
            self._settings,
            self._selection,
            tuple(self._failures),
            self._commit,
            duration_s,
        )

    def _measure(self, session: pytest.Session, legs: Mapping[Side, Leg]) -> None:
        blocks = self._against.blocks
        listed = self._listed(session, legs[Side.REF])
        # Measured by its own tests, the old code also runs those that the new has not.
        nodeids = tuple(listed.tests) if self._against.tests_of is Side.REF else None
        taking = Taking(session, legs, nodeids=nodeids or None)
        screen = taking.take(blocks, show=True)
        self._failures += taking.failures
        lack = unmeasured_side(screen, self._commit)
        if lack is not None:
            raise ParetoError(lack)
        ref = legs[Side.REF]
        self._turns = Turns(
            screen,
            gone=() if nodeids else self._gone(session, listed),
            notices=listed.notices,
            data=tuple(map(str, changed_data(ref.other, ref.tree, ref.project.ground))),
        )
        judgement = judge_turns(self._turns, self._settings, self._selection).judgement
        suspects = flagged(judgement) if self._settings.policy.confirming else frozenset()
        if not suspects:
            return
        level = confirming_level(judgement, suspects, self._settings.policy.alpha)
        planned = blocks_for(suspected_changes(judgement, suspects), blocks, level)
        count = self._settings.policy.confirming if self._against.fixed_confirm else planned
        cases = {case_id for case_id, _ in suspects}
        measured = {c.comparison.nodeid for c in judgement.cases if c.case_id in cases}
        taking = Taking(session, legs, nodeids=nodeids or None, measured=measured)
        again = taking.take(count, after=blocks)
        self._failures += taking.failures
        self._turns = replace(self._turns, flagged=suspects, again=again)

    def _listed(self, session: pytest.Session, leg: Leg) -> Listed:
        if self._selection.is_remembered:
            return Listed()  # the tests were chosen by what this folder remembers of its own
        return list_tests(session, leg)

    def _gone(self, session: pytest.Session, listed: Listed) -> tuple[str, ...]:
        here = {item.nodeid for item in session.items} | self._selection.deselected
        return tuple(
            test for test, measures in listed.tests.items() if measures and test not in here
        )
