"""Code that is run from a file and stands nowhere afterwards, as `runpy.run_path` runs it."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .notes import Notes


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
