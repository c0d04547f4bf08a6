"""Hard floors and ceilings: what a metric may never cross, whatever the baseline says."""

import math
import re
from dataclasses import dataclass

from pytest_pareto.model.errors import ParetoError

_FORM = re.compile(r"\s*(<=|>=)\s*([-+]?[0-9.]+(?:[eE][-+]?\d+)?)\s*([A-Za-zµ%]*)\s*")

_SCALE = {
    "": 1.0,
    "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6,
    "J": 1.0, "mJ": 1e-3, "kJ": 1e3,
    "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30,
    "count": 1.0, "%": 1e-2,
}  # fmt: skip
_DIMENSION = {"ms": "s", "us": "s", "µs": "s", "mJ": "J", "kJ": "J"} | dict.fromkeys(
    ("kB", "MB", "GB", "KiB", "MiB", "GiB"), "B"
)


@dataclass(frozen=True, slots=True)
class Bound:
    """A ceiling, or else a floor, in the metric's SI unit."""

    ceiling: bool
    limit: float


@dataclass(frozen=True, slots=True)
class Budget:
    """A floor, a ceiling or both on one metric; ``text`` is how its author wrote it.

    ``unit`` is "" where none was written, and "%" where the bounds are of a bare score.
    """

    metric: str
    bounds: tuple[Bound, ...]
    unit: str
    text: str


def parse_budget(metric: str, text: object) -> Budget:
    """Read ``">= 0.90"``, ``"<= 0.5 s"``, or ``">= 20 ms, <= 30 ms"``.

    Raises ParetoError where the text has another form, a unit that is not known, or two bounds
    that nothing can keep.
    """
    spelled = text if isinstance(text, str) else ""
    read = [_parse_bound(metric, text, part) for part in spelled.split(",")]
    bounds, units = tuple(bound for bound, _ in read), {unit for _, unit in read}
    if len(units) > 1:
        raise ParetoError(
            f"budget of {metric!r} is {text!r}; write both bounds in units of one kind"
        )
    match bounds:
        case (_,):
            pass
        case (Bound(ceiling=False, limit=low), Bound(ceiling=True, limit=high)) | (
            Bound(ceiling=True, limit=high),
            Bound(ceiling=False, limit=low),
        ):
            if low > high:
                raise ParetoError(
                    f"budget of {metric!r} is {text!r}; nothing is above its floor and below its "
                    "ceiling"
                )
        case _:
            raise ParetoError(
                f"budget of {metric!r} is {text!r}; it takes one floor and one ceiling"
            )
    return Budget(metric, bounds, units.pop(), spelled.strip())


def _parse_bound(metric: str, text: object, part: str) -> tuple[Bound, str]:
    match = _FORM.fullmatch(part)
    if match is None or match[3] not in _SCALE:
        raise ParetoError(
            f"budget of {metric!r} is {text!r}; write a string such as '>= 0.90', '<= 250 ms' or "
            f"'>= 20 ms, <= 30 ms' (units: {', '.join(unit for unit in _SCALE if unit)})"
        )
    comparison, number, suffix = match.groups()
    try:
        limit = float(number) * _SCALE[suffix]
    except ValueError:
        raise ParetoError(f"budget of {metric!r}: {number!r} is not a number") from None
    if not math.isfinite(limit):
        raise ParetoError(f"budget of {metric!r}: {number!r} is no finite number")
    return Bound(comparison == "<=", limit), _DIMENSION.get(suffix, suffix)
