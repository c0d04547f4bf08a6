"""Albums on disk, as a session writes them."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

from pytest_pareto.outputs.image_folder import Album, AlbumWriter, ByteBudget, read_album

MakeAlbum = Callable[..., Album]


@pytest.fixture
def make_album(tmp_path: Path) -> MakeAlbum:
    count = 0

    def make(
        shades: Mapping[str, int],
        *,
        case_id: str = "test_a.py::test_a",
        metrics: tuple[str, ...] = ("score",),
        size: int = 8,
    ) -> Album:
        """Write an album with a plain grey image of a given shade for each sample."""
        nonlocal count
        count += 1
        folder = tmp_path / "candidate" / str(count)
        writer = AlbumWriter(folder, case_id, metrics, ByteBudget(10**9))
        for sample, shade in shades.items():
            writer.keep(sample, Image.new("L", (size, size), shade))
        album = read_album(folder)
        assert album is not None
        return album

    return make
