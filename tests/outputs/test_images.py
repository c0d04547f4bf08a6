import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pytest_pareto.outputs.images import NoImageError, as_picture

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)  # 6 rows, 5 columns
GREYS = COLOURS[:, :, 0]
OPAQUE = np.dstack([COLOURS, GREYS])


def pixels(output: object) -> Any:
    return np.asarray(as_picture(output).image)


@pytest.mark.parametrize(
    "output",
    [
        Image.fromarray(COLOURS),
        COLOURS,
        COLOURS.transpose(2, 0, 1),
        COLOURS[None],
        COLOURS.astype(np.int64),
        COLOURS / 255,
        (COLOURS / 255).astype(np.float16),
        COLOURS.astype(np.uint16) * 257,
        COLOURS.astype(">u2") * np.array(257, ">u2"),
        torch.tensor(COLOURS),
        torch.tensor(COLOURS).permute(2, 0, 1),
        (torch.tensor(COLOURS).permute(2, 0, 1)[None] / 255).requires_grad_(),
    ],
)
def test_every_accepted_form_gives_the_same_colours(output: object) -> None:
    assert (pixels(output) == COLOURS).all()
    assert not as_picture(output).clipped


@pytest.mark.parametrize(
    "output",
    [Image.fromarray(GREYS), GREYS, GREYS[None], GREYS[:, :, None], torch.tensor(GREYS / 255)],
)
def test_greys(output: object) -> None:
    assert (pixels(output) == GREYS).all()


def test_other_forms() -> None:
    assert (pixels(OPAQUE) == OPAQUE).all()
    assert (pixels(GREYS > 100) == 255 * (GREYS > 100)).all()
    assert abs(pixels(torch.tensor(GREYS / 255).bfloat16()).astype(int) - GREYS).max() <= 1
    palette = Image.fromarray(COLOURS).quantize(256)
    assert (pixels(palette) == np.asarray(palette.convert("RGB"))).all()
    assert pixels(Image.new("CMYK", (2, 2))).shape == (2, 2, 3)
    assert (pixels(Image.fromarray(GREYS.astype(np.uint16) * 257)) == GREYS).all()
    assert (pixels(Image.fromarray((GREYS / 255).astype(np.float32))) == GREYS).all()


def test_an_ambiguous_shape_is_channels_first_for_tensors_only() -> None:
    both = RNG.integers(0, 256, (3, 7, 4), dtype=np.uint8)
    assert pixels(both).shape == (3, 7, 4)
    assert pixels(torch.tensor(both)).shape == (7, 4, 3)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (np.array([[-1.0, 0.0], [0.5, 1.0]]), [[0, 0], [128, 255]]),
        (np.array([[0.0, 2.0], [0.5, np.inf]]), [[0, 255], [128, 255]]),
        (np.array([[np.nan, 1.0], [0.5, -np.inf]]), [[0, 255], [128, 0]]),
        (np.array([[-5, 6], [7, 8]]), [[0, 6], [7, 8]]),
        (np.array([[5, 300], [7, 8]]), [[5, 255], [7, 8]]),
    ],
)
def test_values_outside_the_range_are_clipped_and_marked(
    output: object, expected: list[list[int]]
) -> None:
    assert pixels(output).tolist() == expected
    assert as_picture(output).clipped


def test_a_rounding_error_is_not_clipping() -> None:
    assert not as_picture(np.array([[1.0000001, -1e-7], [0, 1]])).clipped


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("a text", "a str is no image"),
        ([1, 2], "a list is no image"),
        (np.zeros(7), r"shape \(7,\)"),
        (np.zeros((2, 9, 9)), r"shape \(2, 9, 9\)"),
        (np.zeros((16, 3, 9, 9)), "shape"),
        (np.zeros((0, 9)), "0 × 9 pixels"),
        (np.zeros((1, 1), complex), "complex128"),
        (np.array([["a", "b"]]), "<U1"),
        (np.broadcast_to(np.uint8(0), (9000, 9000)), "too many"),
        (torch.zeros(3, 8, 8, device="meta"), "Tensor: NotImplementedError"),
    ],
)
def test_the_error_of_a_value_that_is_no_image_has_the_reason(output: object, reason: str) -> None:
    with pytest.raises(NoImageError, match=reason):
        as_picture(output)


def test_a_lazy_image_whose_file_is_closed(tmp_path: Path) -> None:
    Image.fromarray(COLOURS).convert("CMYK").save(tmp_path / "a.tiff")
    lazy = Image.open(tmp_path / "a.tiff")
    lazy.fp.close()  # type: ignore[union-attr]  # it has one: it was opened
    with pytest.raises(NoImageError, match="TiffImageFile: "):
        as_picture(lazy)


def test_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(NoImageError, match="Pillow is not installed"):
        as_picture(GREYS)
