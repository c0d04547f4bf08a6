from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from pytest_pareto.outputs.side_by_side import Side, SidePair, compose

GAP, CAPTION = 8, 68  # px; offsets of the images
RNG = np.random.default_rng(0)


Save = Callable[[object], Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save_image(array: object) -> Path:
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.png"
        Image.fromarray(np.asarray(array)).save(file)
        return file

    return save_image


def pair(before: Path | None, now: Path | None, sample: str = "seven/17") -> SidePair:
    return SidePair("accuracy", 1, sample, Side(before, 1.0), Side(now, 0.25))


@pytest.mark.parametrize(("size", "factor"), [(8, 32), (16, 16), (100, 2), (300, 1)])
def test_before_is_on_the_left_and_now_on_the_right(save: Save, size: int, factor: int) -> None:
    old, new = RNG.integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    sheet = np.asarray(compose(pair(save(old), save(new))))
    side = size * factor
    width = max(side, 256)
    left = sheet[CAPTION : CAPTION + side, GAP : GAP + side]
    right = sheet[CAPTION : CAPTION + side, 2 * GAP + width : 2 * GAP + width + side]
    square = np.ones((factor, factor, 1), np.uint8)
    assert (left == np.kron(old, square)).all()
    assert (right == np.kron(new, square)).all()
    assert not (right == np.kron(old, square)).all()
    assert sheet.shape == (CAPTION + side + GAP, 2 * width + 3 * GAP, 3)


def test_both_sides_have_one_scale(save: Save) -> None:
    sheet = compose(pair(save(np.zeros((8, 8), np.uint8)), save(np.zeros((64, 64), np.uint8))))
    assert sheet.size == (2 * 256 + 3 * GAP, CAPTION + 256 + GAP)
    assert sheet.getpixel((GAP + 31, CAPTION + 31)) == (0, 0, 0)
    assert sheet.getpixel((GAP + 33, CAPTION + 33)) == (255, 255, 255)


def test_a_side_that_was_not_kept_is_grey(save: Save) -> None:
    new = np.full((8, 8), 9, np.uint8)
    damaged = save(new)
    damaged.write_bytes(damaged.read_bytes()[:50])
    gone = damaged.with_name("gone.png")
    bomb = save(np.zeros((9000, 10000), bool))
    for before in (None, damaged, gone, bomb):
        sheet = compose(pair(before, save(new)))
        assert sheet.getpixel((GAP + 200, CAPTION + 200)) == (200, 200, 200)
        assert sheet.getpixel((2 * GAP + 256 + 200, CAPTION + 200)) == (9, 9, 9)


def test_transparent_pixels_are_shown_on_white(save: Save) -> None:
    clear = np.zeros((8, 8, 4), np.uint8)
    sheet = compose(pair(save(clear), save(clear)))
    assert sheet.getpixel((GAP + 99, CAPTION + 99)) == (255, 255, 255)


def test_the_caption_has_the_sample_and_both_scores(save: Save) -> None:
    file = save(np.zeros((8, 8), np.uint8))
    plain = np.asarray(compose(pair(file, file)))
    for other in (
        pair(file, file, "eight/17"),
        SidePair("psnr", 1, "seven/17", Side(file, 1.0), Side(file, 0.25)),
        SidePair("accuracy", 2, "seven/17", Side(file, 1.0), Side(file, 0.25)),
        SidePair("accuracy", 1, "seven/17", Side(file, 0.5), Side(file, 0.25)),
        SidePair("accuracy", 1, "seven/17", Side(file, 1.0), Side(file)),
        SidePair("accuracy", 1, "seven/17", Side(file, 1.0), Side(file, 0.25, clipped=True)),
    ):
        drawn = np.asarray(compose(other))
        assert (drawn[CAPTION:] == plain[CAPTION:]).all()
        assert not (drawn[:CAPTION] == plain[:CAPTION]).all()
    assert (np.asarray(compose(pair(file, file))) == plain).all()


@settings(max_examples=20, deadline=None)
@given(st.text(st.characters(), max_size=300))
@example("\u202eعربى\x00\n\ud800" * 60)
@example("x" * 100_000)
@example(
    "0T.!\x1e\x1e\x1e\x1e[itt\xcf\xd0\u02cb\U00010000\U000fb47f\U000dbfd0"
)  # a glyph that extends beyond its advance
def test_any_id_fits_into_its_line(sample: str) -> None:
    sheet = np.asarray(compose(SidePair("m", 1, sample, Side(), Side())))
    assert (sheet[:CAPTION, -GAP:] == 255).all()  # no text reaches the edge
    assert sheet.shape == (CAPTION + 256 + GAP, 2 * 256 + 3 * GAP, 3)


def test_a_pillow_without_freetype(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFont, "load_default", _bitmap_only(ImageFont.load_default_imagefont))
    file = save(np.zeros((8, 8), np.uint8))
    sheet = np.asarray(compose(pair(file, file, "é中" * 300)))
    assert (sheet[:CAPTION] == 0).any()


def _bitmap_only(bitmap: Callable[[], object]) -> Callable[..., object]:
    def load_default(size: float | None = None) -> object:
        if size is not None:
            raise ImportError("The _imagingft C module is not installed")
        return bitmap()

    return load_default
