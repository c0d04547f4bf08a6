"""Outputs of one evaluation in a folder: a PNG per sample, and an index that is never ahead."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from pytest_pareto.outputs.images import NoImageError, as_picture
from pytest_pareto.outputs.names import file_name

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
