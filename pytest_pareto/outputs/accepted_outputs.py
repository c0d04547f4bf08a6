"""``.pareto_outputs``: outputs of what the baseline holds, on this machine only."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_pareto.model.baseline import Samples
from pytest_pareto.model.formatting import round_samples
from pytest_pareto.outputs.folders import (
    being_made,
    locked,
    open_folder,
    put_in_place,
    remove,
    size_b,
)
from pytest_pareto.outputs.image_folder import (
    FULL,
    Album,
    Room,
    append,
    file_name,
    png_name,
    read_albums,
)

FOLDER = ".pareto_outputs"

_README = """\
Outputs of samples whose scores are in the baseline, so that `pytest --pareto` can show what the
worst samples were before. One folder for each kind of machine, in it one for each evaluation: an
image per sample, and `index.jsonl`, which says whose it is. Written by `--pareto-update`.

It can be deleted at any time; "before" is then shown as not kept. `pareto_outputs_mb` bounds it.
"""

Accepting = Sequence[tuple[Album, Mapping[str, str]]]
"""Outputs that become the baseline's, each with the keys of its scores, by metric."""


def scores_key(scores: Samples) -> str:
    """Return what stands for the scores of samples, as the baseline keeps them."""
    pairs = sorted(zip(scores.ids, round_samples(scores.values), strict=True))
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()[:16]


def accepted_albums(root: Path, hardware_key: str) -> list[Album]:
    """Return what is kept of the baseline's outputs, under the project's folder."""
    return read_albums(root / FOLDER / hardware_key)


def accept(
    root: Path,
    hardware_key: str,
    accepting: Accepting,
    current: Mapping[tuple[str, str], str],
    most_b: int,
) -> int:
    """Make outputs the baseline's; return how many of their images did not fit.

    ``current`` has the keys of all scores in the baseline, by case id and metric: older outputs
    that have none of these to show, or only such as these show too, go. ``most_b`` bounds the
    whole folder. Raises OSError.
    """
    top = root / FOLDER
    open_folder(top, _README)
    home = top / hardware_key
    left_out = 0
    with locked(top):
        fresh = {(album.case_id, metric) for album, keys in accepting for metric in keys}
        for old in read_albums(home):
            shown = {(old.case_id, metric): key for metric, key in old.scores.items()}
            if not any(current.get(of) == key and of not in fresh for of, key in shown.items()):
                remove(old.folder)
        for album, keys in accepting:
            room = Room(most_b - size_b(top))
            left_out += _copy(album, keys, home / _name(album, keys), room)
    return left_out


def _name(album: Album, keys: Mapping[str, str]) -> str:
    whole = json.dumps([album.case_id, sorted(keys.items())])
    return file_name(whole, shown=album.case_id.rpartition("::")[2])


def _copy(album: Album, keys: Mapping[str, str], target: Path, room: Room) -> int:
    made = being_made(target)
    head = {"case": album.case_id, "metrics": list(keys), "scores": dict(keys)}
    append(made, head)
    left_out = 0
    for sample in sorted(album.samples):
        file = album.folder / png_name(sample)
        if room.take(file.stat().st_size):
            shutil.copyfile(file, made / file.name)
            clipped = {"clipped": True} if sample in album.clipped else {}
            append(made, {"sample": sample, "file": file.name, **clipped})
        else:
            left_out += 1
            append(made, {"sample": sample, "lacking": FULL})
    put_in_place(made, target)
    return left_out
