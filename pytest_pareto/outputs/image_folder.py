"""Image folders: the outputs of one evaluation as a PNG per sample with a JSON Lines index.

`OutputStore` creates an `AlbumWriter` for each evaluation of a process; `read_album` returns an
`Album`. An image is complete before the index names it. `file_name` derives safe file names from
ids, which may contain any character.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from pytest_pareto.outputs.folders import remove_folder
from pytest_pareto.outputs.images import NoImageError, as_picture

INDEX = "index.jsonl"
FULL = "pareto_outputs_mb is used up; raise it to keep more"
_COMPRESS_LEVEL = 1  # zlib: level 6 takes four times as long and saves a tenth


@dataclass(frozen=True, slots=True)
class Album:
    """The outputs that were kept of one evaluation of a case.

    ``metrics`` are those that scored these outputs; if empty, the outputs belong to every metric
    that the case records. ``scores`` maps, for accepted outputs, each metric to the key of the
    scores that it was accepted with. ``samples`` are the ids that were kept, ``clipped`` those of
    them whose values were clipped, and ``lacking`` maps the other ids to the reason.
    """

    folder: Path
    case_id: str
    metrics: tuple[str, ...] = ()
    scores: Mapping[str, str] = field(default_factory=dict)
    samples: frozenset[str] = frozenset()
    clipped: frozenset[str] = frozenset()
    lacking: Mapping[str, str] = field(default_factory=dict)

    def file_of(self, sample: str) -> Path | None:
        """Return the path of a sample's image, None where it was not kept."""
        return self.folder / png_name(sample) if sample in self.samples else None

    def shows(self, case_id: str, metric: str) -> bool:
        """Whether a metric of a case scored these outputs."""
        return case_id == self.case_id and (not self.metrics or metric in self.metrics)


@dataclass(slots=True)
class ByteBudget:
    """The number of bytes that may still be written; once an image did not fit, none does."""

    left_b: int
    full: bool = False

    def reserve(self, size_b: int) -> bool:
        """Reserve a number of bytes; return whether they fit."""
        self.full = self.full or size_b > self.left_b
        if not self.full:
            self.left_b -= size_b
        return not self.full

    def release(self, size_b: int) -> None:
        """Release a number of bytes that were removed again."""
        self.left_b += size_b
        self.full = self.full and not size_b


class AlbumWriter:
    """Writes the outputs of one evaluation into a folder; never raises.

    Outputs that cannot be kept are entered in the index with the reason. An image is complete
    before its index entry, so that an image which a killed process left incomplete is not read.
    """

    def __init__(
        self, folder: Path, case_id: str, metrics: Sequence[str], budget: ByteBudget
    ) -> None:
        self._folder = folder
        self._budget = budget
        self._seen: set[str] = set()
        self.size_b = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            append_entry(folder, {"case": case_id, "metrics": list(metrics)})
        except OSError:
            self._budget.full = True  # an index without its first entry is not read

    def keep(self, sample: str, output: object) -> None:
        """Keep a sample's output, only the first if there are several."""
        if sample in self._seen:
            return
        self._seen.add(sample)
        try:
            append_entry(self._folder, {"sample": sample, **self._write(sample, output)})
        except OSError:
            self._budget.full = True

    def _write(self, sample: str, output: object) -> dict[str, object]:
        """Write a sample's image; return the fields of its index entry."""
        if self._budget.full:
            return {"lacking": FULL}
        try:
            picture = as_picture(output)
            buffer = BytesIO()
            picture.image.save(buffer, "PNG", compress_level=_COMPRESS_LEVEL)
        except (NoImageError, OSError, ValueError) as error:
            return {"lacking": str(error)}
        data = buffer.getvalue()
        if not self._budget.reserve(len(data)):
            return {"lacking": FULL}
        file = png_name(sample)
        try:
            (self._folder / file).write_bytes(data)
        except OSError as error:
            return {"lacking": error.strerror or str(error)}
        self.size_b += len(data)
        return {"file": file, "clipped": True} if picture.clipped else {"file": file}


def png_name(sample: str) -> str:
    """Return the file name of a sample's image."""
    return f"{file_name(sample)}.png"


def append_entry(folder: Path, entry: Mapping[str, object]) -> None:
    """Append an entry to a folder's index; the first has the case, its metrics and score keys."""
    with (folder / INDEX).open("a", encoding="utf-8") as index:
        index.write(json.dumps(entry) + "\n")


def read_album(folder: Path) -> Album | None:
    """Return the album in a folder, None where there is none; unreadable lines are skipped."""
    head: dict[str, Any] = {}
    samples: set[str] = set()
    clipped: set[str] = set()
    lacking: dict[str, str] = {}
    for entry in _entries(folder):
        sample = entry.get("sample")
        if isinstance(entry.get("case"), str):
            head = head or entry
        elif isinstance(sample, str) and "file" in entry:
            samples.add(sample)  # the file name is derived from the id, never read from the index
            clipped.update([sample] if entry.get("clipped") else [])
        elif isinstance(sample, str):
            lacking[sample] = str(entry.get("lacking"))
    if not head:
        return None
    metrics, scores = head.get("metrics"), head.get("scores")
    return Album(
        folder,
        head["case"],
        tuple(map(str, metrics)) if isinstance(metrics, list) else (),
        {str(k): str(v) for k, v in scores.items()} if isinstance(scores, dict) else {},
        frozenset(samples),
        frozenset(clipped),
        lacking,
    )


def read_albums(folder: Path) -> list[Album]:
    """Return every album below a folder, sorted by name; none where there is no folder."""
    try:
        below = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    except OSError:
        return []
    return [album for each in below if (album := read_album(each)) is not None]


def _entries(folder: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = (folder / INDEX).read_bytes().split(b"\n")[:-1]  # the last may be cut short
    except OSError:
        return
    for line in lines:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            yield entry


_MAX_SHOWN = 30
_HASH_DIGITS = 12
_PLAIN = re.compile(rf"[a-z0-9_]{{1,{_MAX_SHOWN}}}")
_PORTS = (*map("com{}".format, range(10)), *map("lpt{}".format, range(10)))
_RESERVED = frozenset(("con", "prn", "aux", "nul", *_PORTS))
"""Names that Windows reserves for devices, with any suffix."""


def file_name(text: str, *, shown: str | None = None) -> str:
    """Return a file name without suffix that every file system accepts, unique to the text.

    A short lower-case word is its own name. For any other text the name is the readable part of
    it, or of ``shown``, and a hash, since file systems differ in case sensitivity, in Unicode
    normalization and in the characters that they refuse.
    """
    if _PLAIN.fullmatch(text) and text not in _RESERVED:
        return text
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", text if shown is None else shown).strip("-")
    # Ids may contain lone surrogates, which UTF-8 cannot encode.
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{readable[:_MAX_SHOWN].rstrip('-') or 'id'}-{digest}"


def case_name(case_id: str) -> str:
    """Return the name of a case's folder; its readable part is the test."""
    return file_name(case_id, shown=case_id.rpartition("::")[2])


KeepOutput = Callable[[str, object], None]
"""Takes a sample's id and its output."""


class OutputStore:
    """Keeps the outputs of one process below a folder, at most ``most_b`` bytes of images."""

    def __init__(self, folder: Path, most_b: int) -> None:
        self._folder = folder
        self._budget = ByteBudget(most_b)
        self._count = 0
        self._written: dict[str, list[tuple[Path, AlbumWriter]]] = {}

    def begin(self, nodeid: str) -> None:
        """Remove the outputs of an earlier attempt of a test, if it is run again."""
        for folder, writer in self._written.pop(nodeid, []):
            remove_folder(folder)
            self._budget.release(writer.size_b)

    def keep(self, nodeid: str, case_id: str, metrics: Sequence[str]) -> KeepOutput:
        """Return a function that keeps the outputs of one evaluation, scored by these metrics."""
        self._count += 1
        folder = self._folder / f"{self._count}-{case_name(case_id)}"
        writer = AlbumWriter(folder, case_id, metrics, self._budget)
        self._written.setdefault(nodeid, []).append((folder, writer))
        return writer.keep
