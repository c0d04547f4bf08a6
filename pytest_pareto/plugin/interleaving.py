"""The runs of an interleaved session: pairs of live processes, or blocks of fresh ones.

`InterleavedRunner` runs both legs and collects their runs. Where two processes live at once they
are connected, and take turns (see `measure.turns`). Several pairs start up together, as far as
memory allows, and then wait: what a test module imports takes seconds in each process.
"""

import contextlib
import socket
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
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
    MeasuredTests,
    TurnsSpec,
    child_arguments,
    startups_at_once,
)
from pytest_pareto.plugin.outputs import output_folder
from pytest_pareto.plugin.process_hooks import RunBuilder
from pytest_pareto.plugin.progress import Countdown
from pytest_pareto.plugin.replication import Replay
from pytest_pareto.plugin.report_files import trace_folder
from pytest_pareto.runs.leg_process import LegRun, run_groups, run_order
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.process import Barrier
from pytest_pareto.runs.provenance import refuse_untracked_modules
from pytest_pareto.runs.tempfolders import run_folder

_CODE = {Side.REF: "the old code", Side.CANDIDATE: "the new code"}


class InterleavedRunner:
    """Measures both legs interleaved, and collects the runs by side.

    Pairs of live processes take turns (`run_pairs`); blocks of fresh processes, one after another,
    are the way where two cannot live at once (`run_blocks`). ``nodeids`` are the tests to run, by
    default the session's. ``measured`` are those of them that measure, by default all.
    """

    def __init__(
        self,
        session: pytest.Session,
        legs: Mapping[Side, Leg],
        *,
        nodeids: Sequence[str] | None = None,
        measured: MeasuredTests | None = None,
    ) -> None:
        self._session = session
        self._nodeids = nodeids
        self._legs = legs
        self._measured = measured
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
        blocks = list(range(after and after + 1, after + pairs + 1))
        at_once = startups_at_once(self._session.config, _MOST_PAIRS_AT_ONCE, processes=2)
        for batch in (blocks[n : n + at_once] for n in range(0, len(blocks), at_once)):
            countdown.start(self._pair_text(batch[0], after + pairs))
            with contextlib.closing(
                self._run((Side.REF, Side.CANDIDATE), batch, show=show)
            ) as runs:
                for block, (old, new) in zip(batch, runs, strict=True):
                    if self.out_of_memory is not None:
                        return self._interleaved
                    if block:
                        self._keep(*align_rounds(old, new))
                    if block < batch[-1]:
                        countdown.start(self._pair_text(block + 1, after + pairs))
        countdown.end(f"{self._what} in {plural(pairs, 'pair')} of live processes")
        return self._interleaved

    def _pair_text(self, block: int, last: int) -> str:
        return f"{self._what}, pair {block} of {last}" if block else "warm-up of both"

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
            ((run,),) = self._run((scheduled.side,), [scheduled.block], show=show)
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

    def _run(
        self, sides: Sequence[Side], blocks: Sequence[int], *, show: bool
    ) -> Generator[list[Run], None, None]:
        """Run one leg, or both at once, in each block; yield the runs of each. 0 is the warm-up."""
        with contextlib.ExitStack() as stack:
            first = next((block for block in blocks if block), None)
            tasks = [
                self._task(
                    stack, sides, block, shows=show and block == first, waits=len(blocks) > 1
                )
                for block in blocks
            ]
            groups = run_groups([task.legs for task in tasks])
            stack.enter_context(contextlib.closing(groups))
            for task, _ in zip(tasks, groups, strict=True):
                runs = [self._result(task, side) for side in sides]
                if task.shows and self.out_of_memory is None:
                    self._shown = True
                    for report in task.reports:
                        self._replay(report)
                yield runs

    def _task(
        self,
        stack: contextlib.ExitStack,
        sides: Sequence[Side],
        block: int,
        *,
        shows: bool,
        waits: bool,
    ) -> "_Task":
        """Prepare the runs of one block; ``waits`` is whether others start up with it."""
        shows = shows and not self._shown and Side.CANDIDATE in sides
        # What a pair reports is shown when it has ended: it may have to be measured anew.
        reports: list[pytest.TestReport] = []
        hear = (reports.append if len(sides) > 1 else self._replay) if shows else lambda _: None
        builders = {side: RunBuilder() for side in sides}
        readers = {
            side: ChildReader(
                self._session, builders[side], hear if side is Side.CANDIDATE else lambda _: None
            )
            for side in sides
        }
        folder = stack.enter_context(run_folder())
        connections = stack.enter_context(_connections(sides))
        turns = _turns(connections, block)
        barriers = {side: stack.enter_context(Barrier()) for side in sides if waits}
        legs = [
            LegRun(
                self._legs[side],
                partial(
                    self._arguments,
                    side,
                    folder,
                    turns.get(side),
                    barriers[side].childs.fileno() if waits else None,
                    block=block,
                ),
                folder=folder / str(side),
                hear=readers[side],
                timeout_s=timeout_s(self._session.config),
                orderly=COMPLETED_EXIT_CODES,
                is_watched=block == 0,
                inherited=connections.get(side, ()),
                barrier=barriers.get(side),
            )
            for side in sides
        ]
        return _Task(block, legs, builders, readers, shows, reports)

    @cached_property
    def _replay(self) -> Callable[[pytest.TestReport], None]:
        return Replay(self._session).show

    def _arguments(
        self,
        side: Side,
        folder: Path,
        turns: TurnsSpec | None,
        barrier: int | None,
        lines: Path,
        *,
        block: int,
    ) -> list[str]:
        leg = self._legs[side]
        is_first = self._measured is None and block == 1 and not self._runs[side]
        return child_arguments(
            self._session,
            lines,
            folder / f"{side}.json",
            nodeids=self._nodeids,
            measured=self._measured if block else {},
            leg=leg,
            # Both legs run the tests of one side: the other's code may lack what those import.
            may_lack=side is Side.REF or leg.tests != leg.tree,
            outputs=output_folder(self._session.config, side) if is_first else None,
            turns=turns,
            barrier=barrier,
            profiles=is_first,
            traces=trace_folder(self._session.config, side) if is_first else None,
        )

    def _result(self, task: "_Task", side: Side) -> Run:
        builder, reader, block = task.builders[side], task.readers[side], task.block
        if side is Side.REF:
            refuse_untracked_modules(self._legs[side], builder.failed)
        error = reader.failure_reason()
        if error is not None or reader.environment is None:
            raise ParetoError(f"the {side} leg: {error}")
        if side is Side.CANDIDATE and not task.shows:
            where = "the warm-up" if block == 0 else f"block {block}"
            self.failures += builder.silent_failures(f"{where} of the new code", counted=block != 0)
        self.out_of_memory = self.out_of_memory or builder.out_of_memory
        return replace(builder.build(reader.environment), block=block)


@dataclass(frozen=True, slots=True)
class _Task:
    """The legs of one block, what reads their lines, and the reports to show when it has ended."""

    block: int
    legs: Sequence[LegRun]
    builders: Mapping[Side, RunBuilder]
    readers: Mapping[Side, ChildReader]
    shows: bool
    reports: Sequence[pytest.TestReport]


_MOST_PAIRS_AT_ONCE = 4


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
