"""One run of one leg: started, heard, ended, proved."""

import os
import signal
import sys
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.legs import Leg, equip
from pytest_pareto.runs.origins import prove
from pytest_pareto.runs.process import ChildProcess
from pytest_pareto.runs.words import SETUP_OPTION


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
