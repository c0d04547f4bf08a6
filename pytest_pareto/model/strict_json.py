"""JSON read strictly: no merge conflict, no duplicate key, no number beyond a float.

Python's reader keeps the last of two equal keys, and takes NaN and Infinity; both would change a
verdict without a message. `read_regular_file` reads the text: from a regular file alone, and no
more of it than a caller allows. Callers render the faults, since each file has its own way out.
"""

import errno
import json
import math
import os
import re
import stat
from pathlib import Path

_MOST_PARTS = 1_000_000
"""Each takes some 200 bytes of memory. The results of ten thousand cases have 800,000."""
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( |$)", re.MULTILINE)


class JsonError(ValueError):
    """What keeps a text from being read; ``place`` is the key of it, or ""."""

    def __init__(self, problem: str, place: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.place = place


class MergeConflictError(JsonError):
    """An unresolved merge conflict, at a ``line`` counted from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(f"unresolved merge conflict at line {line}")
        self.line = line


class NoObjectError(JsonError):
    """A text that is JSON, and no object."""


class NewerVersionError(JsonError):
    """A ``version`` that a newer pytest-pareto wrote."""

    def __init__(self, version: int, place: str) -> None:
        super().__init__(f"{place} {version} was written by a newer pytest-pareto", place)
        self.version = version


def read_regular_file(path: Path, most_b: int) -> str:
    """Return the UTF-8 text of a regular file of at most so many bytes.

    Raises JsonError where it is larger or no regular file: a device may have no end, and a pipe
    would be waited for. Raises OSError and UnicodeDecodeError as `Path.read_text` does.
    """
    # Opening a pipe would wait for its other end.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        _require_regular(os.fstat(descriptor), path, most_b)
    except BaseException:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, encoding="utf-8") as file:
        return file.read(most_b)  # it may grow while it is read


def _require_regular(status: os.stat_result, path: Path, most_b: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise JsonError("expected a regular file, and it is a device or a pipe")
    if status.st_size > most_b:
        raise JsonError(
            f"it has {status.st_size / 1e6:.1f} MB, and at most {most_b / 1e6:.1f} MB are read"
        )


def read_object(text: str, *, finite: bool = True) -> dict[str, object]:
    """Return the one JSON object of a text; raises JsonError for anything else.

    Without ``finite`` NaN and infinities are returned, for a caller that names their place.
    """
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        raise MergeConflictError(text.count("\n", 0, conflict.start()) + 1)
    parts = text.count("{") + text.count("[")
    if parts > _MOST_PARTS:
        raise JsonError(f"it has {parts:,} objects and lists, and at most {_MOST_PARTS:,} are read")
    try:
        content = json.loads(
            text,
            object_pairs_hook=unique_keys,
            parse_constant=_refuse_constant if finite else None,
            parse_float=_finite_float if finite else None,
        )
    except (ValueError, RecursionError) as error:
        raise JsonError(f"not valid JSON ({error})") from error
    if not isinstance(content, dict):
        raise NoObjectError("expected one JSON object")
    return content


def require_version(content: dict[str, object], key: str, newest: int) -> None:
    """Raise JsonError unless ``content`` holds a known version, from 1 to ``newest``."""
    version = content.get(key)
    if type(version) is not int or version < 1:
        raise JsonError(f"expected a version number, got {version!r}", key)
    if version > newest:
        raise NewerVersionError(version, key)


def unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of its pairs; raises ValueError where a key appears twice."""
    content: dict[str, object] = {}
    for name, value in pairs:
        if name in content:
            raise ValueError(f"the key {name[:200]!r} appears twice in one object")
        content[name] = value
    return content


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is beyond every float")
    return number
