"""One run of one leg: started, heard, ended, proved.

The order of runs in an interleaved comparison.
"""

import os
import signal
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.legs import Leg, Side, equip
from pytest_pareto.runs.process import ChildProcess
from pytest_pareto.runs.project import SETUP_OPTION
from pytest_pareto.runs.provenance import prove


@dataclass(frozen=True, slots=True)
class Ran:
    """A process that came to its end, and the file in which it noted its imports."""

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

    Raises ParetoError as `listen` does, and where it did not measure its own code.
    """
    ran = listen(
        leg,
        arguments,
        folder=folder,
        hear=hear,
        timeout_s=timeout_s,
        orderly=orderly,
        is_watched=is_watched,
    )
    return prove(leg, ran.origins, ran.pid)


def listen(
    leg: Leg,
    arguments: Callable[[Path], Sequence[str]],
    *,
    folder: Path,
    hear: Callable[[str], None],
    timeout_s: float | None = None,
    orderly: Container[int] = (0,),
    is_watched: bool = False,
) -> Ran:
    """Run a leg once in a fresh process, and hear what it says.

    ``arguments`` makes the command from the file to which the child appends its lines, each
    of which ``hear`` is given as it comes. ``folder`` is this run's own, and is made. The
    process and its group are ended with the call, however that ends; what it started in a
    session of its own is not. A run that ``is_watched`` notes more (see `legs.equip`), and its
    figures are to be thrown away.

    Raises ParetoError with the end of its output where it takes longer than ``timeout_s``
    or ends with a code that is not ``orderly``.
    """
    equipment = equip(leg, folder, is_watched=is_watched)
    lines = folder / "lines.jsonl"
    child = ChildProcess(
        arguments(lines),
        cwd=leg.cwd,
        log=folder / "log.txt",
        lines=lines,
        environment=equipment.environment,
        timeout_s=timeout_s,
    )
    what = f"the {leg.side} leg"
    try:
        with child:
            for line in child.lines():
                hear(line)
    except TimeoutError as error:
        raise ParetoError(f"{what} was ended: {error}; its output ends:\n{child.tail()}") from None
    _refuse_disorder(what, child, orderly)
    assert child.pid is not None
    return Ran(equipment.origins, child.pid)


def set_up(leg: Leg, command: str, folder: Path, *, timeout_s: float | None = None) -> None:
    """Run the user's shell command in the leg's project folder, with the leg's environment.

    Its output is in ``log.txt`` in ``folder``, which is this command's own, and is made.
    Raises ParetoError with the end of it where the command fails or takes too long.
    """
    child = ChildProcess(
        [*_shell(), command],
        cwd=leg.tree.root,
        environment=equip(leg, folder).environment,
        log=folder / "log.txt",
        lines=folder / "lines.txt",
        timeout_s=timeout_s,
    )
    what = f"the {leg.side} leg's {SETUP_OPTION} ({command})"
    try:
        with child:
            child.wait()
    except TimeoutError as error:
        raise ParetoError(f"{what} was ended: {error}; its output ends:\n{child.tail()}") from None
    _refuse_disorder(what, child, (0,))


def _refuse_disorder(what: str, child: ChildProcess, orderly: Container[int]) -> None:
    code = child.exit_code
    assert code is not None
    if code not in orderly:
        raise ParetoError(f"{what} {_ending(code)}; its output ends:\n{child.tail()}")


def _ending(code: int) -> str:
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
class Turn:
    """One run of one leg; block 0 is the warm-up, whose figures are thrown away."""

    side: Side
    block: int

    @property
    def is_warm_up(self) -> bool:
        """Whether this run is only there for what comes after it."""
        return self.block == 0


def turns(blocks: int, *, after: int = 0) -> Iterator[Turn]:
    """Yield the runs of ``blocks`` blocks of four, two of each leg, that follow ``after`` others.

    Within a block both legs have the same mean time, so that a linear drift of the machine
    adds nothing to their difference. The second block mirrors the first, and so on in turn: each
    leg goes first, and follows itself, equally often over an even number of blocks, and what a
    pause before a block or a curved drift does to one leg is done to the other.

    Before the first block each leg runs once for nothing: a fresh worktree has no bytecode
    yet, and its files are not in the system's cache. These runs are watched more closely than
    those whose figures count.
    """
    if after == 0 and blocks > 0:
        yield from (Turn(Side.REF, 0), Turn(Side.CANDIDATE, 0))
    for block in range(after + 1, after + blocks + 1):
        for side in _ABBA if block % 2 else _BAAB:
            yield Turn(side, block)
