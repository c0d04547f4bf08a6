import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pytest_pareto.outputs.image_folder import (
    FULL,
    INDEX,
    AlbumWriter,
    ByteBudget,
    read_album,
    read_albums,
)
from tests.outputs.conftest import MakeAlbum

GREY = Image.new("L", (8, 8), 7)
ANY_TEXT = st.text(st.characters(), max_size=300)
NOISE = np.random.default_rng(0).integers(0, 256, (8, 64, 64), dtype=np.uint8)


@settings(max_examples=30, deadline=None)
@given(st.lists(ANY_TEXT, max_size=5, unique=True), st.text(max_size=99))
def test_any_ids_are_read_back(ids: list[str], case_id: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        below = Path(folder, "below")
        writer = AlbumWriter(below, case_id, ["score"], ByteBudget(10**6))
        for number, sample in enumerate(ids):
            writer.keep(sample, Image.new("L", (2, 2), number))
        album = read_album(below)
        assert album is not None
        assert (album.case_id, album.metrics) == (case_id, ("score",))
        assert set(album.samples) == set(ids)
        for number, sample in enumerate(ids):
            file = album.file_of(sample)
            assert file is not None
            assert file.parent == below
            with Image.open(file) as image:
                assert image.getpixel((0, 0)) == number
        assert {each.name for each in Path(folder).iterdir()} == {"below"}


def test_only_the_first_output_of_a_sample_is_kept(tmp_path: Path) -> None:
    writer = AlbumWriter(tmp_path, "case", (), ByteBudget(10**6))
    writer.keep("a", Image.new("L", (2, 2), 1))
    writer.keep("a", Image.new("L", (2, 2), 2))
    with Image.open(tmp_path / "a.png") as image:
        assert image.getpixel((0, 0)) == 1


def test_missing_images_have_a_reason_and_clipped_ones_are_marked(tmp_path: Path) -> None:
    writer = AlbumWriter(tmp_path, "case", (), ByteBudget(10**6))
    writer.keep("text", "no image")
    writer.keep("outside", np.array([[-1.0, 1.0], [0, 0]]))
    writer.keep("inside", GREY)
    album = read_album(tmp_path)
    assert album is not None
    assert album.samples == {"outside", "inside"}
    assert album.clipped == {"outside"}
    assert album.lacking == {"text": "a str is no image"}
    assert album.file_of("text") is None


def test_an_album_shows_the_metrics_that_scored_it(make_album: MakeAlbum) -> None:
    named, any_metric = make_album({"a": 1}), make_album({"a": 1}, metrics=())
    assert named.shows("test_a.py::test_a", "score")
    assert not named.shows("test_a.py::test_a", "other")
    assert not named.shows("test_b.py::test_b", "score")
    assert any_metric.shows("test_a.py::test_a", "other")


@pytest.mark.parametrize("most_b", [0, 10_000, 20_000])
def test_the_size_is_bounded(tmp_path: Path, most_b: int) -> None:
    budget = ByteBudget(most_b)
    for case in ("one", "two"):
        writer = AlbumWriter(tmp_path / case, case, (), budget)
        for number, image in enumerate(NOISE):
            writer.keep(str(number), image)
    written = sum(file.stat().st_size for file in tmp_path.rglob("*.png"))
    assert written <= most_b
    albums = read_albums(tmp_path)
    assert sum(len(album.samples) for album in albums) == most_b // 4300  # about 4.2 kB each
    assert {reason for album in albums for reason in album.lacking.values()} == {FULL}
    assert sum(len(album.lacking) for album in albums) == 16 - most_b // 4300


def test_a_folder_that_cannot_be_made_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    writer = AlbumWriter(tmp_path / "file" / "album", "case", (), ByteBudget(10**6))
    writer.keep("a", GREY)
    assert read_albums(tmp_path) == []


def test_a_damaged_index_is_read_as_far_as_possible(make_album: MakeAlbum) -> None:
    album = make_album({"a": 1, "b": 2, "c": 3})
    index = album.folder / INDEX
    lines = index.read_bytes().splitlines(keepends=True)
    damaged = [
        lines[0],
        b"\xff\n",
        b"[]\n",
        b'{"sample": 3, "file": "x"}\n',
        lines[1],
        lines[2][:-9],
    ]
    index.write_bytes(b"".join(damaged))
    read = read_album(album.folder)
    assert read is not None
    assert read.samples == {"a"}
    index.write_bytes(b"".join(lines[1:]))
    assert read_album(album.folder) is None  # without its first entry the case is unknown


def test_a_line_that_is_nested_too_deep_is_left_out(make_album: MakeAlbum) -> None:
    album = make_album({"a": 1})
    with (album.folder / INDEX).open("a") as index:
        index.write("[" * 100_000 + "\n")
    assert read_album(album.folder) == album


def test_a_path_in_the_index_is_not_followed(make_album: MakeAlbum) -> None:
    album = make_album({"a": 1})
    with (album.folder / INDEX).open("a") as index:
        index.write('{"sample": "../../x", "file": "/etc/passwd"}\n')
    read = read_album(album.folder)
    assert read is not None
    file = read.file_of("../../x")
    assert file is not None
    assert file.parent == album.folder


WRITER = """
import sys
from pathlib import Path
import numpy as np
from pytest_pareto.outputs.image_folder import AlbumWriter, ByteBudget
writer = AlbumWriter(Path(sys.argv[1]), "case", (), ByteBudget(10**9))
image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
for number in range(10**6):
    writer.keep(str(number), image)
    if number == 3:
        print("writing", flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_process_leaves_complete_images(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.03)  # so that it is writing an image
        child.kill()
    album = read_album(tmp_path)
    assert album is not None
    assert len(album.samples) >= 3
    for sample in album.samples:
        file = album.file_of(sample)
        assert file is not None
        with Image.open(file) as image:
            image.load()
