"""Import finder of a leg's processes: project code is imported from the leg's tree.

`install` puts the finder on ``sys.meta_path`` and logs where each module came from. This file is
copied to the first folder of the leg's PYTHONPATH and imported by a ``sitecustomize`` there, so
that processes that the tests start run it too. Those may be any Python: the module imports only
what Python has loaded by then, and uses the syntax of Python 3.7.
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
    test_paths: Sequence[str],
    copies: Sequence[str],
    log: str,
    is_watched: bool,
) -> None:
    """Put the finder before all others, for the lifetime of the process.

    ``routes`` maps a name to the top of its tree, the folders to search, and whether it is the
    project's (see `Route`). ``own`` and ``other`` are the tops of the two trees.
    """
    named = {name: Route(t, f, is_project=p) for name, (t, f, p) in routes.items()}
    notes = Notes(log, own, other, test_paths, copies)
    finder = LegFinder(named, notes)
    sys.meta_path = MetaPath(finder, sys.meta_path)
    if is_watched:
        note_executed_files(notes)
    notes.note_all(finder.route_of)  # modules that a .pth file has imported
    # Registered first, so called last: other exit functions may still import.
    atexit.register(notes.note_end, finder.route_of)
    _note_before_exit(lambda: notes.note_end(finder.route_of))
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=notes.after_fork)


def _note_before_exit(note_end: Callable[[], None]) -> None:
    """Make ``os._exit``, which runs no exit functions, note the end first.

    All forked workers end that way.
    """
    exit_at_once = os._exit

    def _exit(status: int) -> None:
        try:
            note_end()
        finally:
            exit_at_once(status)

    os._exit = _exit  # type: ignore[assignment]  # it does not return either


def run_hidden(here: str) -> None:
    """Run the ``sitecustomize`` that this one shadows: the user's, or the system's."""
    own_module = sys.modules.pop("sitecustomize")
    index = sys.path.index(here)
    del sys.path[index]
    try:
        __import__("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
        sys.modules["sitecustomize"] = own_module
    finally:
        sys.path.insert(index, here)


class Route:
    """Where a name is searched: in ``folders``, and accepted below ``top`` only."""

    __slots__ = ("folders", "is_project", "top")

    def __init__(self, top: str, folders: Sequence[str], *, is_project: bool) -> None:
        self.top = top
        self.folders = list(folders)
        self.is_project = is_project


class LegFinder:
    """A meta path finder before all others, for the names that have a route.

    It finds nothing by itself. It calls the finders behind it with the route's folders as path, and
    accepts only results from the right tree. So hooks that rewrite or check modules keep working,
    and an editable install's finder, which returns the other leg's file, is ignored.
    """

    def __init__(self, routes: Mapping[str, Route], notes: Notes) -> None:
        self._routes = routes
        self._notes = notes
        self._first_parts = {name.partition(".")[0] for name in routes}

    def find_spec(
        self, fullname: str, path: Iterable[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that has a route, or None.

        Raises ModuleNotFoundError where another finder would import it from somewhere else.
        """
        route = self.route_of(fullname)
        if route is None:
            is_copy = fullname in self._notes.copies
            return self._find_copy(fullname, path, target) if is_copy else None
        search_path = list(path or ())
        if fullname in self._routes:
            folders = route.folders
        else:
            folders = [entry for entry in search_path if lies_in(route.top, paths_of(entry))]
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
        if fullname not in self._routes and not elsewhere and folders == search_path:
            # No finder has it there, and the others will return None again: pytest 8 probes so.
            return None
        raise ModuleNotFoundError(
            f"No module named {fullname!r} in {route.top}{elsewhere}", name=fullname
        )

    def _find_copy(
        self, fullname: str, path: Iterable[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        """Find what may be an installed copy of the project, without a route, and note it."""
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
    """``sys.meta_path`` with a fixed first finder: one inserted at the front becomes the second."""

    def __init__(self, first: LegFinder, others: Iterable[object]) -> None:
        super().__init__([first, *others])
        self._first = first

    def insert(self, index: Any, finder: object) -> None:
        """Insert a finder, then move the fixed one back to the front."""
        super().insert(index, finder)
        if self[0] is not self._first:
            self.remove(self._first)
            super().insert(0, self._first)


FOUND, MET, ESCAPED, ENDED = "found", "met", "escaped", "ended"
# FOUND: a project module, imported by its route. MET: a module that may be an installed copy.
# ESCAPED: code that did not come through the finder. ENDED: the process has noted everything.


class Notes:
    """A log to which all processes of a run append: process id, kind, name, place."""

    def __init__(
        self, log: str, own: str, other: str, test_paths: Sequence[str], copies: Sequence[str]
    ) -> None:
        self._log = log
        self._own = own
        self._other = other
        self._ground = test_paths
        self.copies = frozenset(copies)
        self._noted: set[tuple[str, str, str]] = set()
        self._executed: set[str] = set()
        self._loaded_before: set[str] = set()

    def note(self, kind: str, name: str, place: str) -> None:
        """Append a line in one write, so that forked processes and abrupt exits lose none."""
        if (kind, name, place) in self._noted:
            return
        self._noted.add((kind, name, place))
        line = ascii((os.getpid(), kind, name, place)) + "\n"
        descriptor = os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode("ascii"))
        finally:
            os.close(descriptor)

    def note_executed(self, file: str) -> None:
        """Note the file of code of the other leg that is executed, whatever its module name."""
        if file in self._executed or file.startswith("<"):  # generated code has no file
            return
        self._executed.add(file)
        try:
            place = os.path.abspath(file)  # noqa: PTH100 - pathlib is not loaded yet
        except OSError:  # the working directory is gone, so a relative path has no meaning
            return
        # Generated code may have any file name, also one that resolves into the other leg's tree.
        if place != file and not os.path.isfile(place):  # noqa: PTH113 - as above
            return
        if self._is_of_other_leg(place):
            self.note(ESCAPED, os.path.basename(place), place)  # noqa: PTH119 - as above

    def note_all(self, route_of: Callable[[str], Route | None]) -> None:
        """Note the modules that this process loaded without this finder."""
        for key, module in list(sys.modules.items()):
            if key in self._loaded_before:
                continue
            attributes = getattr(module, "__dict__", None)
            if isinstance(attributes, dict):
                self._note_loaded(key, attributes, route_of)

    def note_end(self, route_of: Callable[[str], Route | None]) -> None:
        """Note all modules, then the end; without that line the run proves nothing."""
        self.note_all(route_of)
        self.note(ENDED, "", "")

    def after_fork(self) -> None:
        """Leave modules loaded before a fork to the parent: some programs fork often."""
        self._loaded_before = set(sys.modules)

    def _note_loaded(
        self, key: str, attributes: dict[str, Any], route_of: Callable[[str], Route | None]
    ) -> None:
        # A module may be registered under other names too, such as a vendored one; its spec's
        # name is its own.
        name = getattr(attributes.get("__spec__"), "name", None) or key
        route = route_of(name)
        # A script's __file__ is deleted when it ends; its loader still has the path.
        file = attributes.get("__file__") or getattr(attributes.get("__loader__"), "path", None)
        if isinstance(file, str):
            places = [file]
        else:  # a namespace package: it has no code, and its portions may lie anywhere
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
    """Return the path of a module, "" where it has none, as for a generated one."""
    if spec.has_location and spec.origin:
        return spec.origin
    return next(iter(strings(spec.submodule_search_locations)), "")


def strings(entries: object) -> list[str]:
    """Return the paths in a module's search path, which may be any object."""
    try:
        found = entries or ()  # import hooks may put any object there
        return [each for each in found if isinstance(each, str)]  # type: ignore[attr-defined]  # if not iterable: below
    except Exception:  # a package's own lazy path may raise anything
        return []


def paths_of(place: str) -> tuple[str, str]:
    """Return the path by which a file was found, and the one it resolves to."""
    found = os.path.abspath(place)  # noqa: PTH100 - pathlib is not loaded yet
    return os.path.normcase(found), os.path.normcase(os.path.realpath(place))


def lies_in(folder: str, paths: tuple[str, str]) -> bool:
    """Return whether a file lies in a folder or links into it.

    A link into a leg counts as inside, since the user made it.
    """
    start = os.path.normcase(folder) + os.sep
    return any((path + os.sep).startswith(start) for path in paths)


def is_installed(place: str, paths: tuple[str, str], top: str) -> bool:
    """Return whether a file of a tree belongs to an environment in that tree, such as `.venv`."""
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


def note_executed_files(notes: Notes) -> None:
    """Note every executed file of the other leg, for the lifetime of the process.

    Python reports many unrelated audit events, such as each ``id()``, and a hook cannot be removed.
    So this is only for processes whose readings are discarded.
    """

    def on_audit_event(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "exec":
            notes.note_executed(arguments[0].co_filename)
        elif event == "import" and arguments[1]:  # an extension module; all else has code
            notes.note_executed(arguments[1])

    add_audit_hook = getattr(sys, "addaudithook", None)  # since Python 3.8
    if add_audit_hook is not None:
        add_audit_hook(on_audit_event)
