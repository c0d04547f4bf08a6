"""Variance components: the spread between runs and between sessions, and the error of a mean.

All values are on the working scale (see `scale`), except those of a `Session`. A case with little
history of its own uses a prior for the spread between runs, estimated from the other cases of the
metric: `estimate_prior` and `moderated_spread`.
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
"""With fewer degrees of freedom, an estimate of a case's own spread is nearly worthless."""

_FLOOR = 1e-5

MIN_CASES_FOR_PRIOR = 3


@dataclass(frozen=True, slots=True)
class Spread:
    """An estimated variance and its degrees of freedom."""

    variance: float
    df: float


NO_SPREAD = Spread(0.0, math.inf)
"""The spread of something known not to vary."""


@dataclass(frozen=True, slots=True)
class SessionValues:
    """One session on the working scale: one value per run, with its epoch."""

    epoch: int
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Level:
    """A mean over runs; ``sessions`` is the effective number of sessions behind it.

    Sessions of J_i runs count as J² / ΣJ_i²: the number of equal sessions that would have the same
    error of the mean.
    """

    mean: float
    runs: int
    sessions: float


def on_working_scale(sessions: Iterable[Session], *, relative: bool) -> list[SessionValues]:
    """Return stored sessions, in the metric's unit, on the working scale."""
    return [SessionValues(s.epoch, to_working(s.runs, relative=relative)) for s in sessions]


def level_of(sessions: Sequence[SessionValues]) -> Level:
    """Return the level accepted now: the mean over all runs of the newest epoch."""
    current = [s.values for s in sessions if s.epoch == sessions[-1].epoch]
    runs = sum(map(len, current))
    mean = math.fsum(math.fsum(values) for values in current) / runs
    return Level(mean, runs, runs**2 / sum(len(values) ** 2 for values in current))


def spread_between_runs(sessions: Sequence[SessionValues], candidate: Sequence[float]) -> Spread:
    """Return the pooled spread of runs around the means of their sessions.

    All epochs and the candidate contribute. Where sessions of one or two runs leave almost no
    degrees of freedom, the spread around the means of epochs is used instead. It includes the
    differences between sessions, so it errs towards too few claims.
    """
    within = _pooled([*(s.values for s in sessions), candidate])
    if within.df >= ENOUGH_DF:
        return within
    epochs = [[x for values in group for x in values] for group in _by_epoch(sessions)]
    coarse = _pooled([*epochs, candidate])
    return coarse if coarse.df > within.df else within


def spread_between_sessions(sessions: Sequence[SessionValues], runs: Spread) -> Spread:
    """Return the spread of sessions within epochs beyond what their runs explain.

    The moment estimator of one-way analysis of variance with unequal groups, nested in epochs: (MSB
    - s²) / n₀, at least 0; n₀ = Σ(N_e - Σn_i²/N_e) / df.
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


def shrink_to_prior(estimate: Spread, prior_sd: float, *, trusted: bool = True) -> Spread:
    """Return the estimated spread between sessions, shrunk towards the assumed one.

    (ν₀ prior² + df s²) / (ν₀ + df) with ν₀ = 8. Without an assumption (``prior_sd`` 0), or with one
    that is not ``trusted``, the estimate is used alone as soon as there is one.
    """
    if estimate.df > 0 and (prior_sd == 0 or not trusted):
        return estimate
    if prior_sd == 0:
        return NO_SPREAD
    df = PRIOR_DF + estimate.df
    return Spread((PRIOR_DF * prior_sd**2 + estimate.df * estimate.variance) / df, df)


def combine_variances(*parts: tuple[Spread, float]) -> Spread:
    """Return the variance Σ weight · variance, with its degrees of freedom by Satterthwaite."""
    shares = [(weight * spread.variance, spread.df) for spread, weight in parts]
    total = math.fsum(variance for variance, _ in shares)
    inverse_df = math.fsum((variance / total) ** 2 / df for variance, df in shares if variance > 0)
    return Spread(total, 1 / inverse_df if inverse_df > 0 else math.inf)


def floored(spread: Spread, values: Iterable[float], *, relative: bool) -> Spread:
    """Return the spread, but not below the precision of the clock, the counter and the file.

    The bound is 1e-5 of the level: twenty times the rounding of a number stored with 7 digits, and
    finer than any clock read over one call. ``values`` are the values that were compared; their
    size matters where the scale is absolute.
    """
    sd = _FLOOR if relative else _FLOOR * max(map(abs, values))
    return Spread(max(spread.variance, sd**2, sys.float_info.min), spread.df)


def case_spread(
    baseline: Sequence[Session], candidate: Sequence[float], *, relative: bool
) -> Spread:
    """Return the spread between runs of one case, from its own runs: the input of `estimate_prior`.

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


def estimate_prior(spreads: Sequence[Spread]) -> Spread | None:
    """Return the distribution of the spreads of a metric's cases: its centre and weight.

    Variances are modelled as s₀² F(df, ν₀); ν₀ and s₀² come from the mean and the variance of log
    s² (Smyth 2004, doi:10.2202/1544-6115.1027, §6.2). The more the cases differ, the smaller ν₀: a
    noisy case is then not judged by the spread of quieter ones. Returns None where fewer than three
    cases have a usable spread.
    """
    usable = [s for s in spreads if s.df >= 1 and s.variance > 0]
    if len(usable) < MIN_CASES_FOR_PRIOR:
        return None
    df = np.array([s.df for s in usable])
    variance = np.array([s.variance for s in usable])
    centred = np.log(variance) - digamma(df / 2) + np.log(df / 2)
    mean = float(centred.mean())
    excess = float(centred.var(ddof=1) - polygamma(1, df / 2).mean())
    # However similar the cases are, the prior has no more information than all their runs.
    most = float(df.sum())
    prior_df = min(2 * inverse_trigamma(excess), most) if excess > 0 else most
    return Spread(float(np.exp(mean + digamma(prior_df / 2) - np.log(prior_df / 2))), prior_df)


def moderated_spread(own: Spread, prior: Spread | None) -> Spread:
    """Return the spread to judge a case by: its own where it has one, else moderated by the prior.

    The case's own history goes first, since spreads differ tenfold between cases of one metric.
    """
    if prior is None or own.df >= ENOUGH_DF:
        return own
    df = own.df + prior.df
    return Spread((own.df * own.variance + prior.df * prior.variance) / df, df)


def inverse_trigamma(value: float) -> float:
    """Return the x > 0 with trigamma(x) = ``value`` > 0.

    Newton's method on 1 / trigamma, which is convex and nearly linear. Since trigamma(x) is below 1
    / (x - 1/2), the iteration starts above the root and descends to it (Smyth 2004, appendix).
    """
    x, step = 0.5 + 1 / value, math.inf
    while abs(step) > 1e-10 * x:
        trigamma, slope = float(polygamma(1, x)), float(polygamma(2, x))
        step = trigamma * (1 - trigamma / value) / slope
        x += step
    return x
