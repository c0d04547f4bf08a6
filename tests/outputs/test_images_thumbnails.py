"""Pictures for a page: small, within a budget, and never a reason to fail."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pytest_pareto.outputs.images import make_thumbnails


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """A picture that PNG cannot make small: 1600 × 900 of noise."""
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
    (made,) = make_thumbnails([plain]).made
    assert made is not None
    assert (made.media_type, made.data) == ("image/png", plain.read_bytes())


def test_a_large_one_is_shrunk(noisy: Path) -> None:
    (made,) = make_thumbnails([noisy]).made
    assert made is not None
    assert made.media_type == "image/jpeg"
    assert len(made.data) < noisy.stat().st_size / 5


def test_what_cannot_be_read_is_left_out_and_counted(plain: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(plain.read_bytes()[:40])
    found = make_thumbnails([broken, plain, tmp_path / "gone.png"])
    assert [made is not None for made in found.made] == [False, True, False]
    assert (found.unreadable, found.too_many) == (2, 0)


def test_the_budget_holds_and_the_rest_is_counted(plain: Path) -> None:
    size_b = plain.stat().st_size
    found = make_thumbnails([plain] * 5, budget_b=2 * size_b + 1)
    assert sum(made is not None for made in found.made) == 2
    assert found.too_many == 3
    assert make_thumbnails([plain] * 5).too_many == 0
