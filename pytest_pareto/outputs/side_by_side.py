"""One picture of one sample: what it was on the left, what it is on the right.

``pareto_artifacts``: for each failing case a folder, with a picture per worst sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pareto.outputs.folders import being_made, locked, open_folder, put_in_place
from pytest_pareto.outputs.image_folder import case_name, file_name
from pytest_pareto.outputs.images import open_png

if TYPE_CHECKING:
    from PIL.Image import Image


_LEAST = 256  # pixels that a side has at least, so that 8 × 8 can be seen
_GAP = 8
_LINE = 20
_LONG = 1000  # characters, more than ever fit; an id may be a whole document
_STRIP = 3 * _LINE + _GAP
_PAPER, _INK, _GREY = (255, 255, 255), (0, 0, 0), (200, 200, 200)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its image, where it was kept, and its score."""

    file: Path | None = None
    score: float | None = None
    clipped: bool = False

    def said(self, when: str) -> str:
        """Return its caption."""
        score = "" if self.score is None else f" {self.score:.4g}"
        return f"{when}{score}{' (clipped to 0..1)' if self.clipped else ''}"


@dataclass(frozen=True, slots=True)
class Pair:
    """One of the worst samples of a metric, by rank from 1."""

    metric: str
    rank: int
    sample: str
    before: Side
    now: Side

    @property
    def is_drawable(self) -> bool:
        """Whether there is an image at all."""
        return self.before.file is not None or self.now.file is not None


def compose(pair: Pair) -> "Image":
    """Draw both sides under a caption; needs Pillow.

    Small images are enlarged, both by the same whole factor, and each of their pixels becomes a
    square. A side that was not kept, or cannot be read, is grey.
    """
    from PIL import Image, ImageDraw

    images = [_read(side.file) for side in (pair.before, pair.now)]
    present = [image for image in images if image is not None]
    factor = max(1, _LEAST // max((max(image.size) for image in present), default=_LEAST))
    width = max([_LEAST, *(factor * image.width for image in present)])
    height = max([factor * image.height for image in present], default=_LEAST)
    sheet = Image.new("RGB", (2 * width + 3 * _GAP, _STRIP + height + _GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = _font()
    lines = ((f"{pair.metric}, number {pair.rank} of the worst", 0), (f"sample {pair.sample}", 1))
    for text, line in lines:
        at = (_GAP, _GAP // 2 + line * _LINE)
        draw.text(at, _fitted(text, sheet.width - 2 * _GAP, font), _INK, font)
    sides = ((pair.before.said("before"), images[0]), (pair.now.said("now"), images[1]))
    for number, (text, found) in enumerate(sides):
        left = _GAP + number * (width + _GAP)
        draw.text((left, _GAP // 2 + 2 * _LINE), _fitted(text, width, font), _INK, font)
        if found is None:
            draw.rectangle((left, _STRIP, left + width - 1, _STRIP + height - 1), _GREY)
            draw.text((left + _GAP, _STRIP + _GAP), "not kept", _INK, font)
        else:
            size = (factor * found.width, factor * found.height)
            frame = (
                left - 1,
                _STRIP - 1,
                left + factor * found.width,
                _STRIP + factor * found.height,
            )
            draw.rectangle(frame, outline=_GREY)
            sheet.paste(found.resize(size, Image.Resampling.NEAREST), (left, _STRIP))
    return sheet


def _read(file: Path | None) -> "Image | None":
    """Read an image as RGB, on white; None where there is none, or it is damaged."""
    from PIL import Image

    image = None if file is None else open_png(file, "RGBA")
    if image is None:
        return None
    paper = Image.new("RGBA", image.size, (*_PAPER, 255))
    return Image.alpha_composite(paper, image).convert("RGB")


def _font() -> Any:
    from PIL import ImageFont

    try:
        return ImageFont.load_default(14)
    except (TypeError, ImportError, OSError):  # an old Pillow, or one without FreeType
        return ImageFont.load_default()


def _fitted(text: str, width: int, font: Any) -> str:
    """Return a text that fits, without its middle if need be: ids differ at their ends."""
    readable = "".join(map(_drawable, text if len(text) <= _LONG else _cut(text, _LONG // 2)))
    if _ends(readable, font) <= width:
        return readable
    low, high = 0, len(readable) // 2  # characters kept at either end
    while low < high:
        middle = (low + high + 1) // 2
        if _ends(_cut(readable, middle), font) <= width:
            low = middle
        else:
            high = middle - 1
    return _cut(readable, low)


def _ends(text: str, font: Any) -> float:
    """Return where a text ends (px): the ink of its last letter may go beyond its advance."""
    return float(max(font.getlength(text), font.getbbox(text)[2]))


def _cut(text: str, kept: int) -> str:
    return f"{text[:kept]}...{text[len(text) - kept :]}"


def _drawable(character: str) -> str:
    r"""Return a character that Pillow's own font has, or its code, such as ``\u4e2d``."""
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


def write_artifacts(folder: Path, case_id: str, pairs: Sequence[Pair]) -> Path:
    """Draw the worst samples of a case into a folder of its own, which is returned.

    What was there of this case is replaced as a whole. Needs Pillow; raises OSError.
    """
    open_folder(folder, _README)
    target = folder / case_name(case_id)
    with locked(folder):
        made = being_made(target)
        for pair in pairs:
            picture = picture_file(made, pair)
            picture.parent.mkdir(exist_ok=True)
            compose(pair).save(picture)
        put_in_place(made, target)
    return target


def picture_file(case_folder: Path, pair: Pair) -> Path:
    """Return where in the folder of its case a pair is drawn."""
    return case_folder / file_name(pair.metric) / f"{pair.rank}-{file_name(pair.sample)}.png"
