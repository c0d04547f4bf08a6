"""How a process starts with what it carries."""

from __future__ import annotations

import atexit
import os
import sys

from .finder import LegFinder, MetaPath, Route
from .notes import Notes
from .watch import watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


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
