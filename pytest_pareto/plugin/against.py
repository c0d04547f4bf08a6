"""``--pareto-against REF``: the old code and the new in turn, in fresh processes."""

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest

from pytest_pareto.compare.planning import blocks_for
from pytest_pareto.judge.screening import confirming_level, flagged, suspected_changes
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.run import Interleaved, Run
from pytest_pareto.plugin.children import ORDERLY, Hearing, child_arguments
from pytest_pareto.plugin.collecting import RunBuilder
from pytest_pareto.plugin.conclusion import Conclusion
from pytest_pareto.plugin.legs import opened_legs
from pytest_pareto.plugin.progress import Countdown
from pytest_pareto.plugin.replay import Replay
from pytest_pareto.plugin.selection import Selection
from pytest_pareto.plugin.settings import Settings, timeout_s
from pytest_pareto.plugin.turns_verdict import (
    Turns,
    conclude_turns,
    judge_turns,
    unmeasured_side,
)
from pytest_pareto.report.summary import plural
from pytest_pareto.runs.blocks import Turn, turns
from pytest_pareto.runs.changes import changed_data
from pytest_pareto.runs.leg_run import run_leg
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.repository import open_tree, resolve


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
        self._failures: list[str] = []
        self._turns: Turns | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Measure both legs, and again what looks worse."""
        option = session.config.option
        if option.collectonly or (session.testsfailed and not option.continue_on_collection_errors):
            return None
        if not session.items:
            return True
        try:
            with opened_legs(session, self._candidate, self._commit, self._against) as legs:
                self._measure(session, legs)
        except ParetoError as error:
            # Half of a comparison is none.
            self._turns = None
            self._failures.append(str(error))
        return True

    def conclude(self, session: pytest.Session, duration_s: float) -> Conclusion:  # noqa: ARG002
        """Judge what both legs measured; what could not be compared fails."""
        return conclude_turns(
            self._turns,
            self._settings,
            self._selection,
            tuple(self._failures),
            self._commit,
            duration_s,
        )

    def _measure(self, session: pytest.Session, legs: Mapping[Side, Leg]) -> None:
        blocks = self._against.blocks
        taking = _Taking(session, legs)
        screen = taking.take(blocks, show=True)
        self._failures += taking.failures
        lack = unmeasured_side(screen, self._commit)
        if lack is not None:
            raise ParetoError(lack)
        ref = legs[Side.REF]
        data = tuple(map(str, changed_data(ref.other, ref.tree, ref.project.ground)))
        self._turns = Turns(screen, data=data)
        judgement = judge_turns(self._turns, self._settings, self._selection).judgement
        suspects = flagged(judgement) if self._settings.confirm else frozenset()
        if not suspects:
            return
        level = confirming_level(judgement, suspects, self._settings.policy.alpha)
        planned = blocks_for(suspected_changes(judgement, suspects), blocks, level)
        count = self._settings.confirm if self._against.fixed_confirm else planned
        cases = {case_id for case_id, _ in suspects}
        nodeids = {c.comparison.nodeid for c in judgement.cases if c.case_id in cases}
        taking = _Taking(session, legs, measured=nodeids)
        again = taking.take(count, after=blocks)
        self._failures += taking.failures
        self._turns = Turns(screen, suspects, again, data)


class _Taking:
    """Runs blocks of turns, and gathers what they measured by side."""

    def __init__(
        self,
        session: pytest.Session,
        legs: Mapping[Side, Leg],
        *,
        measured: Collection[str] | None = None,
    ) -> None:
        self._session = session
        self._legs = legs
        self._measured = measured
        self._runs: dict[Side, list[Run]] = {Side.REF: [], Side.CANDIDATE: []}
        self.failures: list[str] = []
        self._shown = False

    def take(self, blocks: int, *, after: int = 0, show: bool = False) -> Interleaved:
        """Run the blocks that follow ``after`` others; ``show`` the first run of the new code."""
        planned = list(turns(blocks, after=after))
        what = "measuring again" if self._measured is not None else "measuring"
        countdown = Countdown(self._session.config, len(planned))
        for turn in planned:
            countdown.start(f"{what}, {_named(turn, after + blocks)}")
            run = self._run(turn, show=show)
            if not turn.is_warm_up:
                self._runs[turn.side].append(run)
        countdown.end(f"{what} in {plural(blocks, 'block')} of 4 runs")
        return Interleaved(tuple(self._runs[Side.REF]), tuple(self._runs[Side.CANDIDATE]))

    def _run(self, turn: Turn, *, show: bool) -> Run:
        builder = RunBuilder()
        shows = show and not self._shown and turn.side is Side.CANDIDATE and not turn.is_warm_up
        self._shown = self._shown or shows
        hearing = Hearing(
            self._session, builder, Replay(self._session).show if shows else lambda _: None
        )
        leg = self._legs[turn.side]
        with tempfile.TemporaryDirectory(prefix="pytest-pareto-") as folder:
            run_leg(
                leg,
                lambda lines: child_arguments(
                    self._session,
                    lines,
                    Path(folder, "spec.json"),
                    measured=self._measured,
                    rootdir=leg.tests.root,
                    may_lack=turn.side is Side.REF,
                ),
                folder=Path(folder, "run"),
                hear=hearing,
                timeout_s=timeout_s(self._session.config),
                orderly=ORDERLY,
                is_watched=turn.is_warm_up,
            )
        trouble = hearing.missing()
        if trouble is not None or hearing.environment is None:
            raise ParetoError(f"the {turn.side} leg: {trouble}")
        if turn.side is Side.CANDIDATE and not shows:
            where = "the warm-up" if turn.is_warm_up else f"block {turn.block}"
            self.failures += builder.silent_failures(
                f"{where} of the new code", counted=not turn.is_warm_up
            )
        return builder.build(hearing.environment)


def _named(turn: Turn, blocks: int) -> str:
    side = "the old code" if turn.side is Side.REF else "the new code"
    where = "warm-up" if turn.is_warm_up else f"block {turn.block} of {blocks}"
    return f"{where}: {side}"
