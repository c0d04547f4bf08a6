"""What a process writes down: where each module of the project came from."""

from __future__ import annotations

import os
import sys

from .places import is_installed, lies_in, paths_of, strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .finder import Route

FOUND, MET, ESCAPED, ENDED = "found", "met", "escaped", "ended"


class Notes:
    """Lines of a file to which all processes of a run append: process id, kind, name, place."""

    def __init__(
        self, log: str, own: str, other: str, ground: Sequence[str], copies: Sequence[str]
    ) -> None:
        self._log = log
        self._own = own
        self._other = other
        self._ground = ground
        self.copies = frozenset(copies)
        self._noted: set[tuple[str, str, str]] = set()
        self._run: set[str] = set()
        self._elsewhere: set[str] = set()

    def note(self, kind: str, name: str, place: str) -> None:
        """Append a line in one write: processes that fork, and those that just exit, lose none."""
        if (kind, name, place) in self._noted:
            return
        self._noted.add((kind, name, place))
        line = ascii((os.getpid(), kind, name, place)) + "\n"
        descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode("ascii"))
        finally:
            os.close(descriptor)

    def note_run(self, file: str) -> None:
        """Note code of the other leg that is run from a file, whatever name it has, or none."""
        if file in self._run or file.startswith("<"):  # made by a program
            return
        self._run.add(file)
        try:
            place = os.path.abspath(file)  # noqa: PTH100 - pathlib is not loaded yet
        except OSError:  # the working directory is gone: what is run is the program's business
            return
        # Generated code may be given any name, and beside it lies the other leg's tree.
        if place != file and not os.path.isfile(place):  # noqa: PTH113 - as above
            return
        if self._is_of_other_leg(place):
            self.note(ESCAPED, os.path.basename(place), place)  # noqa: PTH119 - as above

    def note_all(self, route_of: Callable[[str], Route | None]) -> None:
        """Note what this process has loaded past this finder, from where it should or not."""
        for key, module in list(sys.modules.items()):
            if key in self._elsewhere:
                continue
            attributes = getattr(module, "__dict__", None)
            if isinstance(attributes, dict):
                self._note_loaded(key, attributes, route_of)

    def note_end(self, route_of: Callable[[str], Route | None]) -> None:
        """Note all, and that nothing is left to be noted: without that line there is no proof."""
        self.note_all(route_of)
        self.note(ENDED, "", "")

    def after_fork(self) -> None:
        """Leave what was loaded before to the process that loaded it: many fork, and often."""
        self._elsewhere = set(sys.modules)

    def _note_loaded(
        self, key: str, attributes: dict[str, Any], route_of: Callable[[str], Route | None]
    ) -> None:
        # A module may stand under further names, as a vendored one: its own is its spec's.
        name = getattr(attributes.get("__spec__"), "name", None) or key
        route = route_of(name)
        # A script's __file__ is deleted when it ends; its loader still knows.
        file = attributes.get("__file__") or getattr(attributes.get("__loader__"), "path", None)
        if isinstance(file, str):
            places = [file]
        else:  # a namespace: it has no code, and portions of it may lie anywhere
            places = [] if route is None else strings(attributes.get("__path__"))
        if not places:
            return
        if route is None:
            if name in self.copies:
                self.note(MET, name, places[0])
            if self._is_of_other_leg(places[0]):
                self.note(ESCAPED, name, places[0])
        elif not any(lies_in(route.top, paths_of(place)) for place in places):
            self.note(ESCAPED, name, places[0])
        elif route.is_project:
            self.note(FOUND, name, places[0])

    def _is_of_other_leg(self, place: str) -> bool:
        paths = paths_of(place)
        if lies_in(self._own, paths) or not lies_in(self._other, paths):
            return False
        if any(lies_in(at, paths) for at in self._ground):
            return False
        return not is_installed(place, paths, self._other)
