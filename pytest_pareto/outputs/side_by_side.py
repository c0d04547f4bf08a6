"""Side-by-side pictures of the worst samples: the output before on the left, now on the right.

`write_artifacts` writes ``pareto_artifacts``: a folder for each failing case, with a picture per
worst sample. `compose` draws one picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pareto.outputs.folders import (
    create_ignored_folder,
    create_staging_folder,
    locked,
    replace_folder,
)
from pytest_pareto.outputs.image_folder import case_name, file_name
from pytest_pareto.outputs.images import open_png

if TYPE_CHECKING:
    from PIL.Image import Image

_MIN_SIDE_PX = 256  # so that an image of 8 × 8 pixels can be seen
_GAP_PX = 8
_LINE_PX = 20
_CAPTION_PX = 3 * _LINE_PX + _GAP_PX
_MAX_CHARACTERS = 1000  # more than ever fit; an id may be a whole document
_WHITE, _BLACK, _GREY = (255, 255, 255), (0, 0, 0), (200, 200, 200)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a picture: the image file, where it was kept, and the score."""

    file: Path | None = None
    score: float | None = None
    clipped: bool = False

    def caption(self, when: str) -> str:
        """Return the caption: ``when``, the score, and whether values were clipped."""
        score = "" if self.score is None else f" {self.score:.4g}"
        return f"{when}{score}{' (clipped to 0..1)' if self.clipped else ''}"


@dataclass(frozen=True, slots=True)
class SidePair:
    """Both sides of one of the worst samples of a metric, ranked from 1."""

    metric: str
    rank: int
    sample: str
    before: Side
    now: Side

    @property
    def is_drawable(self) -> bool:
        """Whether at least one side has an image."""
        return self.before.file is not None or self.now.file is not None


def compose(pair: SidePair) -> "Image":
    """Return a picture of both sides below a caption; needs Pillow.

    Small images are enlarged by an integer factor, the same for both sides, so that each of their
    pixels becomes a square. A side that was not kept, or cannot be read, is grey.
    """
    from PIL import Image, ImageDraw

    images = [_read(side.file) for side in (pair.before, pair.now)]
    present = [image for image in images if image is not None]
    factor = max(
        1, _MIN_SIDE_PX // max((max(image.size) for image in present), default=_MIN_SIDE_PX)
    )
    width = max([_MIN_SIDE_PX, *(factor * image.width for image in present)])
    height = max([factor * image.height for image in present], default=_MIN_SIDE_PX)
    sheet = Image.new("RGB", (2 * width + 3 * _GAP_PX, _CAPTION_PX + height + _GAP_PX), _WHITE)
    draw = ImageDraw.Draw(sheet)
    font = _font()
    lines = ((f"{pair.metric}, number {pair.rank} of the worst", 0), (f"sample {pair.sample}", 1))
    for text, line in lines:
        at = (_GAP_PX, _GAP_PX // 2 + line * _LINE_PX)
        draw.text(at, _shortened(text, sheet.width - 2 * _GAP_PX, font), _BLACK, font)
    sides = ((pair.before.caption("before"), images[0]), (pair.now.caption("now"), images[1]))
    for number, (text, found) in enumerate(sides):
        left = _GAP_PX + number * (width + _GAP_PX)
        draw.text((left, _GAP_PX // 2 + 2 * _LINE_PX), _shortened(text, width, font), _BLACK, font)
        if found is None:
            draw.rectangle((left, _CAPTION_PX, left + width - 1, _CAPTION_PX + height - 1), _GREY)
            draw.text((left + _GAP_PX, _CAPTION_PX + _GAP_PX), "not kept", _BLACK, font)
        else:
            size = (factor * found.width, factor * found.height)
            frame = (
                left - 1,
                _CAPTION_PX - 1,
                left + factor * found.width,
                _CAPTION_PX + factor * found.height,
            )
            draw.rectangle(frame, outline=_GREY)
            sheet.paste(found.resize(size, Image.Resampling.NEAREST), (left, _CAPTION_PX))
    return sheet


def _read(file: Path | None) -> "Image | None":
    """Return an image as RGB on white, None where there is none, or where it is damaged."""
    from PIL import Image

    image = None if file is None else open_png(file, "RGBA")
    if image is None:
        return None
    background = Image.new("RGBA", image.size, (*_WHITE, 255))
    return Image.alpha_composite(background, image).convert("RGB")


def _font() -> Any:
    from PIL import ImageFont

    try:
        return ImageFont.load_default(14)
    except (TypeError, ImportError, OSError):  # an old Pillow, or one built without FreeType
        return ImageFont.load_default()


def _shortened(text: str, width: int, font: Any) -> str:
    """Return a text that fits into a width (px), without its middle if it is too long.

    Beginning and end stay, since ids differ there.
    """
    bounded = text if len(text) <= _MAX_CHARACTERS else _elided(text, _MAX_CHARACTERS // 2)
    readable = "".join(map(_escaped, bounded))
    if _text_width(readable, font) <= width:
        return readable
    low, high = 0, len(readable) // 2  # characters kept at either end
    while low < high:
        middle = (low + high + 1) // 2
        if _text_width(_elided(readable, middle), font) <= width:
            low = middle
        else:
            high = middle - 1
    return _elided(readable, low)


def _text_width(text: str, font: Any) -> float:
    """Return the width of a text (px); its last glyph may extend beyond its advance."""
    return float(max(font.getlength(text), font.getbbox(text)[2]))


def _elided(text: str, kept: int) -> str:
    return f"{text[:kept]}...{text[len(text) - kept :]}"


def _escaped(character: str) -> str:
    r"""Return a character that Pillow's default font has, or an escape such as ``\u4e2d``."""
    if " " <= character <= "~":
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_README = """\
What got worst, as `pytest --pareto` found it: a folder for each case, in it one for each metric,
with the outputs of its worst samples: before on the left, now on the right. The folder of a case
is replaced when it is found worse again. All of it can be deleted at any time.
"""


def write_artifacts(folder: Path, case_id: str, pairs: Sequence[SidePair]) -> Path:
    """Draw the worst samples of a case into a folder of its own; return that folder.

    An earlier folder of the same case is replaced. Needs Pillow; raises OSError.
    """
    create_ignored_folder(folder, _README)
    target = folder / case_name(case_id)
    with locked(folder):
        staging = create_staging_folder(target)
        for pair in pairs:
            picture = picture_file(staging, pair)
            picture.parent.mkdir(exist_ok=True)
            compose(pair).save(picture)
        replace_folder(staging, target)
    return target


def picture_file(case_folder: Path, pair: SidePair) -> Path:
    """Return the path of a pair's picture in the folder of its case."""
    return case_folder / file_name(pair.metric) / f"{pair.rank}-{file_name(pair.sample)}.png"
