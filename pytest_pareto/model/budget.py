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
class Budget:
    """A bound on one metric, in the metric's SI unit; ``text`` is how its author wrote it.

    ``unit`` is "" where none was written, and "%" where the bound is of a bare score.
    """

    metric: str
    ceiling: bool
    limit: float
    unit: str
    text: str


def parse_budget(metric: str, text: object) -> Budget:
    """Read ``">= 0.90"`` or ``"<= 0.5 s"``.

    Raises ParetoError where the text has another form or a unit that is not known.
    """
    spelled = text if isinstance(text, str) else ""
    match = _FORM.fullmatch(spelled)
    if match is None or match[3] not in _SCALE:
        raise ParetoError(
            f"budget of {metric!r} is {text!r}; write a string such as '>= 0.90' or '<= 250 ms' "
            f"(units: {', '.join(unit for unit in _SCALE if unit)})"
        )
    comparison, number, suffix = match.groups()
    try:
        limit = float(number) * _SCALE[suffix]
    except ValueError:
        raise ParetoError(f"budget of {metric!r}: {number!r} is not a number") from None
    if not math.isfinite(limit):
        raise ParetoError(f"budget of {metric!r}: {number!r} is no finite number")
    unit = _DIMENSION.get(suffix, suffix)
    return Budget(metric, comparison == "<=", limit, unit, spelled.strip())
