"""Images: conversion of outputs to Pillow images, safe reading of PNG files, and thumbnails.

`as_picture` converts an array, tensor or Pillow image. `open_png` reads files that may be damaged
or decompression bombs. `make_thumbnails` shrinks images for an HTML page within a size budget.
"""

import io
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

_CHANNELS = (1, 3, 4)
_MAX_PIXELS = 64 * 1024 * 1024
"""Below the size at which Pillow warns when it reads an image back."""
_ROUNDING = 1e-3
"""How far outside [0, 1] a float may be without counting as clipped: less than 1/256."""


class NoImageError(Exception):
    """An output that cannot be kept as an image; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that PNG can store, and whether values were clipped for it."""

    image: "Image"
    clipped: bool = False


def as_picture(output: object) -> Picture:
    """Return an output as an image.

    Accepts Pillow images, and arrays and tensors of shape (h, w), (h, w, c) or (c, h, w) with 1,
    3 or 4 channels, also in a batch of one. Where the first and the last axis could both be the
    channels, tensors are read channels first and arrays channels last. Floats are read as 0 to 1;
    values outside, as of a model that returns -1 to 1, are clipped, without a guess at the range.
    Integers are read as 0 to 255, those of uint16 as 0 to 65535.

    Raises NoImageError for all other values, and where Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise NoImageError("Pillow is not installed") from None
    try:
        if isinstance(output, Image.Image):
            return _from_pillow(output)
        return _from_array(*_as_array(output))
    except NoImageError:
        raise
    except Exception as error:  # of users' objects: a lazy image of a closed file, a fake tensor
        first_line = str(error).splitlines()[:1]
        what = f"{type(output).__name__}: {type(error).__name__}"
        raise NoImageError(": ".join([what, *first_line])) from error


def _from_pillow(image: "Image") -> Picture:
    _require_size(image.size)
    if image.mode in ("1", "L", "LA", "RGB", "RGBA"):
        return Picture(image)
    if image.mode[0] in "IF":  # values of more than 8 bits, which Pillow would clip at 255
        import numpy as np

        return _from_array(np.asarray(image), channels_first=False)
    has_alpha = "transparency" in image.info or image.mode in ("PA", "RGBa", "La")
    return Picture(image.convert("RGBA" if has_alpha else "RGB"))


def _as_array(output: Any) -> tuple[Any, bool]:
    """Return an array, and whether an ambiguous shape is read channels first."""
    import numpy as np

    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(output, torch.Tensor):
        on_host = output.detach().cpu()
        # NumPy has no bfloat16.
        return (on_host.float() if on_host.is_floating_point() else on_host).numpy(), True
    if not hasattr(output, "shape"):
        raise NoImageError(f"a {type(output).__name__} is no image")
    return np.asarray(output), False


def _from_array(array: Any, channels_first: bool) -> Picture:  # noqa: FBT001  (unpacked from a pair)
    from PIL import Image

    pixels, clipped = _as_bytes(_as_rows(array, channels_first=channels_first))
    return Picture(Image.fromarray(pixels), clipped)


def _as_rows(array: Any, *, channels_first: bool) -> Any:
    """Return an array of shape (h, w) or (h, w, c), with 3 or 4 channels."""
    import numpy as np

    rows = array
    while rows.ndim > 3 and rows.shape[0] == 1:
        rows = rows[0]
    if rows.ndim == 3:
        first, last = rows.shape[0] in _CHANNELS, rows.shape[2] in _CHANNELS
        if first and (channels_first or not last):
            rows = rows.transpose(1, 2, 0)
        elif not last:
            raise NoImageError(f"shape {array.shape} is no image's")
        if rows.shape[2] == 1:
            rows = rows[:, :, 0]
    elif rows.ndim != 2:
        raise NoImageError(f"shape {array.shape} is no image's")
    _require_size(rows.shape[:2])
    return np.ascontiguousarray(rows)


def _as_bytes(rows: Any) -> tuple[Any, bool]:
    """Return an array as uint8, and whether values were clipped."""
    import numpy as np

    kind = rows.dtype.kind
    if kind == "b":
        return rows.astype(np.uint8) * np.uint8(255), False
    if kind in "ui":
        if kind == "u" and rows.dtype.itemsize == 2:
            return (rows // 257).astype(np.uint8), False
        clipped = bool((rows < 0).any() or (rows > 255).any())
        return rows.clip(0, 255).astype(np.uint8), clipped
    if kind == "f":
        numbers = rows.astype(np.float32)
        finite = np.nan_to_num(numbers, nan=0.0, posinf=2.0, neginf=-1.0)
        clipped = bool(
            np.isnan(numbers).any() or (finite < -_ROUNDING).any() or (finite > 1 + _ROUNDING).any()
        )
        return (finite.clip(0, 1) * 255).round().astype(np.uint8), clipped
    raise NoImageError(f"numbers of type {rows.dtype} are no image's")


def _require_size(shape: tuple[int, ...]) -> None:
    pixels = shape[0] * shape[1]
    if not 0 < pixels <= _MAX_PIXELS:
        raise NoImageError(f"{shape[0]} × {shape[1]} pixels are none, or too many")


def open_png(file: Path, mode: str) -> "Image | None":
    """Return the image in a PNG file in a mode of Pillow, None where it is damaged or too large."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=["PNG"]) as found:
                return found.convert(mode)
    # Pillow raises SyntaxError for a broken PNG.
    except (
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ):
        return None


BUDGET_B = 2_000_000
"""Limit on the size of all thumbnails of a session together, in bytes."""
_UNCHANGED_UP_TO_B = 40_000
_MAX_SIDE_PX = 900
_JPEG_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """An image file as bytes, and its media type."""

    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """The thumbnails, None where one is missing, and how many are missing for each reason.

    ``unreadable`` files could not be read, ``too_many`` were beyond the budget.
    """

    made: tuple[Thumbnail | None, ...]
    unreadable: int
    too_many: int


def make_thumbnails(files: Sequence[Path], budget_b: int = BUDGET_B) -> Thumbnails:
    """Return thumbnails of PNG files, in their order, until the budget is spent; needs Pillow.

    A file of up to 40 kB stays as it is, since shrinking would blur enlarged pixels.
    """
    made: list[Thumbnail | None] = []
    unreadable = too_many = spent_b = 0
    for file in files:
        thumbnail = None
        if spent_b < budget_b:
            thumbnail = _thumbnail(file)
            unreadable += thumbnail is None
        if thumbnail is not None and spent_b + len(thumbnail.data) > budget_b:
            thumbnail, spent_b, too_many = None, budget_b, too_many + 1
        elif thumbnail is None and spent_b >= budget_b:
            too_many += 1
        spent_b += 0 if thumbnail is None else len(thumbnail.data)
        made.append(thumbnail)
    return Thumbnails(tuple(made), unreadable, too_many)


def _thumbnail(file: Path) -> Thumbnail | None:
    """Return a file's thumbnail, None where it cannot be read."""
    image = open_png(file, "RGB")
    if image is None:
        return None
    if file.stat().st_size <= _UNCHANGED_UP_TO_B:
        return Thumbnail("image/png", file.read_bytes())
    image.thumbnail((_MAX_SIDE_PX, _MAX_SIDE_PX))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return Thumbnail("image/jpeg", buffer.getvalue())
