"""What the callers of `compare_runs` and `compare_paired` hand in, checked in one place."""

import math

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind


def read_better(better: str) -> Better:
    """Read which way is better.

    Raises ParetoError unless it is "lower" or "higher".
    """
    if better not in tuple(Better):
        raise ParetoError(f"better must be 'lower' or 'higher', not {better!r}")
    return Better(better)


def read_kind(kind: str) -> Kind:
    """Read what kind of scores samples have.

    Raises ParetoError unless it is "paired" or "ordinal".
    """
    if kind not in (Kind.PAIRED, Kind.ORDINAL):
        raise ParetoError(f"kind must be 'paired' or 'ordinal', not {kind!r}")
    return Kind(kind)


def require_terms(*, alpha: float, **limits: float) -> None:
    """Raise ParetoError unless alpha is a chance below one half and each limit is finite, >= 0."""
    for name, value in limits.items():
        if not (math.isfinite(value) and value >= 0):
            raise ParetoError(f"{name} must be a finite number >= 0, not {value!r}")
    if not 0 < alpha < 0.5:
        raise ParetoError(f"alpha must lie between 0 and 0.5, not {alpha!r}")
