"""The proof that a leg measured its own code: where each module of the project came from."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.runs.carried.notes import ENDED, ESCAPED
from pytest_pareto.runs.legs import Leg
from pytest_pareto.runs.words import TEST_FOLDERS_OPTION

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a process of a leg took a module from, or that it has no more to tell.

    ``kind`` is one of `carried.notes`: an escape had not come through the leg's finder. ``place``
    is "" for a module that has no file.
    """

    pid: int
    kind: str
    name: str
    place: str


def read_origins(file: Path) -> Iterator[Origin]:
    """Yield what the processes of a run noted; nothing where no process noted anything.

    Raises ParetoError for a line that is not whole.
    """
    lines = file.read_text(encoding="ascii").splitlines() if file.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            pid, kind, name, place = ast.literal_eval(line)
        except (SyntaxError, ValueError, TypeError):
            raise ParetoError(
                f"{file}, line {number}: {line!r} is not whole, so it cannot be proved which code "
                "was measured; look whether the temp folder's disk is full."
            ) from None
        yield Origin(pid, kind, name, place)


def prove(leg: Leg, file: Path, pid: int) -> frozenset[str]:
    """Return the project's modules that a run's processes imported, all from the leg's tree.

    ``pid`` is the process that was started. Raises ParetoError where it did not note its end,
    where a module came from elsewhere, and where there was none. What no
    process of Python with the leg's PYTHONPATH imported (see `legs.equip`), and files that
    are opened by path and not imported, are not part of the proof.
    """
    origins = list(read_origins(file))
    # What was noted first as a file may have been noted again by the name that it got.
    strangers = {origin.place: origin for origin in origins if not _is_own(leg, origin)}
    if strangers:
        raise ParetoError(_tell_strangers(leg, list(strangers.values())))
    if not _has_ended(pid, origins):
        raise ParetoError(_tell_silence(leg))
    names = frozenset(origin.name for origin in origins if origin.kind != ENDED)
    if not names:
        raise ParetoError(_tell_nothing(leg))
    return names


def _is_own(leg: Leg, origin: Origin) -> bool:
    if origin.kind == ESCAPED:
        return False
    if not origin.place:
        return True
    place = Path(origin.place)
    return place.is_relative_to(leg.tree.top) or place.resolve().is_relative_to(leg.tree.top)


def _has_ended(pid: int, origins: list[Origin]) -> bool:
    ended = {origin.pid for origin in origins if origin.kind == ENDED}
    # An environment's python.exe starts the real one, whose id is another.
    return bool(ended) if sys.platform == "win32" else pid in ended


def _tell_silence(leg: Leg) -> str:
    return (
        f"the {leg.side} leg's process ended without noting what it had imported, so nothing says "
        "what it measured. Something ended it at once (from C: `os._exit` is heard), or keeps "
        "Python from running the `sitecustomize` of the leg, which comes first on PYTHONPATH; its "
        "output says so where that failed."
    )


def _tell_strangers(leg: Leg, strangers: list[Origin]) -> str:
    shown = [f"  {origin.name} came from {origin.place}" for origin in strangers[:_SHOWN]]
    if len(strangers) > _SHOWN:
        shown.append(f"  and {len(strangers) - _SHOWN} more")
    what = (
        f"the {leg.side} leg did not measure its own code only, so nothing is compared; this "
        f"should have come from below {leg.tree.top}:"
    )
    way_out = (
        "A file that is run or loaded by its path is the same on both legs: import it, or run "
        "it with `python -m`. What a .pth file imports at start-up is imported too early to be "
        "steered. "
        f"What belongs to the tests can be named in {TEST_FOLDERS_OPTION}."
    )
    return "\n".join((what, *shown, way_out))


def _tell_nothing(leg: Leg) -> str:
    names = sorted(leg.project.names)
    known = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return (
        f"the {leg.side} leg never imported the project, so nothing says that it measured it; "
        f"taken for the project: {known or 'nothing'}. Tests that import it only in `python -I`, "
        "`-E` or `-S`, or without the PYTHONPATH that they are given, cannot be compared so."
    )
