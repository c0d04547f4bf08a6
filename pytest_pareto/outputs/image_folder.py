"""Outputs of one evaluation in a folder: a PNG per sample, and an index that is never ahead.

Names of files for ids, which may hold anything.

The outputs of one process, while its tests run.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from pytest_pareto.outputs.folders import remove
from pytest_pareto.outputs.images import NoImageError, as_picture

INDEX = "index.jsonl"
FULL = "pareto_outputs_mb is used up; raise it to keep more"
_FAST = 1  # of zlib's levels: 6 takes four times as long for a tenth less


@dataclass(frozen=True, slots=True)
class Album:
    """What is kept of one evaluation of a case.

    ``metrics`` are those that scored these outputs; with none it is whatever the case records.
    ``scores`` is, of accepted outputs, the key of the scores that each metric was accepted with.
    ``samples`` are kept, of these ``clipped`` were, and ``lacking`` says why others are not.
    """

    folder: Path
    case_id: str
    metrics: tuple[str, ...] = ()
    scores: Mapping[str, str] = field(default_factory=dict)
    samples: frozenset[str] = frozenset()
    clipped: frozenset[str] = frozenset()
    lacking: Mapping[str, str] = field(default_factory=dict)

    def file_of(self, sample: str) -> Path | None:
        """Return where a sample's image is, or None where it was not kept."""
        return self.folder / png_name(sample) if sample in self.samples else None

    def shows(self, case_id: str, metric: str) -> bool:
        """Whether these outputs are what a metric scored."""
        return case_id == self.case_id and (not self.metrics or metric in self.metrics)


@dataclass(slots=True)
class Room:
    """How many bytes may still be written; once something did not fit, nothing does."""

    left_b: int
    full: bool = False

    def take(self, size_b: int) -> bool:
        """Take as much, if it is there."""
        self.full = self.full or size_b > self.left_b
        if not self.full:
            self.left_b -= size_b
        return not self.full

    def give_back(self, size_b: int) -> None:
        """Take note that so much was removed again."""
        self.left_b += size_b
        self.full = self.full and not size_b


class AlbumWriter:
    """Keeps outputs in a folder of their own. What cannot be kept is noted, and never raises.

    An image is whole before the index tells of it: what a killed process leaves is not read.
    """

    def __init__(self, folder: Path, case_id: str, metrics: Sequence[str], room: Room) -> None:
        self._folder = folder
        self._room = room
        self._seen: set[str] = set()
        self.size_b = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            append(folder, {"case": case_id, "metrics": list(metrics)})
        except OSError:
            self._room.full = True  # without its head the index is not read

    def keep(self, sample: str, output: object) -> None:
        """Keep a sample's output; of several the first."""
        if sample in self._seen:
            return
        self._seen.add(sample)
        try:
            append(self._folder, {"sample": sample, **self._kept(sample, output)})
        except OSError:
            self._room.full = True

    def _kept(self, sample: str, output: object) -> dict[str, object]:
        if self._room.full:
            return {"lacking": FULL}
        try:
            picture = as_picture(output)
            written = BytesIO()
            picture.image.save(written, "PNG", compress_level=_FAST)
        except (NoImageError, OSError, ValueError) as error:
            return {"lacking": str(error)}
        data = written.getvalue()
        if not self._room.take(len(data)):
            return {"lacking": FULL}
        file = png_name(sample)
        try:
            (self._folder / file).write_bytes(data)
        except OSError as error:
            return {"lacking": error.strerror or str(error)}
        self.size_b += len(data)
        return {"file": file, "clipped": True} if picture.clipped else {"file": file}


def png_name(sample: str) -> str:
    """Return the name of a sample's image."""
    return f"{file_name(sample)}.png"


def append(folder: Path, entry: Mapping[str, object]) -> None:
    """Append to an index; its first entry has the case, the metrics and their scores."""
    with (folder / INDEX).open("a", encoding="utf-8") as index:
        index.write(json.dumps(entry) + "\n")


def read_album(folder: Path) -> Album | None:
    """Read an album; None where there is none. Lines that cannot be read are as if not there."""
    head: dict[str, Any] = {}
    samples: set[str] = set()
    clipped: set[str] = set()
    lacking: dict[str, str] = {}
    for entry in _entries(folder):
        sample = entry.get("sample")
        if isinstance(entry.get("case"), str):
            head = head or entry
        elif isinstance(sample, str) and "file" in entry:
            samples.add(sample)  # the file's name follows from it, and leads nowhere else
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
    """Read every album below a folder, by name; a folder that is not there has none."""
    try:
        below = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    except OSError:
        return []
    return [album for each in below if (album := read_album(each)) is not None]


def _entries(folder: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = (folder / INDEX).read_bytes().split(b"\n")[:-1]  # the last one is not whole
    except OSError:
        return
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            yield entry


_SHOWN = 30
_DIGITS = 12
_PLAIN = re.compile(rf"[a-z0-9_]{{1,{_SHOWN}}}")
_DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)))
)
"""What Windows takes for a device, whatever its suffix."""


def file_name(text: str, *, shown: str | None = None) -> str:
    """Return a name, without a suffix, that every file system takes and no other text has.

    A short lower-case word is its own name. Of anything else there is what can be read of it,
    or of ``shown``, and a hash: systems differ in case, in accents and in what they refuse.
    """
    if _PLAIN.fullmatch(text) and text not in _DEVICES:
        return text
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", text if shown is None else shown).strip("-")
    # Ids may hold lone surrogates, which UTF-8 has no form of.
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{readable[:_SHOWN].rstrip('-') or 'id'}-{digest}"


def case_name(case_id: str) -> str:
    """Return the name of a case's folder: what is shown of it is the test."""
    return file_name(case_id, shown=case_id.rpartition("::")[2])


Keep = Callable[[str, object], None]
"""Takes a sample's id and its output."""


class Keeper:
    """Keeps outputs below a folder, at most ``most_b`` bytes of images."""

    def __init__(self, folder: Path, most_b: int) -> None:
        self._folder = folder
        self._room = Room(most_b)
        self._count = 0
        self._written: dict[str, list[tuple[Path, AlbumWriter]]] = {}

    def begin(self, nodeid: str) -> None:
        """Forget what an earlier try of a test left, if it is run again."""
        for folder, writer in self._written.pop(nodeid, []):
            remove(folder)
            self._room.give_back(writer.size_b)

    def keep(self, nodeid: str, case_id: str, metrics: Sequence[str]) -> Keep:
        """Return what takes the outputs of one evaluation, which these metrics score."""
        self._count += 1
        folder = self._folder / f"{self._count}-{case_name(case_id)}"
        writer = AlbumWriter(folder, case_id, metrics, self._room)
        self._written.setdefault(nodeid, []).append((folder, writer))
        return writer.keep
