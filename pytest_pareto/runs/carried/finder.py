"""The finder in front of all others, for the names that have a route."""

from __future__ import annotations

import sys

from .notes import FOUND, MET, Notes
from .places import lies_in, paths_of, place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


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
