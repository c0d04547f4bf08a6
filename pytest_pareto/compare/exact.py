"""Comparison of exact metrics, which repeat to the last digit and need no test."""

import math
from collections.abc import Sequence
from dataclasses import replace

from pytest_pareto.model.change import Change
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better
from pytest_pareto.stats.scale import STORED_ROUNDING, harm_sign, require_usable


def compare_exact(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    better: Better,
    relative: bool,
    tolerance: float,
    alpha: float,
) -> Change:
    """Compare the worst run of each side, without a test: the interval is a point.

    Levels are in the metric's unit, one per run. Levels that are equal within the 7 significant
    digits of a stored number count as equal. From a baseline of 0, any harm is infinite.

    Raises ParetoError where a side is empty, or a level is not finite, or is negative although
    ``relative``.
    """
    then = worst_run(baseline, better=better, relative=relative)
    now = worst_run(candidate, better=better, relative=relative)
    harm, slack = _harm(then, now, better=better, relative=relative)
    change = _at(harm, tolerance=tolerance, relative=relative, alpha=alpha)
    for mark in (0.0, tolerance, change.improvement_edge):
        if abs(harm - mark) <= slack:
            change = _at(mark, tolerance=tolerance, relative=relative, alpha=alpha)
            break
    reason = _not_repeatable(baseline, "before") or _not_repeatable(candidate, "now")
    return replace(change, reason=reason)


def worst_run(levels: Sequence[float], *, better: Better, relative: bool) -> float:
    """Return the most harmful level of an exact metric, in its unit.

    Raises ParetoError as `compare_exact` does.
    """
    require_usable(levels, relative=False, noun="run")
    if relative and min(levels) < 0:
        raise ParetoError(
            f"{min(levels):g} has no ratio to anything: a relative metric cannot be negative"
        )
    return max(levels) if better is Better.LOWER else min(levels)


def _harm(then: float, now: float, *, better: Better, relative: bool) -> tuple[float, float]:
    """Return the change in the harmful direction, and how far rounding may have moved it."""
    if not relative:
        return harm_sign(better) * (now - then), STORED_ROUNDING * max(abs(then), abs(now))
    more, less = (now, then) if better is Better.LOWER else (then, now)
    if less == 0:
        return (0.0 if more == 0 else math.inf), 0.0
    return more / less - 1, STORED_ROUNDING * (more / less)


def _at(harm: float, *, tolerance: float, relative: bool, alpha: float) -> Change:
    """Return a change of exactly ``harm``."""
    change = Change(
        estimate=harm,
        low=harm,
        high=harm,
        tolerance=tolerance,
        relative=relative,
        alpha=alpha,
        p_worse=0.0 if harm > tolerance else 1.0,
        p_better=1.0,
        resolution=tolerance,
        exact=True,
    )
    return replace(change, p_better=0.0 if harm < change.improvement_edge else 1.0)


def _not_repeatable(levels: Sequence[float], side: str) -> str | None:
    """Return a reason that names the range of levels that differ between runs, or None."""
    low, high = min(levels), max(levels)
    if high - low <= 2 * STORED_ROUNDING * max(abs(low), abs(high)):
        return None
    return (
        f"the runs {side} differ ({low:g} to {high:g}) although the metric is exact; "
        "their worst was compared"
    )
