import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from pytest_pareto.model.baseline import Samples
from pytest_pareto.outputs.accepted_outputs import FOLDER, accept, accepted_albums, scores_key
from pytest_pareto.outputs.folders import locked, size_b
from pytest_pareto.outputs.image_folder import Album
from tests.outputs.conftest import MakeAlbum

CASE = "test_a.py::test_a"
MUCH = 10**9


def shades(album: Album) -> dict[str, object]:
    found: dict[str, object] = {}
    for sample in album.samples:
        file = album.file_of(sample)
        assert file is not None
        with Image.open(file) as image:
            found[sample] = image.getpixel((0, 0))
    return found


def test_accepted_outputs_are_read_back_and_ignored_by_git(
    tmp_path: Path, make_album: MakeAlbum
) -> None:
    album = make_album({"a": 1, "b/ü": 2})
    assert accept(tmp_path, "cpu", [(album, {"score": "k"})], {(CASE, "score"): "k"}, MUCH) == 0
    (found,) = accepted_albums(tmp_path, "cpu")
    assert shades(found) == {"a": 1, "b/ü": 2}
    assert (found.case_id, found.metrics, found.scores) == (CASE, ("score",), {"score": "k"})
    assert accepted_albums(tmp_path, "gpu") == []
    assert (tmp_path / FOLDER / ".gitignore").read_text() == "*\n"
    assert "deleted at any time" in (tmp_path / FOLDER / "README.md").read_text()


def test_newer_outputs_replace_older_ones(tmp_path: Path, make_album: MakeAlbum) -> None:
    for key, shade in (("old", 1), ("new", 2)):
        album = make_album({"a": shade})
        accept(tmp_path, "cpu", [(album, {"score": key})], {(CASE, "score"): key}, MUCH)
    (found,) = accepted_albums(tmp_path, "cpu")
    assert shades(found) == {"a": 2}
    assert found.scores == {"score": "new"}


def test_older_outputs_stay_for_a_metric_that_was_not_accepted_again(
    tmp_path: Path, make_album: MakeAlbum
) -> None:
    both = {(CASE, "score"): "s1", (CASE, "psnr"): "p1"}
    album = make_album({"a": 1}, metrics=("score", "psnr"))
    accept(tmp_path, "cpu", [(album, {"score": "s1", "psnr": "p1"})], both, MUCH)
    album = make_album({"a": 2}, metrics=("score", "psnr"))
    accept(tmp_path, "cpu", [(album, {"score": "s2"})], both | {(CASE, "score"): "s2"}, MUCH)
    by_key = {each.scores.get("score"): shades(each) for each in accepted_albums(tmp_path, "cpu")}
    assert by_key == {"s1": {"a": 1}, "s2": {"a": 2}}


def test_outputs_of_a_removed_case_are_removed(tmp_path: Path, make_album: MakeAlbum) -> None:
    accept(tmp_path, "cpu", [(make_album({"a": 1}), {"score": "k"})], {(CASE, "score"): "k"}, MUCH)
    other = make_album({"a": 2}, case_id="test_b.py::b")
    accept(tmp_path, "cpu", [(other, {"score": "k"})], {("test_b.py::b", "score"): "k"}, MUCH)
    assert [album.case_id for album in accepted_albums(tmp_path, "cpu")] == ["test_b.py::b"]


def test_the_whole_folder_is_bounded(tmp_path: Path, make_album: MakeAlbum) -> None:
    many = {f"{number:02}": number for number in range(40)}
    current = {(f"{name}.py::t", "score"): "k" for name in "ab"}
    albums = [make_album(many, case_id=f"{name}.py::t") for name in "ab"]
    left_out = accept(tmp_path, "cpu", [(a, {"score": "k"}) for a in albums], current, 4_000)
    images = sum(file.stat().st_size for file in (tmp_path / FOLDER).rglob("*.png"))
    assert images <= 4_000
    found = accepted_albums(tmp_path, "cpu")
    assert left_out == 80 - sum(len(album.samples) for album in found) > 0
    assert left_out == sum(len(album.lacking) for album in found)
    # The index has an entry for each missing image.
    assert size_b(tmp_path / FOLDER) < 4_000 + 80 * 200


def test_the_key_of_scores_ignores_their_order_and_rounds_as_the_baseline_does() -> None:
    key = scores_key(Samples(("a", "b"), (0.123449, 2.0)))
    assert key == scores_key(Samples(("b", "a"), (2.0, 0.1234)))
    assert key != scores_key(Samples(("a", "b"), (2.0, 0.1234)))
    assert key != scores_key(Samples(("a", "b"), (0.1235, 2.0)))
    scores_key(Samples(("\ud800", "\n"), (1.0, 2.0)))


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_a_second_session_waits_for_the_lock(tmp_path: Path, make_album: MakeAlbum) -> None:
    album = make_album({"a": 1})
    current = {(CASE, "score"): "k"}
    top = tmp_path / FOLDER
    top.mkdir()
    arguments = (tmp_path, "cpu", [(album, {"score": "k"})], current, MUCH)
    accepting = threading.Thread(target=accept, args=arguments)
    with locked(top):
        accepting.start()
        accepting.join(0.2)
        assert accepting.is_alive()
        assert accepted_albums(tmp_path, "cpu") == []
    accepting.join(20)
    assert len(accepted_albums(tmp_path, "cpu")) == 1
    with locked(tmp_path):  # the lock of another folder has no effect
        other = threading.Thread(target=accept, args=arguments)
        other.start()
        other.join(20)
        assert not other.is_alive()


WRITER = """
import sys
from itertools import count
from pathlib import Path
from pytest_pareto.outputs.accepted_outputs import accept
from pytest_pareto.outputs.image_folder import read_albums
albums = read_albums(Path(sys.argv[1], "candidate"))
for number in count():
    key = str(number % 2)
    accepting = [(albums[number % 2], {"score": key})]
    accept(Path(sys.argv[1]), "cpu", accepting, {("test_a.py::test_a", "score"): key}, 10**9)
    if number == 1:
        print("writing", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
@pytest.mark.parametrize("delay_s", [0.0, 0.013, 0.029])
def test_a_killed_session_leaves_old_or_new_outputs_and_no_mixture(
    tmp_path: Path, make_album: MakeAlbum, delay_s: float
) -> None:
    ids = [str(number) for number in range(30)]
    for shade in (0, 1):
        make_album(dict.fromkeys(ids, shade))
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(delay_s)
        child.kill()
    for album in accepted_albums(tmp_path, "cpu"):
        assert shades(album) == dict.fromkeys(ids, int(album.scores["score"]))
    album = make_album({"a": 9})
    accept(tmp_path, "cpu", [(album, {"score": "k"})], {(CASE, "score"): "k"}, MUCH)
    assert [shades(each) for each in accepted_albums(tmp_path, "cpu")] == [{"a": 9}]
    assert not list((tmp_path / FOLDER).rglob(".made-*"))
