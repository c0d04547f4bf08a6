"""Run the legs of an interleaved comparison, each run in a fresh process.

`run_order` yields the order of the runs. `run_legs` runs one of them, or several at once, and
verifies that each measured its own code; `run_groups` runs several of these groups one after the
other, and starts their processes together. `set_up` runs the user's build command.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Container, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.legs import Leg, Side, prepare_leg
from pytest_pareto.runs.process import POLL_S, Barrier, ChildProcess
from pytest_pareto.runs.project import SETUP_OPTION
from pytest_pareto.runs.provenance import prove


class LegError(ParetoError):
    """A leg's process took too long, or ended in a way that it should not."""


@dataclass(frozen=True, slots=True)
class LegRun:
    """One run of a leg in a fresh process.

    ``arguments`` makes the command from the path of the file to which the child appends lines;
    ``hear`` gets each line. ``folder`` belongs to this run alone, and is created. A run that takes
    longer than ``timeout_s``, or ends with a code that is not in ``orderly``, is an error. With
    ``is_watched`` the run logs more (see `legs.prepare_leg`), and its readings must be discarded.
    ``inherited`` are sockets that go over to the child, and at the ``barrier`` it waits before its
    work, once it is ready.
    """

    leg: Leg
    arguments: Callable[[Path], Sequence[str]]
    folder: Path
    hear: Callable[[str], None]
    timeout_s: float | None = None
    orderly: Container[int] = (0,)
    is_watched: bool = False
    inherited: tuple[socket.socket, ...] = ()
    barrier: Barrier | None = None


def run_legs(runs: Sequence[LegRun]) -> tuple[frozenset[str], ...]:
    """Run legs at once, each in a fresh process; return the project's modules that each imported.

    Where one of them fails, the others are ended. Raises LegError as `run_process` does, and
    ParetoError where a leg did not measure its own code.
    """
    (modules,) = run_groups([runs])
    return modules


def run_groups(
    groups: Sequence[Sequence[LegRun]],
) -> Generator[tuple[frozenset[str], ...], None, None]:
    """Run groups of legs one after the other; yield what `run_legs` returns for each.

    All processes start at once. Those of more than one group must have a ``barrier``: the first
    group begins when all of them are ready, and no process starts up while another one works. When
    the generator is closed, those that wait are ended. Raises what `run_legs` raises.
    """
    with ExitStack() as stack:
        started = [[_StartedRun(run) for run in group] for group in groups]
        every = [each for group in started for each in group]
        for each in every:
            stack.enter_context(each.child)
        while not all(each.is_ready() for each in every):
            time.sleep(POLL_S)
        for group in started:
            for each in group:
                each.begin()
            _follow(group)
            yield tuple(prove(each.run.leg, each.equipment.origins, each.pid) for each in group)


def run_process(run: LegRun) -> None:
    """Run a leg once in a fresh process, without a proof of its code.

    The process and its group end with the call, however that ends; a process that it started in a
    session of its own does not. Raises LegError with the end of the output.
    """
    started = _StartedRun(run)
    with started.child:
        _follow([started])


class _StartedRun:
    """A run of a leg and its process."""

    def __init__(self, run: LegRun) -> None:
        self.run = run
        self.equipment = prepare_leg(run.leg, run.folder, is_watched=run.is_watched)
        lines = run.folder / "lines.jsonl"
        self.child = ChildProcess(
            run.arguments(lines),
            cwd=run.leg.cwd,
            log=run.folder / "log.txt",
            lines=lines,
            environment=self.equipment.environment,
            timeout_s=run.timeout_s,
            inherited=(*run.inherited, *((run.barrier.childs,) if run.barrier else ())),
        )

    @property
    def pid(self) -> int:
        """The process id, once the process is started."""
        assert self.child.pid is not None
        return self.child.pid

    def is_ready(self) -> bool:
        """Return whether the process waits at its barrier, has none, or has ended."""
        barrier = self.run.barrier
        return barrier is None or not self.follow() or barrier.is_reached()

    def begin(self) -> None:
        """Let the process go on from its barrier."""
        if self.run.barrier is not None:
            self.child.start_timer()
            self.run.barrier.open()

    def follow(self) -> bool:
        """Pass on what the child has written, and return whether it goes on.

        Raises LegError where it took too long or ended in disorder.
        """
        subject = f"the {self.run.leg.side} leg"
        try:
            ended = self.child.has_ended()
        except TimeoutError as error:
            raise LegError(
                f"{subject} was ended: {error}; its output ends:\n{self.child.tail()}"
            ) from None
        for line in self.child.new_lines():
            self.run.hear(line)
        if ended:
            _require_exit_code(subject, self.child, self.run.orderly)
        return not ended


def _follow(started: Sequence[_StartedRun]) -> None:
    going = list(started)
    while going := [each for each in going if each.follow()]:
        time.sleep(POLL_S)


def set_up(leg: Leg, command: str, folder: Path, *, timeout_s: float | None = None) -> None:
    """Run the user's shell command in the leg's project folder, with the leg's environment.

    ``folder`` belongs to this command alone, and is created; the output goes to its ``log.txt``.
    Raises LegError with the end of the output where the command fails or takes too long.
    """
    child = ChildProcess(
        [*_shell(), command],
        cwd=leg.tree.root,
        environment=prepare_leg(leg, folder).environment,
        log=folder / "log.txt",
        lines=folder / "lines.txt",
        timeout_s=timeout_s,
    )
    subject = f"the {leg.side} leg's {SETUP_OPTION} ({command})"
    try:
        with child:
            child.wait()
    except TimeoutError as error:
        raise LegError(f"{subject} was ended: {error}; its output ends:\n{child.tail()}") from None
    _require_exit_code(subject, child, (0,))


def _require_exit_code(subject: str, child: ChildProcess, orderly: Container[int]) -> None:
    code = child.exit_code
    assert code is not None
    if code not in orderly:
        raise LegError(f"{subject} {_exit_text(code)}; its output ends:\n{child.tail()}")


def _exit_text(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    hint = " (is the machine out of memory?)" if code == -getattr(signal, "SIGKILL", 0) else ""
    return f"was ended by signal {-code}{hint}"


def _shell() -> tuple[str, ...]:
    if sys.platform == "win32":
        return os.environ.get("COMSPEC", "cmd.exe"), "/c"
    return "/bin/sh", "-c"


_ABBA = (Side.REF, Side.CANDIDATE, Side.CANDIDATE, Side.REF)
_BAAB = (Side.CANDIDATE, Side.REF, Side.REF, Side.CANDIDATE)


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """One run of one leg; block 0 is the warm-up, whose readings are discarded."""

    side: Side
    block: int

    @property
    def is_warm_up(self) -> bool:
        """Whether this run only prepares the later ones."""
        return self.block == 0


def run_order(blocks: int, *, after: int = 0) -> Iterator[ScheduledRun]:
    """Yield the runs of ``blocks`` blocks of four, two of each leg, after ``after`` other blocks.

    Within a block both legs have the same mean time, so a linear drift of the machine does not
    change their difference. The second block mirrors the first, and so on alternately. Over an even
    number of blocks each leg goes first, and follows itself, equally often, so a pause before a
    block or a curved drift affects both legs alike.

    Before the first block each leg runs once as a warm-up: a fresh worktree has no bytecode yet,
    and its files are not in the system's cache. The warm-up runs are watched more closely than the
    others (see `run_process`).
    """
    if after == 0 and blocks > 0:
        yield from (ScheduledRun(Side.REF, 0), ScheduledRun(Side.CANDIDATE, 0))
    for block in range(after + 1, after + blocks + 1):
        for side in _ABBA if block % 2 else _BAAB:
            yield ScheduledRun(side, block)
