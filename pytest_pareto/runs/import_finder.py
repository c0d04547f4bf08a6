"""The finder that every Python process of a leg carries: project code comes from the leg.

This file is copied to where the leg's PYTHONPATH begins, and imported by a ``sitecustomize``
there, so that processes that the tests start run it too. Those may be any Python: it imports
nothing that Python has not loaded by then, and keeps to what Python 3.7 understands.
"""

from __future__ import annotations

import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def install(
    routes: Mapping[str, tuple[str, Sequence[str], bool]],
    *,
    own: str,
    other: str,
    ground: Sequence[str],
    copies: Sequence[str],
    log: str,
    is_watched: bool,
) -> None:
    """Put the finder in front of all others, for as long as the process lives."""
    named = {name: Route(t, f, is_project=p) for name, (t, f, p) in routes.items()}
    notes = Notes(log, own, other, ground, copies)
    finder = LegFinder(named, notes)
    sys.meta_path = MetaPath(finder, sys.meta_path)
    if is_watched:
        watch(notes)
    notes.note_all(finder.route_of)  # what a .pth file has imported
    # Registered first, so called last: after all that would still import.
    atexit.register(notes.note_end, finder.route_of)
    _note_before_exit(lambda: notes.note_end(finder.route_of))
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=notes.after_fork)


def _note_before_exit(note_end: Callable[[], None]) -> None:
    """Let ``os._exit``, which asks nobody, note the end first; so end all forked workers."""
    exit_at_once = os._exit

    def _exit(status: int) -> None:
        try:
            note_end()
        finally:
            exit_at_once(status)

    os._exit = _exit  # type: ignore[assignment]  # it does not return either


def run_hidden(here: str) -> None:
    """Run the ``sitecustomize`` that this one hides: the user's own, or the system's."""
    mine = sys.modules.pop("sitecustomize")
    index = sys.path.index(here)
    del sys.path[index]
    try:
        __import__("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
        sys.modules["sitecustomize"] = mine
    finally:
        sys.path.insert(index, here)


class Route:
    """Where a name is looked for: in ``folders``, and believed below ``top`` only."""

    __slots__ = ("folders", "is_project", "top")

    def __init__(self, top: str, folders: Sequence[str], *, is_project: bool) -> None:
        self.top = top
        self.folders = list(folders)
        self.is_project = is_project


class LegFinder:
    """A finder before all others, for the names that have a route.

    It finds nothing by itself: it asks the finders behind it, with the route's folders for a
    path, and believes what lies where it should. So hooks that rewrite or check modules go on
    working, and an editable install's finder, which answers with the other leg's file, is not
    heard.
    """

    def __init__(self, routes: Mapping[str, Route], notes: Notes) -> None:
        self._routes = routes
        self._notes = notes
        self._first_parts = {name.partition(".")[0] for name in routes}

    def find_spec(
        self, fullname: str, path: Iterable[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find what has a route, or raise where somebody else's answer would not be the leg's."""
        route = self.route_of(fullname)
        if route is None:
            return self._meet(fullname, path, target) if fullname in self._notes.copies else None
        asked = list(path or ())
        if fullname in self._routes:
            folders = route.folders
        else:
            folders = [entry for entry in asked if lies_in(route.top, paths_of(entry))]
        elsewhere = ""
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(fullname, folders, target)
            if spec is None:
                continue
            place = place_of(spec)
            if not place or lies_in(route.top, paths_of(place)):
                if route.is_project:
                    self._notes.note(FOUND, fullname, place)
                return spec  # type: ignore[no-any-return]  # finders are not typed
            elsewhere = f" ({place} is not of this leg)"
        if fullname not in self._routes and not elsewhere and folders == asked:
            # Nobody has it there. Asked again they will say so: pytest 8 tries a place like that.
            return None
        raise ModuleNotFoundError(
            f"No module named {fullname!r} in {route.top}{elsewhere}", name=fullname
        )

    def _meet(
        self, fullname: str, path: Iterable[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        """Find what may be an installed copy of the project, as it would be, and note it."""
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(fullname, path, target)
            if spec is not None:
                self._notes.note(MET, fullname, place_of(spec))
                return spec  # type: ignore[no-any-return]  # finders are not typed
        return None

    def route_of(self, fullname: str) -> Route | None:
        """Return the route of a name, its own or that of the package it is in."""
        if fullname.partition(".")[0] not in self._first_parts:
            return None
        name = fullname
        while name:
            if name in self._routes:
                return self._routes[name]
            name = name.rpartition(".")[0]
        return None


class MetaPath(list):  # type: ignore[type-arg]  # of finders, which have no common class
    """``sys.meta_path`` with its first place taken: who goes in front comes second."""

    def __init__(self, first: LegFinder, others: Iterable[object]) -> None:
        super().__init__([first, *others])
        self._first = first

    def insert(self, index: Any, finder: object) -> None:
        """Insert a finder as asked, and then go in front of it."""
        super().insert(index, finder)
        if self[0] is not self._first:
            self.remove(self._first)
            super().insert(0, self._first)


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


def place_of(spec: ModuleSpec) -> str:
    """Return where a module lies; "" for one that lies nowhere, as one made by a program."""
    if spec.has_location and spec.origin:
        return spec.origin
    return next(iter(strings(spec.submodule_search_locations)), "")


def strings(entries: object) -> list[str]:
    """Return the paths of a module's search path, which may be anything or nothing."""
    try:
        found = entries or ()  # import hooks put there what they like
        return [each for each in found if isinstance(each, str)]  # type: ignore[attr-defined]  # if not iterable: below
    except Exception:  # a lazy path of a package's own may raise anything
        return []


def paths_of(place: str) -> tuple[str, str]:
    """Return the path by which a file was found, and the one that it links to."""
    found = os.path.abspath(place)  # noqa: PTH100 - pathlib is not loaded yet
    return os.path.normcase(found), os.path.normcase(os.path.realpath(place))


def lies_in(folder: str, paths: tuple[str, str]) -> bool:
    """Whether a file lies in a folder, or links into it: a link into a leg is the user's wish."""
    start = os.path.normcase(folder) + os.sep
    return any((path + os.sep).startswith(start) for path in paths)


def is_installed(place: str, paths: tuple[str, str], top: str) -> bool:
    """Whether a file of a tree belongs to an environment that lies in it, as `.venv` does."""
    parts = place.replace("\\", "/").split("/")
    if "site-packages" in parts or "dist-packages" in parts:
        return True
    standard_library = os.__file__.rpartition(os.sep)[0]
    if lies_in(standard_library, paths):
        return True
    start = os.path.normcase(top)
    prefixes = [os.path.normcase(prefix) for prefix in (sys.prefix, sys.base_prefix)]
    if any(prefix != start and lies_in(prefix, paths) for prefix in prefixes):
        return True
    above = os.path.dirname(paths[0])  # noqa: PTH120 - pathlib is not loaded yet
    while lies_in(start, (above, above)) and above != start:
        if os.path.exists(above + os.sep + "pyvenv.cfg"):  # noqa: PTH110 - as above
            return True
        above = os.path.dirname(above)  # noqa: PTH120 - as above
    return False


def watch(notes: Notes) -> None:
    """Note every file of the other leg whose code is run, for as long as the process lives.

    Python tells of much that has nothing to do with that, of each ``id()`` for one, and cannot
    be asked to stop: this is for processes whose figures are thrown away.
    """

    def heed(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "exec":
            notes.note_run(arguments[0].co_filename)
        elif event == "import" and arguments[1]:  # an extension module; all else has code
            notes.note_run(arguments[1])

    add = getattr(sys, "addaudithook", None)  # since Python 3.8
    if add is not None:
        add(heed)
