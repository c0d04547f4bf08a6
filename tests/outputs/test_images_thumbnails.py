"""Thumbnails for an HTML page: small, within a budget, without errors."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pytest_pareto.outputs.images import make_thumbnails


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """Return a PNG that does not compress: 1600 × 900 pixels of noise."""
    pixels = np.random.default_rng(7).integers(0, 256, (900, 1600, 3), np.uint8)
    file = tmp_path / "noisy.png"
    Image.fromarray(pixels).save(file)
    return file


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    file = tmp_path / "plain.png"
    Image.new("RGB", (64, 64), (1, 2, 3)).save(file)
    return file


def test_a_small_file_stays_as_it_is(plain: Path) -> None:
    (thumbnail,) = make_thumbnails([plain]).made
    assert thumbnail is not None
    assert (thumbnail.media_type, thumbnail.data) == ("image/png", plain.read_bytes())


def test_a_large_file_is_shrunk(noisy: Path) -> None:
    (thumbnail,) = make_thumbnails([noisy]).made
    assert thumbnail is not None
    assert thumbnail.media_type == "image/jpeg"
    assert len(thumbnail.data) < noisy.stat().st_size / 5


def test_unreadable_files_are_counted(plain: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(plain.read_bytes()[:40])
    found = make_thumbnails([broken, plain, tmp_path / "gone.png"])
    assert [each is not None for each in found.made] == [False, True, False]
    assert (found.unreadable, found.too_many) == (2, 0)


def test_files_beyond_the_budget_are_counted(plain: Path) -> None:
    size_b = plain.stat().st_size
    found = make_thumbnails([plain] * 5, budget_b=2 * size_b + 1)
    assert sum(each is not None for each in found.made) == 2
    assert found.too_many == 3
    assert make_thumbnails([plain] * 5).too_many == 0
