"""Pictures small enough to be put into a page, within a budget for all of them."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.outputs.png import open_png

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
