"""Power of a comparison: the smallest detectable regression, and the runs or blocks to plan.

- `detectable_distance` computes the regression that is detected with 80 % probability.
- `p_confirming` computes whether fresh runs can confirm a change, `confirming_runs` how many do.
- `settling_advice` and `runs_to_settle` plan candidate runs for an undecided change.
- `blocks_for` plans the blocks of an interleaved confirmation.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import chdtri, ndtr, stdtr, stdtrit

from pytest_pareto.model.change import Change
from pytest_pareto.model.policy import (
    MAX_BLOCKS,
    MIN_BLOCKS,
    MIN_BLOCKS_MANY_FLAGGED,
    MIN_POOLED_BLOCKS,
    RUNS_PER_BLOCK,
    SCREEN_ALPHA,
    Option,
)
from pytest_pareto.stats.contrast import Contrast
from pytest_pareto.stats.scale import margin_of, to_distance, to_fraction
from pytest_pareto.stats.variance import Spread

POWER = 0.8

MOST_RUNS = 100

_SURE = 0.99
"""At 95 %, a change that five fresh runs always confirm was missed in 4 of 100 simulated builds."""
_FEWEST_CONFIRMING = 2

_LARGE_FAMILY = 10

_NODES, _WEIGHTS = (x / 2 for x in np.polynomial.legendre.leggauss(24))
_QUANTILES = _NODES + 0.5
_FACTORS = np.geomspace(1.0, 4.0, 20)
_MOST_DF = 1e6
_NORMAL_NODES, _NORMAL_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_NORMAL_WEIGHTS = _NORMAL_WEIGHTS / _NORMAL_WEIGHTS.sum()
_MOST_SHARED = 0.99


def detectable_distance(contrast: Contrast, level: float, confirming: int = 0) -> float:
    """Return the distance beyond the margin that is detected with 80 % probability.

    The test is one comparison at ``level``. With ``confirming`` > 0, a flagged change is measured
    again with so many fresh runs, and both tests must be significant.
    """
    if not confirming:
        return detectable_in_one_stage(contrast.error, level)
    again = contrast.with_runs(confirming)
    return detectable_in_two_stages(
        contrast.error,
        again.error,
        level,
        shared_df=contrast.shared_df,
        shared_variance=contrast.shared_variance,
    )


def p_confirming(contrast: Contrast, margin: float, level: float, runs: int) -> float:
    """Return the probability that ``runs`` fresh runs of the session call a change WORSE.

    The test is one comparison at ``level``. Given the distance θ of the session's R runs, that of r
    fresh ones scatters about it with s² (1/R + 1/r): baseline and session are the same. The result
    is the tail of Student's t with the degrees of freedom of s.
    """
    again = contrast.with_runs(runs).error
    needed = margin - float(stdtrit(again.df, level)) * math.sqrt(again.variance)
    between = contrast.between_runs
    scatter = math.sqrt(between.variance * (1 / contrast.runs + 1 / runs))
    return float(stdtr(between.df, (contrast.distance - needed) / scatter))


def confirming_runs(contrast: Contrast, margin: float, level: float, most: int) -> int:
    """Return the fewest of at most ``most`` fresh runs that are nearly sure to call a change WORSE.

    Nearly sure is 99 % by `p_confirming`. Where ``most`` runs are less sure, all of them are
    needed. The number depends on what has been measured, and not on the fresh runs, which are
    tested at their level however many there are.
    """
    for runs in range(_FEWEST_CONFIRMING, most):
        if p_confirming(contrast, margin, level, runs) >= _SURE:
            return runs
    return most


def detectable_in_one_stage(error: Spread, level: float) -> float:
    """Return (t(1 - ``level``, ν) + t(0.8, ν)) √V, the distance beyond the margin.

    A candidate moved by the margin plus this distance is called WORSE in exactly 80 % of all cases.
    """
    quantiles = float(stdtrit(error.df, POWER) - stdtrit(error.df, level))
    return quantiles * math.sqrt(error.variance)


def detectable_in_two_stages(
    screen: Spread,
    confirmation: Spread,
    level: float,
    *,
    shared_df: float,
    shared_variance: float = 0.0,
) -> float:
    """Return the distance x beyond the margin that is first flagged and then confirmed.

    It solves E[Φ(u₁) Φ(u₂)] = 0.8, with u₁ = ((x / √V₁ - t₁) / σ + ρ₁ z) / √(1 - ρ₁²) and t₁ the
    quantile of α = 0.2; u₂ likewise with t₂ s₂, of ``level``. Both stages use the same baseline in
    the same session: z is normal, and ρᵢ² = ``shared_variance`` / Vᵢ. σ is the error of the
    screen's spread, in units of that spread: σ² = ν₁ / χ²(ν₁). The confirmation estimates anew all
    but h = ``shared_df`` of its degrees of freedom: s₂² = (h + (ν₂ - h) σ²) / ν₂.
    """
    df = min(screen.df, _MOST_DF)
    sigma2 = df / chdtri(df, _QUANTILES)
    sigma = np.sqrt(sigma2)
    fresh = 1 - min(shared_df / min(confirmation.df, _MOST_DF), 1.0)
    again = np.sqrt(1 - fresh + fresh * sigma2)

    thresholds = [
        -float(stdtrit(screen.df, SCREEN_ALPHA)) * np.ones_like(sigma),
        -float(stdtrit(confirmation.df, level)) * again,
    ]
    scales = [math.sqrt(screen.variance), math.sqrt(confirmation.variance)]
    least = max(
        detectable_in_one_stage(screen, SCREEN_ALPHA), detectable_in_one_stage(confirmation, level)
    )
    distances = 0.8 * least * _FACTORS
    powers = np.ones((len(distances), len(_NORMAL_NODES), len(sigma)))
    for threshold, scale in zip(thresholds, scales, strict=True):
        shared = min(shared_variance / scale**2, _MOST_SHARED)
        beyond = ((distances[:, None] / scale - threshold) / sigma)[:, None, :]
        shared_deviation = math.sqrt(shared) * _NORMAL_NODES[None, :, None]
        powers *= ndtr((beyond + shared_deviation) / math.sqrt(1 - shared))
    return float(np.interp(POWER, _NORMAL_WEIGHTS @ (powers @ _WEIGHTS).T, distances))


def settling_advice(
    contrast: Contrast, margin: float, alpha: float, *, relative: bool, confirmed: bool = False
) -> str:
    """Return advice on what would settle a change whose interval holds the margin.

    The advice is more candidate runs, a better baseline, or that neither helps. The planning
    formula keeps the distance and the spread as estimated. R candidate runs settle the matter when
    the half interval t(1 - alpha, ν(R)) √V(R) no longer reaches from the distance to the margin,
    or, where 100 runs are too few for that, from no change at all to the margin.
    ``contrast.distance`` is in the harmful direction. ``alpha`` is the level of the claim.
    ``confirmed`` is whether its runs were those of the confirmation.
    """
    gap = abs(contrast.distance - margin)
    # A small gap may be chance, so an error is too large only if no change would not fit either.
    widest = max(gap, margin)
    if _half_interval(contrast.session_error, alpha) > widest:
        return _session_spread_message(contrast, relative=relative)
    if _half_interval(contrast.with_runs(math.inf).error, alpha) > widest:
        return contrast.no_runs_settle_message
    if runs := _runs_for(contrast, gap, alpha):
        option = contrast.runs_option(runs, confirmed=confirmed)
        return f"about {runs} runs would settle it ({option})"
    # The observed distance may be chance too: plan for unchanged code.
    if runs := _runs_for(contrast, margin, alpha):
        option = contrast.runs_option(runs, confirmed=confirmed)
        return f"about {runs} runs would settle it if nothing changed ({option})"
    return f"too close to the tolerance to settle with {MOST_RUNS} runs"


def runs_to_settle(contrast: Contrast, margin: float, alpha: float) -> int | None:
    """Return the number of candidate runs that show, at 80 %, that unchanged code is not worse.

    With that number (t(1 - alpha) + t(0.8)) √V no longer reaches the margin. The plan uses the
    spread alone: planning by the observed change, and then testing again, exceeds the level.
    Returns None where 100 runs are too few, or where the present runs are enough.
    """
    return _fewest_runs(
        int(contrast.runs), lambda runs: _half_width_at_power(contrast, runs, alpha) <= margin
    )


def _half_width_at_power(contrast: Contrast, runs: int, alpha: float) -> float:
    return detectable_in_one_stage(contrast.with_runs(runs).error, alpha)


def _runs_for(contrast: Contrast, gap: float, alpha: float) -> int | None:
    """Return the smallest R up to 100 whose half interval fits, if the present one does not."""
    return _fewest_runs(
        int(contrast.runs),
        lambda runs: _half_interval(contrast.with_runs(runs).error, alpha) <= gap,
    )


def _fewest_runs(too_few: int, fits: Callable[[int], bool]) -> int | None:
    """Return the smallest number of runs above ``too_few`` that fits, by bisection."""
    enough = MOST_RUNS
    if too_few >= enough or fits(too_few) or not fits(enough):
        return None
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if fits(middle) else (middle, enough)
    return enough


def _half_interval(error: Spread, alpha: float) -> float:
    return float(-stdtrit(error.df, alpha)) * math.sqrt(error.variance)


def _session_spread_message(contrast: Contrast, *, relative: bool) -> str:
    spread = math.sqrt(contrast.between_sessions.variance)
    size = f"{100 * to_fraction(spread, relative=True):.2g} %" if relative else f"{spread:.2g}"
    seen = contrast.sessions_seen
    extent = f"about {size} (assumed and {seen} sessions)" if seen else f"up to {size} (assumed)"
    return (
        f"more runs will not help: sessions differ by {extent}; record more sessions "
        f"({Option.UPDATE}=runs), state your own {Option.SESSION_SPREAD}, or use {Option.AGAINST}"
    )


def blocks_for(
    changes: Sequence[Change],
    seen: int,
    level: float,
    runs_per_block: int = RUNS_PER_BLOCK,
    *,
    pooled: bool = False,
) -> int:
    """Return the number of blocks that show whether any of ``changes`` is real.

    A block has ``runs_per_block`` runs of either side.

    The changes were flagged after ``seen`` blocks. Where all are exact, one more block is enough.
    The plan takes for each change the observed distance and spread between runs, s = √(n V). Tested
    at ``level``, its share of alpha, a change is significant with 80 % probability where (t(1 -
    level, ν) + t(0.8, ν)) s / √n fits between its tolerance and its estimate, with ν = 3 n - 1 for
    blocks of four runs and n - 1 for pairs; n includes those ``seen`` where they are ``pooled``
    with the new ones. The result is at least four blocks (two where pooled, six where many changes
    are flagged) and at most twelve: a change so close to its tolerance may stay undecided.
    """
    noisy = [change for change in changes if not change.exact]
    if pooled:
        least = MIN_POOLED_BLOCKS
    else:
        least = MIN_BLOCKS_MANY_FLAGGED if len(noisy) > _LARGE_FAMILY else MIN_BLOCKS
    # An exact metric is the same in every run: one block measures both sides again.
    df_per_block = 2 * runs_per_block - 1
    kept = seen if pooled else 0
    return max(
        (_blocks_for(change, seen, kept, level, least, df_per_block) for change in noisy),
        default=1,
    )


def _blocks_for(
    change: Change, seen: int, kept: int, level: float, least: int, df_per_block: int
) -> int:
    gap, sd = _gap_and_spread(change, seen)
    for blocks in range(least, MAX_BLOCKS):
        df = df_per_block * (blocks + kept) - 1
        needed = float(stdtrit(df, POWER) - stdtrit(df, level)) * sd / math.sqrt(blocks + kept)
        if needed <= gap:
            return blocks
    # No practical number of runs decides a flagged change that lies within the tolerance.
    return MAX_BLOCKS if gap > 0 else least


def _gap_and_spread(change: Change, seen: int) -> tuple[float, float]:
    """Return how far the estimate is beyond the tolerance, and the standard deviation of a run."""
    low, middle = (to_distance(x, relative=change.relative) for x in (change.low, change.estimate))
    margin = margin_of(change.tolerance, relative=change.relative)
    quantile = -float(stdtrit(change.df or 1.0, change.alpha))
    return middle - margin, (middle - low) / quantile * math.sqrt(seen)
