from pathlib import Path

import pytest
from PIL import Image

from pytest_pareto.outputs.side_by_side import Side, SidePair, write_artifacts
from tests.outputs.conftest import MakeAlbum


@pytest.fixture
def image(make_album: MakeAlbum) -> Path:
    file = make_album({"a": 5}).file_of("a")
    assert file is not None
    return file


def test_there_is_a_picture_per_worst_sample(tmp_path: Path, image: Path) -> None:
    pairs = [
        SidePair(metric, rank, sample, Side(image, 1.0), Side(None, 0.0))
        for metric in ("accuracy", "a/b\n..")
        for rank, sample in ((1, "cat"), (2, "../../\x1b"))
    ]
    folder = write_artifacts(tmp_path / "art", "test_a.py::test_a[x/y]", pairs)
    assert folder.parent == tmp_path / "art"
    assert folder.name.startswith("test_a-x-y-")
    files = sorted(folder.rglob("*"))
    assert len([file for file in files if file.suffix == ".png"]) == 4
    assert (folder / "accuracy" / "1-cat.png") in files
    for file in files:
        if file.suffix == ".png":
            with Image.open(file) as drawn:
                assert drawn.getpixel((20, 100)) == (5, 5, 5)
    assert (tmp_path / "art" / ".gitignore").read_text() == "*\n"


def test_the_folder_of_a_case_is_replaced_and_others_stay(tmp_path: Path, image: Path) -> None:
    for case, sample in (("a::t", "first"), ("b::t", "other"), ("a::t", "second")):
        write_artifacts(tmp_path / "art", case, [SidePair("m", 1, sample, Side(), Side(image))])
    names = sorted(file.name for file in (tmp_path / "art").rglob("*.png"))
    assert names == ["1-other.png", "1-second.png"]
