"""Run the legs of an interleaved comparison, each run in a fresh process.

`run_order` yields the order of the runs, `run_leg` runs one of them and verifies that it measured
its own code, and `set_up` runs the user's build command.
"""

import os
import signal
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.legs import Leg, Side, prepare_leg
from pytest_pareto.runs.process import ChildProcess
from pytest_pareto.runs.project import SETUP_OPTION
from pytest_pareto.runs.provenance import prove


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A process that ended as expected, and the file to which it logged its imports."""

    origins: Path
    pid: int


def run_leg(
    leg: Leg,
    arguments: Callable[[Path], Sequence[str]],
    *,
    folder: Path,
    hear: Callable[[str], None],
    timeout_s: float | None = None,
    orderly: Container[int] = (0,),
    is_watched: bool = False,
) -> frozenset[str]:
    """Run a leg once in a fresh process and return the project's modules that it imported.

    The parameters are those of `run_process`. Raises ParetoError as `run_process` does, and where
    the leg did not measure its own code.
    """
    ran = run_process(
        leg,
        arguments,
        folder=folder,
        hear=hear,
        timeout_s=timeout_s,
        orderly=orderly,
        is_watched=is_watched,
    )
    return prove(leg, ran.origins, ran.pid)


def run_process(
    leg: Leg,
    arguments: Callable[[Path], Sequence[str]],
    *,
    folder: Path,
    hear: Callable[[str], None],
    timeout_s: float | None = None,
    orderly: Container[int] = (0,),
    is_watched: bool = False,
) -> FinishedRun:
    """Run a leg once in a fresh process, and pass each line of its output file to ``hear``.

    ``arguments`` makes the command from the path of the file to which the child appends lines.
    ``folder`` belongs to this run alone, and is created. The process and its group end with the
    call, however that ends; a process that it started in a session of its own does not. With
    ``is_watched`` the run logs more (see `legs.prepare_leg`), and its readings must be discarded.

    Raises ParetoError with the end of the output where the run takes longer than ``timeout_s`` or
    ends with a code that is not in ``orderly``.
    """
    equipment = prepare_leg(leg, folder, is_watched=is_watched)
    lines = folder / "lines.jsonl"
    child = ChildProcess(
        arguments(lines),
        cwd=leg.cwd,
        log=folder / "log.txt",
        lines=lines,
        environment=equipment.environment,
        timeout_s=timeout_s,
    )
    subject = f"the {leg.side} leg"
    try:
        with child:
            for line in child.lines():
                hear(line)
    except TimeoutError as error:
        raise ParetoError(
            f"{subject} was ended: {error}; its output ends:\n{child.tail()}"
        ) from None
    _require_exit_code(subject, child, orderly)
    assert child.pid is not None
    return FinishedRun(equipment.origins, child.pid)


def set_up(leg: Leg, command: str, folder: Path, *, timeout_s: float | None = None) -> None:
    """Run the user's shell command in the leg's project folder, with the leg's environment.

    ``folder`` belongs to this command alone, and is created; the output goes to its ``log.txt``.
    Raises ParetoError with the end of the output where the command fails or takes too long.
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
        raise ParetoError(
            f"{subject} was ended: {error}; its output ends:\n{child.tail()}"
        ) from None
    _require_exit_code(subject, child, (0,))


def _require_exit_code(subject: str, child: ChildProcess, orderly: Container[int]) -> None:
    code = child.exit_code
    assert code is not None
    if code not in orderly:
        raise ParetoError(f"{subject} {_exit_text(code)}; its output ends:\n{child.tail()}")


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
