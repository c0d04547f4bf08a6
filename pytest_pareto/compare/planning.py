"""What would settle an undecided change: more runs, a better baseline, or neither."""

import math
from collections.abc import Callable, Sequence

from scipy.special import stdtrit

from pytest_pareto.compare.contrast import Contrast
from pytest_pareto.compare.resolution import POWER, caught_at_once
from pytest_pareto.compare.scale import margin_of, to_distance, to_fraction
from pytest_pareto.compare.spread import Spread
from pytest_pareto.model.change import Change
from pytest_pareto.model.policy import LEAST_BLOCKS, LEAST_OF_MANY, MOST_BLOCKS

MOST_RUNS = 100


def what_settles(
    contrast: Contrast, margin: float, alpha: float, *, relative: bool, confirmed: bool = False
) -> str:
    """Say what would settle a change whose interval holds the margin.

    A planning formula: the distance and the spread stay as they were estimated, and R
    candidate runs settle the matter when the half interval t(1 - alpha, ν(R)) √V(R) no
    longer reaches from the distance to the margin, or, where 100 runs are too few for
    that, from no change at all to the margin. ``contrast.distance`` is in the harmful
    direction; ``alpha`` is the level at which the claim at hand is tested, ``confirmed``
    whether its runs were those that confirm.
    """
    gap = abs(contrast.distance - margin)
    # A small gap may be chance. What even an absent change could not get past is not.
    hopeless = max(gap, margin)
    if _half_interval(contrast.session_error, alpha) > hopeless:
        return _sessions_forbid(contrast, relative=relative)
    if _half_interval(contrast.with_runs(math.inf).error, alpha) > hopeless:
        return contrast.no_runs_settle
    if runs := _runs_for(contrast, gap, alpha):
        remedy = contrast.remedy(runs, confirmed=confirmed)
        return f"about {runs} runs would settle it ({remedy})"
    # The distance seen may be chance too: plan for a change that is not there.
    if runs := _runs_for(contrast, margin, alpha):
        remedy = contrast.remedy(runs, confirmed=confirmed)
        return f"about {runs} runs would settle it if nothing changed ({remedy})"
    return f"too close to the tolerance to settle with {MOST_RUNS} runs"


def runs_to_settle(contrast: Contrast, margin: float, alpha: float) -> int | None:
    """Return how many candidate runs show, at 80 %, that nothing got worse if nothing did.

    (t(1 - alpha) + t(0.8)) √V no longer reaches the margin. By the spread alone: who plans by
    the change that was seen, and looks again, finds too much. None where 100 runs are too few,
    or no more are needed than there are.
    """
    return _smallest(int(contrast.runs), lambda runs: _sure(contrast, runs, alpha) <= margin)


def _sure(contrast: Contrast, runs: int, alpha: float) -> float:
    return caught_at_once(contrast.with_runs(runs).error, alpha)


def _runs_for(contrast: Contrast, gap: float, alpha: float) -> int | None:
    """Return the smallest R up to 100 whose half interval fits, if the present one does not."""
    return _smallest(
        int(contrast.runs),
        lambda runs: _half_interval(contrast.with_runs(runs).error, alpha) <= gap,
    )


def _smallest(too_few: int, fits: Callable[[int], bool]) -> int | None:
    """Return the smallest number of runs that fits, more than there are, by bisection."""
    enough = MOST_RUNS
    if too_few >= enough or fits(too_few) or not fits(enough):
        return None
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if fits(middle) else (middle, enough)
    return enough


def _half_interval(error: Spread, alpha: float) -> float:
    return float(-stdtrit(error.df, alpha)) * math.sqrt(error.variance)


def _sessions_forbid(contrast: Contrast, *, relative: bool) -> str:
    spread = math.sqrt(contrast.between_sessions.variance)
    size = f"{100 * to_fraction(spread, relative=True):.2g} %" if relative else f"{spread:.2g}"
    seen = contrast.sessions_seen
    basis = f"assumed and {seen} sessions" if seen else "assumed"
    return (
        f"no number of runs settles this: sessions differ by about {size} ({basis}); "
        "record more sessions (--pareto-update=runs), or state your own pareto_session_spread"
    )


_LARGE_FAMILY = 10


def blocks_for(changes: Sequence[Change], seen: int, level: float) -> int:
    """Return how many blocks of four runs will tell whether any of ``changes`` is real.

    The changes look worse after ``seen`` blocks; where all are exact, one more will do.
    Each has the distance and the spread between runs that it showed, s = √(n V), and is
    convicted at ``level``, its share of alpha, with 80 % probability where (t(1 - level, 3 n - 1)
    + t(0.8, 3 n - 1)) s / √n fits between its tolerance and its estimate. At least four blocks,
    six where many are suspected, and never more than twelve: what is so close to its tolerance
    may stay undecided.
    """
    noisy = [change for change in changes if not change.exact]
    least = LEAST_OF_MANY if len(noisy) > _LARGE_FAMILY else LEAST_BLOCKS
    # What is exact says the same in every run: one block shows both sides of it again.
    return max((_blocks_for(change, seen, level, least) for change in noisy), default=1)


def _blocks_for(change: Change, seen: int, level: float, least: int) -> int:
    gap, sd = _gap_and_spread(change, seen)
    for blocks in range(least, MOST_BLOCKS):
        df = 3 * blocks - 1
        needed = float(stdtrit(df, POWER) - stdtrit(df, level)) * sd / math.sqrt(blocks)
        if needed <= gap:
            return blocks
    # A suspicion within the tolerance is settled by no number of runs that anybody waits for.
    return MOST_BLOCKS if gap > 0 else least


def _gap_and_spread(change: Change, seen: int) -> tuple[float, float]:
    """Return how far the estimate is beyond the tolerance, and a run's standard deviation."""
    low, middle = (to_distance(x, relative=change.relative) for x in (change.low, change.estimate))
    margin = margin_of(change.tolerance, relative=change.relative)
    quantile = -float(stdtrit(change.df or 1.0, change.alpha))
    return middle - margin, (middle - low) / quantile * math.sqrt(seen)
