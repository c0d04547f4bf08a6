"""One sample as a batch of one, in the form that torchmetrics takes."""

import sys
from collections.abc import Sequence
from numbers import Number
from typing import Any

Pair = tuple[Any, Any]
"""An output and its target, each a batch of one."""


def as_batch(value: Any, device: object = None) -> Any:
    """Return a value with a batch dimension of one in front, as a tensor where it has numbers.

    PIL images become float tensors of shape (1, channels, height, width) with values in [0, 1],
    numbers become tensors of shape (1,); text and other objects a list of one. Tensors move to
    ``device`` if one is given. Where torch is not loaded, NumPy's arrays stand in for tensors.
    """
    found = value
    if _is_picture(value):
        found = _picture(value)
    elif isinstance(value, list | tuple) and value and all(map(_is_picture, value)):
        import numpy as np

        found = np.stack([_picture(frame) for frame in value])
    elif not hasattr(value, "shape") and not _is_numeric(value):
        return [value]
    return _tensor(found, device)[None]


def joined(values: Sequence[Any]) -> Any | None:
    """Put batches of one into one batch; None where they do not fit together."""
    if all(isinstance(value, list) for value in values):
        return [entry for value in values for entry in value]
    shapes = {tuple(getattr(value, "shape", ())) for value in values}
    if len(shapes) > 1 or () in shapes:
        return None
    torch = sys.modules.get("torch")
    if torch is not None:
        return torch.cat(list(values))
    import numpy as np

    return np.concatenate(values)


def _is_numeric(value: object) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(map(_is_numeric, value))
    return isinstance(value, Number)


def _is_picture(value: object) -> bool:
    image = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return image is not None and isinstance(value, image)


def _picture(image: Any) -> Any:
    """Return a PIL image as a float32 array of shape (channels, height, width) in [0, 1]."""
    import numpy as np

    pixels = np.array(image.convert("RGB") if image.mode == "P" else image)
    scale = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    channels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(channels, np.float32) / np.float32(scale)


def _tensor(value: Any, device: object) -> Any:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        import numpy as np

        return np.asarray(value)
    if isinstance(value, torch.Tensor):
        return value if device is None else value.to(device)
    return torch.as_tensor(value, device=device)
