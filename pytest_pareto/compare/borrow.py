"""Spread on loan: what other cases of a metric say where a case has almost no history."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import digamma, polygamma

from pytest_pareto.compare.spread import ENOUGH_DF, Spread

FEWEST_LENDERS = 3


def estimate_prior(spreads: Sequence[Spread]) -> Spread | None:
    """Estimate how the spreads of a metric's cases are distributed: their centre and weight.

    Variances are taken as s₀² F(df, ν₀); ν₀ and s₀² come from the mean and the variance of
    log s² (Smyth 2004, doi:10.2202/1544-6115.1027, §6.2). The more the cases differ, the
    smaller ν₀: that is what keeps a noisy case from being judged by its quiet neighbours.
    Returns None where fewer than three cases have a spread to lend.
    """
    lenders = [s for s in spreads if s.df >= 1 and s.variance > 0]
    if len(lenders) < FEWEST_LENDERS:
        return None
    df = np.array([s.df for s in lenders])
    variance = np.array([s.variance for s in lenders])
    centred = np.log(variance) - digamma(df / 2) + np.log(df / 2)
    mean = float(centred.mean())
    excess = float(centred.var(ddof=1) - polygamma(1, df / 2).mean())
    # However alike they look, the lenders know no more together than their runs told them.
    most = float(df.sum())
    prior_df = min(2 * inverse_trigamma(excess), most) if excess > 0 else most
    return Spread(float(np.exp(mean + digamma(prior_df / 2) - np.log(prior_df / 2))), prior_df)


def lend(own: Spread, prior: Spread | None) -> Spread:
    """Return the spread to judge a case by: its own where it has one, else a weighted loan.

    Own history goes first since spreads differ tenfold between cases of one metric.
    """
    if prior is None or own.df >= ENOUGH_DF:
        return own
    df = own.df + prior.df
    return Spread((own.df * own.variance + prior.df * prior.variance) / df, df)


def inverse_trigamma(value: float) -> float:
    """Return the x > 0 with trigamma(x) = ``value`` > 0.

    Newton's method on 1 / trigamma, which is convex and nearly a line. Since trigamma(x) is
    below 1 / (x - 1/2), it starts above the root and descends to it (Smyth 2004, appendix).
    """
    x, step = 0.5 + 1 / value, math.inf
    while abs(step) > 1e-10 * x:
        trigamma, slope = float(polygamma(1, x)), float(polygamma(2, x))
        step = trigamma * (1 - trigamma / value) / slope
        x += step
    return x
