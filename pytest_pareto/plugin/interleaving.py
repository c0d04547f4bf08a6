"""The runs of an interleaved session: pairs of live processes, or blocks of fresh ones.

`InterleavedRunner` runs both legs and collects their runs. Where two processes live at once they
are connected, and take turns (see `measure.turns`).
"""

import contextlib
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pytest_pareto.compare.interleaved import align_rounds
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.run import Interleaved, Run
from pytest_pareto.model.verdict import Failure
from pytest_pareto.plugin.command_line import timeout_s
from pytest_pareto.plugin.fresh_processes import (
    COMPLETED_EXIT_CODES,
    ChildReader,
    TurnsSpec,
    child_arguments,
)
from pytest_pareto.plugin.outputs import output_folder
from pytest_pareto.plugin.process_hooks import RunBuilder
from pytest_pareto.plugin.progress import Countdown
from pytest_pareto.plugin.replication import Replay
from pytest_pareto.runs.leg_process import LegRun, run_legs, run_order
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.provenance import refuse_untracked_modules
from pytest_pareto.runs.tempfolders import run_folder

_CODE = {Side.REF: "the old code", Side.CANDIDATE: "the new code"}


class InterleavedRunner:
    """Measures both legs interleaved, and collects the runs by side.

    Pairs of live processes take turns (`run_pairs`); blocks of fresh processes, one after another,
    are the way where two cannot live at once (`run_blocks`). ``nodeids`` are the tests to run, by
    default the session's. ``measured`` are those of them that measure, by default all, and
    ``metrics`` what meters measure in them, by default everything.
    """

    def __init__(
        self,
        session: pytest.Session,
        legs: Mapping[Side, Leg],
        *,
        nodeids: Sequence[str] | None = None,
        measured: Collection[str] | None = None,
        metrics: Collection[str] | None = None,
    ) -> None:
        self._session = session
        self._nodeids = nodeids
        self._legs = legs
        self._measured = measured
        self._metrics = metrics
        self._runs: dict[Side, list[Run]] = {Side.REF: [], Side.CANDIDATE: []}
        self.failures: list[Failure] = []
        self.out_of_memory: str | None = None
        self._shown = False

    def run_pairs(self, pairs: int, *, after: int = 0, show: bool = False) -> Interleaved:
        """Run ``pairs`` pairs of live processes and return their runs, by side.

        ``after`` is the number of blocks that came before; where there were none, the legs warm up.
        With ``show``, pytest's reporters show the first run of the new code. Sets ``out_of_memory``
        and ends where a test ran out of memory. Raises LegError where a process ended in disorder.
        """
        countdown = Countdown(self._session.config, pairs)
        for block in range(after and after + 1, after + pairs + 1):
            pair = f"pair {block} of {after + pairs}"
            countdown.start(f"{self._what}, {pair}" if block else "warm-up of both")
            old, new = self._run((Side.REF, Side.CANDIDATE), block=block, show=show)
            if self.out_of_memory is not None:
                break
            if block:
                self._keep(*align_rounds(old, new))
        countdown.end(f"{self._what} in {plural(pairs, 'pair')} of live processes")
        return self._interleaved

    def run_blocks(self, blocks: int, *, after: int = 0, show: bool = False) -> Interleaved:
        """Run ``blocks`` blocks of four fresh processes and return their runs, by side.

        The arguments are those of `run_pairs`. Raises LegError as well.
        """
        planned = list(run_order(blocks, after=after))
        countdown = Countdown(self._session.config, len(planned))
        for scheduled in planned:
            block = f"block {scheduled.block} of {after + blocks}"
            where = "warm-up" if scheduled.is_warm_up else block
            countdown.start(f"{self._what}, {where}: {_CODE[scheduled.side]}")
            (run,) = self._run((scheduled.side,), block=scheduled.block, show=show)
            if not scheduled.is_warm_up:
                self._runs[scheduled.side].append(run)
        countdown.end(f"{self._what} in {plural(blocks, 'block')} of 4 runs")
        return self._interleaved

    def forget(self) -> None:
        """Forget what was measured, to measure anew in another way."""
        self._runs = {Side.REF: [], Side.CANDIDATE: []}
        self.failures.clear()
        self.out_of_memory = None

    @property
    def _what(self) -> str:
        return "measuring again" if self._measured is not None else "measuring"

    @property
    def _interleaved(self) -> Interleaved:
        return Interleaved(tuple(self._runs[Side.REF]), tuple(self._runs[Side.CANDIDATE]))

    def _keep(self, old: Run, new: Run) -> None:
        self._runs[Side.REF].append(old)
        self._runs[Side.CANDIDATE].append(new)

    def _run(self, sides: Sequence[Side], *, block: int, show: bool = False) -> list[Run]:
        """Run one leg, or both at once; return the run of each. Block 0 is the warm-up."""
        warms_up = block == 0
        shows = show and not (warms_up or self._shown) and Side.CANDIDATE in sides
        # What a pair reports is shown when it has ended: it may have to be measured anew.
        reports: list[pytest.TestReport] = []
        replay = Replay(self._session).show
        hear = (reports.append if len(sides) > 1 else replay) if shows else lambda _: None
        builders = {side: RunBuilder() for side in sides}
        readers = {
            side: ChildReader(
                self._session, builders[side], hear if side is Side.CANDIDATE else lambda _: None
            )
            for side in sides
        }
        with run_folder() as folder, _connections(sides) as connections:
            turns = _turns(connections, block)
            legs = [
                LegRun(
                    self._legs[side],
                    partial(self._arguments, side, folder, turns.get(side), warms_up=warms_up),
                    folder=folder / str(side),
                    hear=readers[side],
                    timeout_s=timeout_s(self._session.config),
                    orderly=COMPLETED_EXIT_CODES,
                    is_watched=warms_up,
                    inherited=connections.get(side, ()),
                )
                for side in sides
            ]
            run_legs(legs)
        runs = [
            self._result(side, builders[side], readers[side], block, shows=shows) for side in sides
        ]
        if shows and self.out_of_memory is None:
            self._shown = True
            for report in reports:
                replay(report)
        return runs

    def _arguments(
        self, side: Side, folder: Path, turns: TurnsSpec | None, lines: Path, *, warms_up: bool
    ) -> list[str]:
        leg = self._legs[side]
        keeps = self._measured is None and not (warms_up or self._runs[side])
        return child_arguments(
            self._session,
            lines,
            folder / f"{side}.json",
            nodeids=self._nodeids,
            measured=() if warms_up else self._measured,
            metrics=self._metrics,
            leg=leg,
            # Both legs run the tests of one side: the other's code may lack what those import.
            may_lack=side is Side.REF or leg.tests != leg.tree,
            outputs=output_folder(self._session.config, side) if keeps else None,
            turns=turns,
        )

    def _result(
        self, side: Side, builder: RunBuilder, reader: ChildReader, block: int, *, shows: bool
    ) -> Run:
        if side is Side.REF:
            refuse_untracked_modules(self._legs[side], builder.failed)
        error = reader.failure_reason()
        if error is not None or reader.environment is None:
            raise ParetoError(f"the {side} leg: {error}")
        if side is Side.CANDIDATE and not shows:
            where = "the warm-up" if block == 0 else f"block {block}"
            self.failures += builder.silent_failures(f"{where} of the new code", counted=block != 0)
        self.out_of_memory = self.out_of_memory or builder.out_of_memory
        return replace(builder.build(reader.environment), block=block)


@contextlib.contextmanager
def _connections(sides: Sequence[Side]) -> Iterator[dict[Side, tuple[socket.socket]]]:
    """Yield the end of a connection for each of two sides; none for one side."""
    if len(sides) == 1:
        yield {}
        return
    ends = socket.socketpair()
    with ends[0], ends[1]:
        yield {side: (end,) for side, end in zip(sides, ends, strict=True)}


def _turns(connections: Mapping[Side, tuple[socket.socket]], block: int) -> dict[Side, TurnsSpec]:
    """Return how the connected sides take turns; each begins in every other block."""
    return {
        side: TurnsSpec(end.fileno(), first=(block + number) % 2 == 0, seed=block)
        for number, (side, (end,)) in enumerate(connections.items())
    }
