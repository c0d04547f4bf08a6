"""Two mappings of scores as two arrays in the same order, or a clear error."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import SupportsFloat

import numpy as np
import numpy.typing as npt

from pytest_pareto.model.errors import ParetoError


def align(
    baseline: Mapping[str, float], candidate: Mapping[str, float]
) -> tuple[list[str], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the ids, sorted, with the baseline's and the candidate's scores in that order.

    Sorted, so that the order of the mappings does not reach the last digit of a result.

    Raises ParetoError if the sides hold different ids, or a score is not a finite number.
    """
    _check_same_ids(baseline, candidate)
    ids = sorted(baseline)
    return ids, _scores(baseline, ids, "baseline"), _scores(candidate, ids, "candidate")


def _check_same_ids(baseline: Mapping[str, float], candidate: Mapping[str, float]) -> None:
    only = [
        f"{len(names)} only in the {side} ({_first_three(names)})"
        for side, names in (
            ("baseline", baseline.keys() - candidate.keys()),
            ("candidate", candidate.keys() - baseline.keys()),
        )
        if names
    ]
    if only:
        raise ParetoError(
            f"the two sides hold different samples: {' and '.join(only)}; "
            "pass scores of the same ids on both sides"
        )


def _first_three(names: Iterable[str]) -> str:
    first, *more = map(repr, sorted(names))
    return ", ".join([first, *more[:2], *(["..."] if more[2:] else [])])


def _scores(scores: Mapping[str, float], ids: Sequence[str], side: str) -> npt.NDArray[np.float64]:
    try:
        values = np.array([scores[name] for name in ids], dtype=np.float64)
    except (TypeError, ValueError):
        raise _unusable(scores, ids, side) from None
    if not np.isfinite(values).all():
        raise _unusable(scores, ids, side)
    return values


def _unusable(scores: Mapping[str, float], ids: Sequence[str], side: str) -> ParetoError:
    name = next(name for name in ids if not _is_finite(scores[name]))
    return ParetoError(
        f"the {side}'s score of sample {name!r} is {scores[name]!r}; a finite number is needed"
    )


def _is_finite(score: object) -> bool:
    return isinstance(score, SupportsFloat) and math.isfinite(score)
