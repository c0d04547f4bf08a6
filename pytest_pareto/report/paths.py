"""How a path is spelled for who reads it, or types it at the shell."""

import os
from pathlib import Path


def typed(path: Path, cwd: Path) -> str:
    """Return a path as it can be typed in ``cwd``, with slashes; as it is where no way leads."""
    try:
        return Path(os.path.relpath(path, cwd)).as_posix()
    except ValueError:  # on another drive
        return path.as_posix()
