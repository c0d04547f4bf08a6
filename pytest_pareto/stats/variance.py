"""Variance components: the spread between runs and between sessions, and the error of a mean.

All values are on the working scale (see `scale`), except those of a `Session`. A case with little
history of its own uses a prior for the spread between runs, estimated from the other cases of the
metric: `estimate_prior` and `moderated_spread`. What sessions differ by is estimated from all cases
of a metric together, beginning with an assumption: `session_spreads`.
"""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, fdtr, ndtr, polygamma, stdtrit

from pytest_pareto.model.baseline import Session
from pytest_pareto.model.metric import Metric
from pytest_pareto.stats.scale import to_working

ENOUGH_DF = 2.0
"""With fewer degrees of freedom, an estimate of a case's own spread is nearly worthless."""

_FLOOR = 1e-5

MIN_CASES_FOR_PRIOR = 3

_Array: TypeAlias = NDArray[np.float64]

_RATIOS = np.geomspace(1 / 64, 64, 97)
"""True spreads between sessions that are considered, in units of the assumed one."""
_ALONE = 1.9
_PRIOR_SCALE, _PRIOR_DF = 2.15, (4.0, 60.0)
_QUIETER, _NOISIER, _APART = (0.2, 0.5, 1.0), 0.2, 0.25
_MOST_CASES_PER_DF = 2.0
_TAILS = (0.95, 0.999)


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


def within_df(sessions: Sequence[SessionValues], candidate: Sequence[float]) -> int:
    """Return the degrees of freedom of the runs within their sessions."""
    return sum(len(s.values) - 1 for s in sessions) + len(candidate) - 1


@dataclass(frozen=True, slots=True)
class SessionEvidence:
    """What the stored sessions of one case show of the spread between sessions.

    ``epochs`` are the means of sessions and their numbers of runs, ``runs`` is the spread between
    runs, and ``assumed_sd`` the assumed standard deviation between sessions.
    """

    epochs: tuple[tuple[tuple[float, int], ...], ...]
    runs: Spread
    assumed_sd: float

    @classmethod
    def of(
        cls,
        sessions: Sequence[SessionValues],
        candidate: Sequence[float],
        runs: Spread,
        assumed_sd: float,
    ) -> "SessionEvidence":
        """Return the evidence of stored sessions, none where few of them have several runs."""
        if within_df(sessions, candidate) < ENOUGH_DF:
            return cls((), runs, assumed_sd)
        groups = [group for group in _by_epoch(sessions) if len(group) > 1]
        means = (tuple((math.fsum(v) / len(v), len(v)) for v in group) for group in groups)
        return cls(tuple(means), runs, assumed_sd)

    @property
    def df(self) -> int:
        """The degrees of freedom of the sessions within epochs."""
        return sum(len(epoch) - 1 for epoch in self.epochs)

    @property
    def sessions(self) -> int:
        """The number of sessions that show anything of their spread."""
        return sum(map(len, self.epochs))

    def log_likelihood(self) -> _Array:
        """Return the restricted log likelihood of each of `_RATIOS`.

        The means of an epoch are normal with variance σ² + s²/n about a common unknown mean.
        """
        variances = (_RATIOS * self.assumed_sd) ** 2
        total = np.zeros_like(variances)
        for epoch in self.epochs:
            means, sizes = (np.array(column) for column in zip(*epoch, strict=True))
            v = variances[:, None] + self.runs.variance / sizes
            centre = (means / v).sum(axis=1) / (1 / v).sum(axis=1)
            squares = ((means - centre[:, None]) ** 2 / v).sum(axis=1)
            total -= (np.log(v).sum(axis=1) + np.log((1 / v).sum(axis=1)) + squares) / 2
        return total

    def residuals(self, length: int) -> _Array:
        """Return what sessions differ by from their epoch, the newest last, as a unit vector.

        Padded with zeros to ``length`` sessions.
        """
        residuals = [
            mean - math.fsum(m for m, _ in epoch) / len(epoch)
            for epoch in self.epochs
            for mean, _ in epoch
        ]
        padded = np.zeros(length)
        padded[length - len(residuals) :] = residuals
        norm = float(np.linalg.norm(padded))
        return padded / norm if norm > 0 else padded


def session_sd(metric: Metric, spread: float, level: Sequence[float]) -> float:
    """Return the assumed standard deviation between sessions, on the metric's working scale.

    ``spread`` is a fraction of the level.
    """
    return math.log1p(spread) if metric.relative else spread * max(map(abs, level))


def session_evidence(
    sessions: Sequence[SessionValues],
    candidate: Sequence[float],
    own: Spread,
    assumed_sd: float,
    *,
    relative: bool,
) -> SessionEvidence | None:
    """Return what the sessions of a case show of the spread between them.

    None where every session is one run, so that the scatter of runs includes that of sessions. The
    assumed spread was measured for times and energy; for a score it is a guess, which counts as
    nothing once there are sessions.
    """
    if within_df(sessions, candidate) == 0 and own.df >= ENOUGH_DF:
        return None
    evidence = SessionEvidence.of(sessions, candidate, own, assumed_sd)
    return evidence if relative or not evidence.df else replace(evidence, assumed_sd=0.0)


def assumed_session_spread(assumed_sd: float) -> Spread:
    """Return the spread between sessions where no session shows it: 1.9 times the assumed one.

    The true spread may be twice as large as it is assumed, and a test at 5 % then errs in 7 %.
    """
    return Spread((_ALONE * assumed_sd) ** 2, math.inf) if assumed_sd > 0 else NO_SPREAD


def session_spreads(cases: Sequence[SessionEvidence]) -> list[Spread]:
    """Return the spread between sessions of each case of a metric, estimated from all of them.

    A hierarchical model on a grid of σ, relative to the assumed spread. The spread m that is common
    to the cases of a metric has m² ~ (2.15 assumed)² F(4, 60). Three of four cases have a σ like
    it: log σ is normal about log m, with a standard deviation of .2 above it, and of .2, .5 or 1
    below, each as probable. One of four is unlike the others, and its σ distributed like m. The
    sessions of a case give the likelihood of its σ. What n cases show of m counts as that of
    n / (1 + (n - 1) r) cases, with r the mean correlation between the residuals of two of them, and
    at most as that of two for each degree of freedom of a case: sessions may differ in the same way
    for all, and then all show it but once.

    The posterior of a deviation, a mixture of normal distributions, is returned as the Student t
    with the same quantiles at 95 and 99.9 %. Where no case has two sessions of an epoch, the
    assumption is returned. Where nothing is assumed, the estimate of a case's own sessions is
    returned, if it has any.
    """
    assuming = [case for case in cases if case.assumed_sd > 0]
    if any(case.df for case in assuming):
        learnt = iter(_posterior_spreads(assuming))
    else:
        learnt = iter([assumed_session_spread(case.assumed_sd) for case in assuming])
    return [next(learnt) if case.assumed_sd > 0 else _moment_estimate(case) for case in cases]


def _moment_estimate(case: SessionEvidence) -> Spread:
    """Return the spread of sessions within epochs beyond what their runs explain.

    The moment estimator of one-way analysis of variance with unequal groups, nested in epochs: (MSB
    - s²) / n₀, at least 0; n₀ = Σ(N_e - Σn_i²/N_e) / df.
    """
    if not case.df:
        return NO_SPREAD
    squares, weight = 0.0, 0.0
    for epoch in case.epochs:
        total = sum(runs for _, runs in epoch)
        mean = math.fsum(mean * runs for mean, runs in epoch) / total
        squares += sum(runs * (each - mean) ** 2 for each, runs in epoch)
        weight += total - sum(runs**2 for _, runs in epoch) / total
    between = (squares / case.df - case.runs.variance) / (weight / case.df)
    return Spread(max(0.0, between), float(case.df))


def _posterior_spreads(cases: Sequence[SessionEvidence]) -> list[Spread]:
    likelihood = np.array([case.log_likelihood() for case in cases])
    likelihood = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    weight = _effective_share([case for case in cases if case.df])
    # For each scatter of quieter cases: (case, common spread).
    evidence = [np.maximum(likelihood @ kernel.T, sys.float_info.min) for kernel in _kernels()]
    common = np.array([_log_prior() + weight * np.log(each).sum(axis=0) for each in evidence])
    common = np.exp(common - common.max())
    posterior = likelihood * sum(
        (shown / each) @ kernel
        for shown, each, kernel in zip(common, evidence, _kernels(), strict=True)
    )
    posterior /= posterior.sum(axis=1, keepdims=True)
    scales, dfs = _matched_t(posterior)
    return [
        Spread((scale * case.assumed_sd) ** 2, df)
        for case, scale, df in zip(cases, scales.tolist(), dfs.tolist(), strict=True)
    ]


def _effective_share(cases: Sequence[SessionEvidence]) -> float:
    """Return as how large a part of these cases they count: those that move together, as one."""
    count = len(cases)
    if count < 2:
        return 1.0
    length = max(case.sessions for case in cases)
    together = np.sum([case.residuals(length) for case in cases], axis=0)
    correlation = (float(together @ together) - count) / (count * (count - 1))
    effective = count / (1 + (count - 1) * max(correlation, 0.0))
    # A few sessions alike by chance do not show whether cases move together.
    return min(effective, _MOST_CASES_PER_DF * max(case.df for case in cases)) / count


@cache
def _log_prior() -> _Array:
    """Return the log probability of each of `_RATIOS` as the common spread of a metric's cases."""
    edges = np.sqrt(_RATIOS[1:] * _RATIOS[:-1]) / _PRIOR_SCALE
    below = np.concatenate([[0.0], fdtr(*_PRIOR_DF, edges**2), [1.0]])
    return np.log(np.maximum(np.diff(below), sys.float_info.min))


@cache
def _kernels() -> tuple[_Array, ...]:
    """Return the distributions of a case's spread for each common spread, (common, spread)."""
    beyond = np.log(_RATIOS) - np.log(_RATIOS)[:, None]
    unlike = np.exp(_log_prior())
    kernels = (
        np.exp(-((beyond / np.where(beyond > 0, _NOISIER, quieter)) ** 2) / 2)
        for quieter in _QUIETER
    )
    return tuple(
        (1 - _APART) * kernel / kernel.sum(axis=1, keepdims=True) + _APART * unlike
        for kernel in kernels
    )


@cache
def _mixture_table() -> tuple[_Array, _Array]:
    """Return log deviations, and the probability of smaller ones for each of `_RATIOS`."""
    deviations = np.arange(math.log(_RATIOS[0]) - 1, math.log(_RATIOS[-1]) + 2, 0.02)
    return deviations, ndtr(np.exp(deviations[:, None]) / _RATIOS)


@cache
def _t_table() -> tuple[_Array, _Array]:
    """Return degrees of freedom, and the ratio of the two `_TAILS` quantiles of t with them."""
    dfs = np.geomspace(1000.0, 1.0, 400)
    low, high = (stdtrit(dfs, tail) for tail in _TAILS)
    return dfs, np.asarray(high / low, np.float64)


def _matched_t(posterior: _Array) -> tuple[_Array, _Array]:
    """Return the scale and the degrees of freedom of the t that has a mixture's `_TAILS`."""
    deviations, below = _mixture_table()
    probability = posterior @ below.T
    low, high = (
        np.exp([float(np.interp(tail, row, deviations)) for row in probability]) for tail in _TAILS
    )
    dfs, ratios = _t_table()
    df = np.interp(high / low, ratios, dfs)
    return low / stdtrit(df, _TAILS[0]), df


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
