"""What users' code returns, read without importing the library that it comes from."""

from collections.abc import Iterable, Sequence
from typing import Any, SupportsFloat

_SHOWN = 60
"""How much of a value a message shows, in characters."""


def is_array(value: object) -> bool:
    """Whether it is an array or a tensor with at least one dimension, of whichever library."""
    # A pandas Series is indexed by its labels, so it goes as the sequence that it is.
    shape = getattr(value, "shape", None)
    return isinstance(shape, tuple) and len(shape) > 0 and not hasattr(value, "iloc")


def take(values: Any, positions: Sequence[int]) -> Any:
    """Return the entries at these positions: of an array an array, else a list."""
    if is_array(values):
        return values[list(positions)]
    return [values[position] for position in positions]


def listed(values: Any) -> Any:
    """Return something that `take` can index: an array as it is, or else a list or tuple."""
    if is_array(values) or isinstance(values, list | tuple):
        return values
    if hasattr(values, "__len__") and hasattr(values, "__getitem__"):
        # Not by iteration, which a dataset that raises no IndexError never ends.
        return [values[position] for position in range(len(values))]
    return list(values)


def plain(value: object) -> object:
    """Turn what holds exactly one number into that number; leave the rest as it is."""
    to_list = getattr(value, "tolist", None)
    found = to_list() if callable(to_list) else value
    while isinstance(found, list | tuple) and len(found) == 1:
        found = found[0]
    return found


def as_number(value: object) -> float | None:
    """Return the one number that a value holds, or None where it holds none or several."""
    found = plain(value)
    try:
        return float(found) if isinstance(found, SupportsFloat) else None
    except OverflowError:  # a whole number beyond what a float holds
        return None


def as_numbers(value: object) -> list[float | None] | None:
    """Return the numbers of a one-dimensional value, None where it is not one."""
    to_list = getattr(value, "tolist", None)
    found = to_list() if callable(to_list) else value
    if not isinstance(found, Iterable) or isinstance(found, str | bytes | dict):
        return None
    return [as_number(each) for each in found]


def describe(value: object) -> str:
    """Say what a value is, in a few words."""
    kind = type(value).__name__
    if isinstance(getattr(value, "shape", None), tuple):
        return f"{kind} of shape {tuple(value.shape)}"  # type: ignore[attr-defined]  # asked above
    if isinstance(value, list | tuple | dict | set):
        return f"{kind} of length {len(value)}"
    text = repr(value)
    return f"{kind} {text if len(text) <= _SHOWN else text[:_SHOWN] + '...'}"


def name_some(labels: Sequence[str], most: int = 3) -> str:
    """Name samples in a message: "sample 'a'", or "samples 'a', 'b', 'c' and 5 more"."""
    named = ", ".join(repr(label) for label in labels[:most])
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f"sample{'s' if len(labels) > 1 else ''} {named}{more}"
