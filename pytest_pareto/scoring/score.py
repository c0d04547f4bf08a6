"""How a metric of samples is to be read: its direction, its tolerance, and what it is over.

What users' code returns, read without importing the library that it comes from.
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
      where ``features(output, target)`` makes a vector of d numbers of each output; or an object
      as above, which is updated with every output before it computes.

    ``better`` is "higher" or "lower", and may be left to ``fn.higher_is_better``. ``tolerance``
    is absolute, in ``unit``; without one any significant loss is a regression. ``scope`` says
    where else the score would be the same: "gpu", "host" or "anywhere". ``gate=False`` makes it
    a diagnostic. Of ``ordinal`` scores (grades, ratings) only the order means something.
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
        _one_of("over", self.over, OVER)
        _one_of("scope", self.scope, tuple(Scope))
        if self.better is not None:
            _one_of("better", self.better, tuple(Better))
        if not callable(self.fn) and not updates(self.fn):
            raise ParetoError(
                f"Score takes a function, or an object with update, compute and reset, "
                f"not {self.fn!r}"
            )
        if self.tolerance is not None and not _is_amount(self.tolerance):
            raise ParetoError(f"Score(tolerance=...) takes a number >= 0, not {self.tolerance!r}")
        if self.over == "set":
            self._check_set()
        elif self.features is not None:
            raise ParetoError("Score(features=...) is for scores of the whole set: over='set'")
        if self.over == "batch" and updates(self.fn):
            raise ParetoError(
                f"Score(over='batch') takes a function that returns a number per sample; "
                f"{type(self.fn).__name__} is scored per sample (leave over= away) or over='set'"
            )

    def _check_set(self) -> None:
        if self.ordinal:
            raise ParetoError("Score(ordinal=True) is for grades of samples, not over='set'")
        if updates(self.fn) == (self.features is not None):
            raise ParetoError(
                "Score(over='set') takes a function of an array of shape (n, d) together with "
                "features=, a function (output, target) that returns d numbers; or an object "
                "with update, compute and reset, without features="
            )


def updates(metric: object) -> bool:
    """Whether a metric is an object that collects before it computes, as torchmetrics' do."""
    return all(callable(getattr(metric, name, None)) for name in ("update", "compute", "reset"))


def _is_amount(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) and value >= 0


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ParetoError(f"Score({name}=...) is one of {', '.join(known)}, not {value!r}")


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
