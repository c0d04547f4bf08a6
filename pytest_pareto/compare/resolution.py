"""What a comparison could have caught: the smallest regression that it convicts at 80 %."""

import math

import numpy as np
from scipy.special import chdtri, ndtr, stdtrit

from pytest_pareto.compare.contrast import Contrast
from pytest_pareto.compare.spread import Spread
from pytest_pareto.model.policy import SCREEN_ALPHA

POWER = 0.8

_NODES, _WEIGHTS = (x / 2 for x in np.polynomial.legendre.leggauss(24))
_QUANTILES = _NODES + 0.5
_FACTORS = np.geomspace(1.0, 4.0, 20)
_MOST_DF = 1e6
_NORMAL_NODES, _NORMAL_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_NORMAL_WEIGHTS = _NORMAL_WEIGHTS / _NORMAL_WEIGHTS.sum()
_MOST_SHARED = 0.99


def caught_beyond(contrast: Contrast, level: float, confirming: int = 0) -> float:
    """Return the distance beyond the margin that is caught with 80 % probability.

    At ``level`` at once, or, where ``confirming`` fresh runs follow, by both together.
    """
    if not confirming:
        return caught_at_once(contrast.error, level)
    again = contrast.with_runs(confirming)
    return caught_and_confirmed(
        contrast.error,
        again.error,
        level,
        shared_df=contrast.kept_df,
        shared_variance=contrast.kept_variance,
    )


def caught_at_once(error: Spread, level: float) -> float:
    """Return (t(1 - ``level``, ν) + t(0.8, ν)) √V, the distance beyond the margin.

    Moving the candidate by the margin and so much more, this comparison convicts it in 80 %
    of all cases, exactly.
    """
    quantiles = float(stdtrit(error.df, POWER) - stdtrit(error.df, level))
    return quantiles * math.sqrt(error.variance)


def caught_and_confirmed(
    screen: Spread,
    confirmation: Spread,
    level: float,
    *,
    shared_df: float,
    shared_variance: float = 0.0,
) -> float:
    """Return the distance x beyond the margin that is first suspected and then convicted.

    It solves E[Φ(u₁) Φ(u₂)] = 0.8, with u₁ = ((x / √V₁ - t₁) / σ + ρ₁ z) / √(1 - ρ₁²), t₁ the
    quantile of α = 0.2; u₂ likewise with t₂ s₂, of ``level``. Both meet the same baseline in
    the same session: z is normal, and ρᵢ² = ``shared_variance`` / Vᵢ. What the screen's spread
    may be off by is σ, in units of that spread: σ² = ν₁ / χ²(ν₁). The confirmation estimates
    anew all but h = ``shared_df`` of its degrees of freedom: s₂² = (h + (ν₂ - h) σ²) / ν₂.
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
    least = max(caught_at_once(screen, SCREEN_ALPHA), caught_at_once(confirmation, level))
    distances = 0.8 * least * _FACTORS
    powers = np.ones((len(distances), len(_NORMAL_NODES), len(sigma)))
    for threshold, scale in zip(thresholds, scales, strict=True):
        shared = min(shared_variance / scale**2, _MOST_SHARED)
        beyond = ((distances[:, None] / scale - threshold) / sigma)[:, None, :]
        luck = math.sqrt(shared) * _NORMAL_NODES[None, :, None]
        powers *= ndtr((beyond + luck) / math.sqrt(1 - shared))
    return float(np.interp(POWER, _NORMAL_WEIGHTS @ (powers @ _WEIGHTS).T, distances))
