"""Both legs in turn: blocks of runs in fresh processes, gathered by side."""

from collections.abc import Collection, Mapping, Sequence

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.run import Interleaved, Run
from pytest_pareto.plugin.children import ORDERLY, Hearing, child_arguments
from pytest_pareto.plugin.collecting import RunBuilder
from pytest_pareto.plugin.counts import timeout_s
from pytest_pareto.plugin.kept_outputs import handed
from pytest_pareto.plugin.progress import Countdown
from pytest_pareto.plugin.replay import Replay
from pytest_pareto.runs.leg_process import Turn, run_leg, turns
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.provenance import refuse_unlinked
from pytest_pareto.runs.tempfolders import run_folder


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
            refuse_unlinked(leg, builder.failed)
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
