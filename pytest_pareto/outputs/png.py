"""PNG files that may be damaged, or bombs."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


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
