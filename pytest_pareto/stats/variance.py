"""How far runs and sessions scatter, and what that makes of the error of a mean.

Everything here is on the working scale (see `scale`), except where a `Session` comes in.

Spread on loan: what other cases of a metric say where a case has almost no history.
"""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, polygamma

from pytest_pareto.model.baseline import Session
from pytest_pareto.stats.scale import to_working

PRIOR_DF = 8.0
"""The weight of the assumed spread between sessions, in sessions."""

ENOUGH_DF = 2.0
"""With fewer degrees of freedom a case knows almost nothing of its own spread."""

_FLOOR = 1e-5


@dataclass(frozen=True, slots=True)
class Spread:
    """An estimated variance and the degrees of freedom that it rests on."""

    variance: float
    df: float


NO_SPREAD = Spread(0.0, math.inf)
"""What does not vary, for certain."""


@dataclass(frozen=True, slots=True)
class SessionValues:
    """One session on the working scale: one value per run, beside its epoch."""

    epoch: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Level:
    """A mean over runs; ``sessions`` is the effective number of sessions behind it.

    Sessions of J_i runs count as J² / ΣJ_i², as many as equal ones would have to be for
    the same error of the mean.
    """

    mean: float
    runs: int
    sessions: float


def on_working_scale(sessions: Iterable[Session], *, relative: bool) -> list[SessionValues]:
    """Bring stored sessions, in the metric's unit, to the working scale."""
    return [SessionValues(s.epoch, to_working(s.runs, relative=relative)) for s in sessions]


def level_of(sessions: Sequence[SessionValues]) -> Level:
    """Return the level that is accepted now: the mean over all runs of the newest epoch."""
    current = [s.values for s in sessions if s.epoch == sessions[-1].epoch]
    runs = sum(map(len, current))
    mean = math.fsum(math.fsum(values) for values in current) / runs
    return Level(mean, runs, runs**2 / sum(len(values) ** 2 for values in current))


def spread_between_runs(sessions: Sequence[SessionValues], candidate: Sequence[float]) -> Spread:
    """Pool the scatter of runs around their session's mean, over all epochs and the candidate.

    Where sessions of one or two runs leave almost no degrees of freedom, the scatter around
    the means of epochs stands in. It holds the differences between sessions too, and so
    errs towards saying too little.
    """
    within = _pooled([*(s.values for s in sessions), candidate])
    if within.df >= ENOUGH_DF:
        return within
    epochs = [[x for values in group for x in values] for group in _by_epoch(sessions)]
    coarse = _pooled([*epochs, candidate])
    return coarse if coarse.df > within.df else within


def spread_between_sessions(sessions: Sequence[SessionValues], runs: Spread) -> Spread:
    """Estimate what sessions of one epoch differ by, beyond what their runs explain.

    The moment estimator of one-way analysis of variance with unequal groups, nested in
    epochs: (MSB - s²) / n₀, no less than 0; n₀ = Σ(N_e - Σn_i²/N_e) / df.
    """
    squares, df, weight = 0.0, 0, 0.0
    for group in _by_epoch(sessions):
        sizes = [len(values) for values in group]
        total = sum(sizes)
        mean = math.fsum(x for values in group for x in values) / total
        squares += sum(len(v) * (math.fsum(v) / len(v) - mean) ** 2 for v in group)
        df += len(group) - 1
        weight += total - sum(size**2 for size in sizes) / total
    if df == 0:
        return Spread(0.0, 0.0)
    return Spread(max(0.0, (squares / df - runs.variance) / (weight / df)), float(df))


def shrunk(estimate: Spread, prior_sd: float, *, trusted: bool = True) -> Spread:
    """Weigh an assumed spread between sessions with the estimated one.

    (ν₀ prior² + df s²) / (ν₀ + df) with ν₀ = 8. Without an assumption (``prior_sd`` 0), or
    with one that is not ``trusted``, the estimate stands alone as soon as there is one.
    """
    if estimate.df > 0 and (prior_sd == 0 or not trusted):
        return estimate
    if prior_sd == 0:
        return NO_SPREAD
    df = PRIOR_DF + estimate.df
    return Spread((PRIOR_DF * prior_sd**2 + estimate.df * estimate.variance) / df, df)


def combined(*parts: tuple[Spread, float]) -> Spread:
    """Return the variance Σ weight · variance, with its degrees of freedom by Satterthwaite."""
    shares = [(weight * spread.variance, spread.df) for spread, weight in parts]
    total = math.fsum(variance for variance, _ in shares)
    doubt = math.fsum((variance / total) ** 2 / df for variance, df in shares if variance > 0)
    return Spread(total, 1 / doubt if doubt > 0 else math.inf)


def floored(spread: Spread, values: Iterable[float], *, relative: bool) -> Spread:
    """Keep a spread from claiming more than the clock, the counter and the file can tell.

    1e-5 of the level: twenty times the rounding of a number stored with 7 digits, and
    finer than any clock read over one call. ``values`` are those that were compared; their
    size matters where the scale is absolute.
    """
    sd = _FLOOR if relative else _FLOOR * max(map(abs, values))
    return Spread(max(spread.variance, sd**2, sys.float_info.min), spread.df)


def case_spread(
    baseline: Sequence[Session], candidate: Sequence[float], *, relative: bool
) -> Spread:
    """Return what one case's own runs say of its spread between runs: what it can lend.

    ``baseline`` and ``candidate`` are levels in the metric's unit, as for `compare_levels`.
    """
    sessions = on_working_scale(baseline, relative=relative)
    runs = to_working(candidate, relative=relative)
    values = [*runs, *(x for s in sessions for x in s.values)]
    return floored(spread_between_runs(sessions, runs), values, relative=relative)


def _pooled(groups: Iterable[Sequence[float]]) -> Spread:
    squares, df = 0.0, 0
    for group in groups:
        mean = math.fsum(group) / len(group)
        squares += math.fsum((x - mean) ** 2 for x in group)
        df += len(group) - 1
    return Spread(squares / df if df else 0.0, float(df))


def _by_epoch(sessions: Sequence[SessionValues]) -> list[list[tuple[float, ...]]]:
    epochs: dict[int, list[tuple[float, ...]]] = {}
    for session in sessions:
        epochs.setdefault(session.epoch, []).append(session.values)
    return list(epochs.values())


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
