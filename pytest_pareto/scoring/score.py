"""`Score`, a metric with its policy, and helpers that read values returned by user code.

The helpers accept numbers, sequences, arrays and tensors without importing the library that a
value comes from.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, SupportsFloat

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Scope

OVER = ("sample", "batch", "set")


@dataclass(frozen=True, slots=True)
class Score:
    """A metric for `evaluate`, with its policy.

    ``fn`` is, by what the score is ``over``:

    - ``"sample"``: a function ``fn(output, target)`` that returns a number, or an object with
      ``update``, ``compute`` and ``reset`` such as those of torchmetrics;
    - ``"batch"``: a function ``fn(outputs, targets)`` that returns a number per sample;
    - ``"set"``: a function ``fn(features)`` of an array of shape (n, d) that returns one number,
      where ``features(output, target)`` returns a vector of d numbers for each output; or an
      object as above, which is updated with every output before it computes.

    ``better`` is "higher" or "lower"; without it, ``fn.higher_is_better`` is read. ``tolerance``
    is absolute, in ``unit``; without one any significant loss is a regression. ``scope`` is where
    else the score would be the same: "gpu", "host" or "anywhere". ``gate=False`` makes it a
    diagnostic. ``ordinal`` scores (grades, ratings) are compared by their order only.
    """

    fn: Any
    _: KW_ONLY
    better: str | None = None
    tolerance: float | None = None
    unit: str = ""
    scope: str = "gpu"
    gate: bool = True
    over: str = "sample"
    features: Callable[[Any, Any], object] | None = None
    ordinal: bool = False

    def __post_init__(self) -> None:
        _check_choice("over", self.over, OVER)
        _check_choice("scope", self.scope, tuple(Scope))
        if self.better is not None:
            _check_choice("better", self.better, tuple(Better))
        if not callable(self.fn) and not is_stateful(self.fn):
            raise ParetoError(
                f"Score takes a function, or an object with update, compute and reset, "
                f"not {self.fn!r}"
            )
        if self.tolerance is not None and not _is_nonnegative_number(self.tolerance):
            raise ParetoError(f"Score(tolerance=...) takes a number >= 0, not {self.tolerance!r}")
        if self.over == "set":
            self._check_set()
        elif self.features is not None:
            raise ParetoError("Score(features=...) is for scores of the whole set: over='set'")
        if self.over == "batch" and is_stateful(self.fn):
            raise ParetoError(
                f"Score(over='batch') takes a function that returns a number per sample; "
                f"{type(self.fn).__name__} is scored per sample (leave over= away) or over='set'"
            )

    def _check_set(self) -> None:
        if self.ordinal:
            raise ParetoError("Score(ordinal=True) is for grades of samples, not over='set'")
        if is_stateful(self.fn) == (self.features is not None):
            raise ParetoError(
                "Score(over='set') takes a function of an array of shape (n, d) together with "
                "features=, a function (output, target) that returns d numbers; or an object "
                "with update, compute and reset, without features="
            )


def is_stateful(metric: object) -> bool:
    """Whether a metric is an object with update, compute and reset, as those of torchmetrics."""
    return all(callable(getattr(metric, name, None)) for name in ("update", "compute", "reset"))


def _is_nonnegative_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) and value >= 0


def _check_choice(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ParetoError(f"Score({name}=...) is one of {', '.join(known)}, not {value!r}")


_MAX_SHOWN = 60
"""How many characters of a value a message shows."""


def is_array(value: object) -> bool:
    """Whether a value is an array or tensor of any library, with at least one dimension."""
    # A pandas Series is indexed by its labels, so it is treated as a sequence.
    shape = getattr(value, "shape", None)
    return isinstance(shape, tuple) and len(shape) > 0 and not hasattr(value, "iloc")


def take(values: Any, positions: Sequence[int]) -> Any:
    """Return the entries at these positions, as an array if ``values`` is one, else as a list."""
    if is_array(values):
        return values[list(positions)]
    return [values[position] for position in positions]


def as_indexable(values: Any) -> Any:
    """Return values in a form that `take` can index: an array as it is, else a list or tuple."""
    if is_array(values) or isinstance(values, list | tuple):
        return values
    if hasattr(values, "__len__") and hasattr(values, "__getitem__"):
        # Not by iteration: a dataset that raises no IndexError would never end it.
        return [values[position] for position in range(len(values))]
    return list(values)


def _unwrapped(value: object) -> object:
    """Return the only element of nested arrays and lists of one; any other value as it is."""
    to_list = getattr(value, "tolist", None)
    found = to_list() if callable(to_list) else value
    while isinstance(found, list | tuple) and len(found) == 1:
        found = found[0]
    return found


def as_number(value: object) -> float | None:
    """Return the one number that a value holds, or None where it holds none or several."""
    found = _unwrapped(value)
    try:
        return float(found) if isinstance(found, SupportsFloat) else None
    except OverflowError:  # an integer beyond the range of a float
        return None


def as_numbers(value: object) -> list[float | None] | None:
    """Return the numbers of a one-dimensional value, None where it is not one-dimensional."""
    to_list = getattr(value, "tolist", None)
    found = to_list() if callable(to_list) else value
    if not isinstance(found, Iterable) or isinstance(found, str | bytes | dict):
        return None
    return [as_number(each) for each in found]


def describe(value: object) -> str:
    """Return the type of a value with its shape, length or repr, for a message."""
    kind = type(value).__name__
    if isinstance(getattr(value, "shape", None), tuple):
        return f"{kind} of shape {tuple(value.shape)}"  # type: ignore[attr-defined]  # checked above
    if isinstance(value, list | tuple | dict | set):
        return f"{kind} of length {len(value)}"
    text = repr(value)
    return f"{kind} {text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + '...'}"


def name_samples(labels: Sequence[str], most: int = 3) -> str:
    """Return samples for a message: "sample 'a'", or "samples 'a', 'b', 'c' and 5 more"."""
    named = ", ".join(repr(label) for label in labels[:most])
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f"sample{'s' if len(labels) > 1 else ''} {named}{more}"
