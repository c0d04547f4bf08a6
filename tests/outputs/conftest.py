"""Albums on disk, as a session leaves them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

from pytest_pareto.outputs.image_folder import Album, AlbumWriter, Room, read_album

MakeAlbum = Callable[..., Album]


@pytest.fixture
def make_album(tmp_path: Path) -> MakeAlbum:
    made = 0

    def make(
        shades: Mapping[str, int],
        *,
        case_id: str = "test_a.py::test_a",
        metrics: tuple[str, ...] = ("score",),
        size: int = 8,
    ) -> Album:
        """Keep a plain grey image of a shade for each sample."""
        nonlocal made
        made += 1
        folder = tmp_path / "candidate" / str(made)
        writer = AlbumWriter(folder, case_id, metrics, Room(10**9))
        for sample, shade in shades.items():
            writer.keep(sample, Image.new("L", (size, size), shade))
        album = read_album(folder)
        assert album is not None
        return album

    return make
