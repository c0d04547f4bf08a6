"""Text to a file and back: written safe for any reader, read with every fault named."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import msgspec

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.strict_json import unique_keys
from pytest_pareto.results.form import FORMAT, VERSION, ResultsFile
from pytest_pareto.results.recalling import EvidenceError, record_of

_DEPTHS = {"evidence": 3}
"""So deep content is laid out: until each case has a line."""

_WAY_OUT = "Write the file again with `pytest --pareto --pareto-json PATH`."


def encode(content: ResultsFile) -> str:
    """Write a file: ASCII, a line for each record, the keys in the order of the schema."""
    plain = _safe(msgspec.to_builtins(content))
    assert isinstance(plain, dict)
    parts = [
        f"  {json.dumps(name)}: {_laid_out(part, _DEPTHS.get(name, 1), '  ')}"
        for name, part in plain.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def load(path: Path) -> ResultsFile:
    """Read a file of results.

    Nothing but JSON is read, nothing is executed. Raises ParetoError naming the file, the place
    in it and what was expected there; a newer version is refused.
    """
    return decode(_text(path), path.as_posix())


def load_record(path: Path) -> tuple[ResultsFile, SessionRecord]:
    """Read a file of results with the record in it; raises ParetoError as `load` does."""
    file = path.as_posix()
    content = decode(_text(path), file)
    if content.evidence is None:
        raise ParetoError(f"{file}: its session compared nothing, and so has nothing to compare")
    try:
        return content, record_of(content.evidence)
    except EvidenceError as error:
        raise _corrupt(file, f"evidence.{error.place}", error.problem) from error


def decode(text: str, file: str) -> ResultsFile:
    """Read the text of a file that messages call ``file``; raises ParetoError as `load` does."""
    try:
        content = json.loads(
            text,
            object_pairs_hook=unique_keys,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise ParetoError(f"{file}: not valid JSON ({error}). {_WAY_OUT}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ParetoError(
            f'{file}: no results of pytest-pareto: expected "format": "{FORMAT}". '
            "`pytest --pareto --pareto-json PATH` writes such a file."
        )
    version = content.get("version")
    if type(version) is not int or version < 1:
        raise _corrupt(file, "version", f"expected a version number, got {version!r}")
    if version > VERSION:
        raise ParetoError(
            f"{file} at version: {version} was written by a newer pytest-pareto; upgrade "
            f"pytest-pareto to read it (this version knows versions up to {VERSION})."
        )
    try:
        return msgspec.convert(content, ResultsFile)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        raise _corrupt(file, place.removesuffix("`").removeprefix("."), problem) from error
    except (ParetoError, OverflowError) as error:
        raise _corrupt(file, "", str(error)) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ParetoError(
            f"{path.as_posix()}: expected UTF-8 text ({error.reason} at byte {error.start}). "
            f"{_WAY_OUT}"
        ) from error
    except OSError as error:
        raise ParetoError(f"{path.as_posix()}: cannot be read ({error.strerror})") from error


def _corrupt(file: str, place: str, problem: str) -> ParetoError:
    where = f" at {place}" if place else ""
    return ParetoError(f"{file}{where}: {problem}. {_WAY_OUT}")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits} is beyond every float")
    return number


def _safe(content: object) -> object:
    """Return what any JSON reader takes: no infinity, no NaN, no lone surrogate.

    A lone surrogate, as Python spells bytes of file names that are no UTF-8, becomes visible.
    """
    match content:
        case str():
            return content.encode("utf-8", "backslashreplace").decode()
        case float():
            return content if math.isfinite(content) else None
        case Mapping():
            return {_safe(name): _safe(part) for name, part in content.items()}
        case list() | tuple():
            return [_safe(part) for part in content]
    return content


def _laid_out(content: object, depth: int, indent: str = "") -> str:
    """Lay out records a line each, so that a reader (and a diff) finds them."""
    inner = f"{indent}  "
    if depth and isinstance(content, dict) and content:
        parts = [
            f"{inner}{json.dumps(name)}: {_laid_out(part, depth - 1, inner)}"
            for name, part in content.items()
        ]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    if depth and isinstance(content, list) and content:
        parts = [f"{inner}{json.dumps(part, allow_nan=False)}" for part in content]
        return "[\n" + ",\n".join(parts) + f"\n{indent}]"
    return json.dumps(content, allow_nan=False)
