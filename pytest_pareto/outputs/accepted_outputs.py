"""``.pareto_outputs``: the outputs whose scores are in the baseline, on this machine only.

`accept` copies outputs of this session there when their scores become the baseline's, and removes
outdated ones; `accepted_albums` reads them.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_pareto.model.baseline import Samples
from pytest_pareto.model.formatting import round_samples
from pytest_pareto.outputs.folders import (
    create_ignored_folder,
    create_staging_folder,
    locked,
    remove_folder,
    replace_folder,
    size_b,
)
from pytest_pareto.outputs.image_folder import (
    FULL,
    Album,
    ByteBudget,
    append_entry,
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

AcceptedAlbums = Sequence[tuple[Album, Mapping[str, str]]]
"""Albums whose scores become the baseline's, each with the keys of its scores by metric."""


def scores_key(scores: Samples) -> str:
    """Return a hash of the scores of samples, rounded as the baseline keeps them."""
    pairs = sorted(zip(scores.ids, round_samples(scores.values), strict=True))
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()[:16]


def accepted_albums(root: Path, hardware_key: str) -> list[Album]:
    """Return the albums of the baseline's outputs, kept below the project's folder ``root``."""
    return read_albums(root / FOLDER / hardware_key)


def accept(
    root: Path,
    hardware_key: str,
    accepting: AcceptedAlbums,
    current: Mapping[tuple[str, str], str],
    most_b: int,
) -> int:
    """Copy albums into the baseline's outputs; return how many of their images did not fit.

    ``current`` has the keys of all scores in the baseline, by case id and metric. Older albums
    are removed where none of their scores is current, or where the new albums show all that are.
    ``most_b`` bounds the size of the whole folder, in bytes. Raises OSError.
    """
    top = root / FOLDER
    create_ignored_folder(top, _README)
    machine_folder = top / hardware_key
    left_out = 0
    with locked(top):
        fresh = {(album.case_id, metric) for album, keys in accepting for metric in keys}
        for old in read_albums(machine_folder):
            shown = {(old.case_id, metric): key for metric, key in old.scores.items()}
            if not any(current.get(at) == key and at not in fresh for at, key in shown.items()):
                remove_folder(old.folder)
        for album, keys in accepting:
            target = machine_folder / _folder_name(album, keys)
            left_out += _copy(album, keys, target, ByteBudget(most_b - size_b(top)))
    return left_out


def _folder_name(album: Album, keys: Mapping[str, str]) -> str:
    identity = json.dumps([album.case_id, sorted(keys.items())])
    return file_name(identity, shown=album.case_id.rpartition("::")[2])


def _copy(album: Album, keys: Mapping[str, str], target: Path, budget: ByteBudget) -> int:
    """Copy an album to ``target``; return how many of its images did not fit."""
    staging = create_staging_folder(target)
    head = {"case": album.case_id, "metrics": list(keys), "scores": dict(keys)}
    append_entry(staging, head)
    left_out = 0
    for sample in sorted(album.samples):
        file = album.folder / png_name(sample)
        if budget.reserve(file.stat().st_size):
            shutil.copyfile(file, staging / file.name)
            clipped = {"clipped": True} if sample in album.clipped else {}
            append_entry(staging, {"sample": sample, "file": file.name, **clipped})
        else:
            left_out += 1
            append_entry(staging, {"sample": sample, "lacking": FULL})
    replace_folder(staging, target)
    return left_out
