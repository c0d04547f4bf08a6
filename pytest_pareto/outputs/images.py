"""An output as an image: what is one, and how its numbers are read.

PNG files that may be damaged, or bombs.

Pictures small enough to be put into a page, within a budget for all of them.
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
_MOST_PIXELS = 64 * 1024 * 1024
"""Below what Pillow warns of when it reads an image back."""
_ROUNDING = 1e-3
"""How far beyond [0, 1] a float may be without a word: less than one step of 256."""


class NoImageError(Exception):
    """An output that is not kept; the message says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that a PNG can hold, and whether numbers had to be clipped for it."""

    image: "Image"
    clipped: bool = False


def as_picture(output: object) -> Picture:
    """Return an output as an image.

    Understood are images of Pillow, and arrays and tensors of shape (h, w), (h, w, c) or
    (c, h, w) with 1, 3 or 4 channels, also in a batch of one. Where both ends could be channels,
    a tensor has them first and an array last. Floats are read as 0 to 1: what is outside, as of
    a model that speaks in -1 to 1, is clipped and not guessed at. Integers are read as 0 to 255,
    those of uint16 as 0 to 65535. Raises NoImageError for all else, and without Pillow.
    """
    try:
        from PIL import Image
    except ImportError:
        raise NoImageError("Pillow is not installed") from None
    try:
        if isinstance(output, Image.Image):
            return _of_pillow(output)
        return _of_array(*_as_array(output))
    except NoImageError:
        raise
    except Exception as error:  # of users' objects: a lazy image of a closed file, a fake tensor
        said = str(error).splitlines()[:1]
        what = f"{type(output).__name__}: {type(error).__name__}"
        raise NoImageError(": ".join([what, *said])) from error


def _of_pillow(image: "Image") -> Picture:
    _require_size(image.size)
    if image.mode in ("1", "L", "LA", "RGB", "RGBA"):
        return Picture(image)
    if image.mode[0] in "IF":  # numbers beyond 8 bits, which Pillow would cut off at 255
        import numpy as np

        return _of_array(np.asarray(image), channels_first=False)
    has_alpha = "transparency" in image.info or image.mode in ("PA", "RGBa", "La")
    return Picture(image.convert("RGBA" if has_alpha else "RGB"))


def _as_array(output: Any) -> tuple[Any, bool]:
    """Return an array with its numbers, and whether its channels are rather first."""
    import numpy as np

    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(output, torch.Tensor):
        on_host = output.detach().cpu()
        # NumPy has no bfloat16.
        return (on_host.float() if on_host.is_floating_point() else on_host).numpy(), True
    if not hasattr(output, "shape"):
        raise NoImageError(f"a {type(output).__name__} is no image")
    return np.asarray(output), False


def _of_array(array: Any, channels_first: bool) -> Picture:  # noqa: FBT001  (a pair, as it comes)
    from PIL import Image

    pixels, clipped = _as_bytes(_in_rows(array, channels_first=channels_first))
    return Picture(Image.fromarray(pixels), clipped)


def _in_rows(array: Any, *, channels_first: bool) -> Any:
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
        known = np.nan_to_num(numbers, nan=0.0, posinf=2.0, neginf=-1.0)
        clipped = bool(
            np.isnan(numbers).any() or (known < -_ROUNDING).any() or (known > 1 + _ROUNDING).any()
        )
        return (known.clip(0, 1) * 255).round().astype(np.uint8), clipped
    raise NoImageError(f"numbers of type {rows.dtype} are no image's")


def _require_size(shape: tuple[int, ...]) -> None:
    pixels = shape[0] * shape[1]
    if not 0 < pixels <= _MOST_PIXELS:
        raise NoImageError(f"{shape[0]} × {shape[1]} pixels are none, or too many")


def open_png(file: Path, mode: str) -> "Image | None":
    """Read a PNG file in one of Pillow's modes; None where it is damaged or absurdly large."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=["PNG"]) as found:
                return found.convert(mode)
    # SyntaxError is what Pillow raises of a broken PNG.
    except (
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ):
        return None


BUDGET_B = 2_000_000
"""What all thumbnails of a session may take together, in bytes."""
_AS_IT_IS_B = 40_000
_WIDEST = 900
_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """An image as bytes of a file, and what sort of file that is."""

    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """As many thumbnails as fit, None where there is none, and why some are lacking."""

    made: tuple[Thumbnail | None, ...]
    unreadable: int
    too_many: int


def make_thumbnails(files: Sequence[Path], budget_b: int = BUDGET_B) -> Thumbnails:
    """Shrink PNG files, in their order, until the budget is spent; needs Pillow.

    A small file stays as it is, since shrinking would blur the squares that enlarged pixels are.
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
    """Return a file's thumbnail, or None where it cannot be read."""
    image = open_png(file, "RGB")
    if image is None:
        return None
    if file.stat().st_size <= _AS_IT_IS_B:
        return Thumbnail("image/png", file.read_bytes())
    image.thumbnail((_WIDEST, _WIDEST))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=_QUALITY, optimize=True)
    return Thumbnail("image/jpeg", written.getvalue())
