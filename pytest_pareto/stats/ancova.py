"""Analysis of covariance: latency adjusted for the speed of the host.

Where the host is the bottleneck, latency follows the host reference (`HOST_REFERENCE`), a small
fixed loop that is timed beside the calls. `adjust` converts the latencies of both sides to the host
speed at which the baseline was measured. The slope is estimated within sessions and shrunk towards
the slopes of recordings of two pipelines. The adjustment could hide a change of the software, so it
is refused, with a reason, where the correlation is weak or the shift of the host is large.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_pareto.model.baseline import Session
from pytest_pareto.model.formatting import percent
from pytest_pareto.stats.contrast import AdjustmentError
from pytest_pareto.stats.scale import to_fraction
from pytest_pareto.stats.variance import ENOUGH_DF, NO_SPREAD, Spread

_PRIOR_SLOPE = 0.9
_PRIOR_SLOPE_SD = 0.25
"""Slopes were .67 and 1.08 on the recordings of two pipelines, with standard errors of .10."""
_SLOPE_DRIFT_SD = 0.25
"""The standard deviation of one session's slope around that of the others."""
_MIN_CORRELATION = 0.8
_MAX_SHIFT = 0.08
"""Beyond this shift the slope is not known well enough. Means over five and over four fresh
processes of unchanged code on an H200 differed by more in 8 % of the splits."""
_SLOPE_DF = 1.0
"""The degrees of freedom that the estimate of the slope uses."""


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Both sides of a latency at the baseline's host speed; levels in seconds, one per run.

    ``adjustment_error`` is the error that the unknown slope adds to the distance between the sides.
    ``shift`` is how much slower the host is now, as a fraction. ``apart`` is the reason why only a
    clear regression can be claimed, None unless the shift is too large.
    """

    sessions: tuple[Session, ...]
    runs: tuple[float, ...]
    adjustment_error: AdjustmentError
    slope: float
    shift: float
    apart: str | None = None


@dataclass(frozen=True, slots=True)
class Unadjusted:
    """The reason why latencies are compared without an adjustment."""

    reason: str


def adjust(
    sessions: Sequence[Session], runs: Sequence[float], reference: Sequence[float]
) -> Adjusted | Unadjusted:
    """Return the baseline's sessions and this session's ``runs`` at one host speed.

    Every session has one reference reading per run; ``reference`` (s) holds those of this session.
    The method is an analysis of covariance with a shrunk slope. On the log scale, with all sums
    within sessions: b̂ = Sxy / Sxx, s² of the residuals, w = Sxx / s², b = (b̂ w + b₀ / τ²) / (w +
    1 / τ²) with b₀ = 0.9 and τ = 0.25. A shift of Δz adds the variance Δz² (1 / (w + 1 / τ²) +
    0.25²). The size of the test, simulated and on recordings, is given in `docs/calibration.md`.
    """
    level = [s for s in sessions if s.epoch == sessions[-1].epoch]
    baseline_log = _mean([math.log(z) for s in level for z in s.reference])
    shift = _mean([math.log(z) for z in reference]) - baseline_log
    sums = _sums_of_squares([*((s.runs, s.reference) for s in sessions), (runs, reference)])
    if sums.df < ENOUGH_DF:
        return Unadjusted("too few runs to learn how it follows the host reference")
    if sums.correlation < _MIN_CORRELATION:
        return Unadjusted(f"it follows the host reference too little (r = {sums.correlation:.2f})")
    apart = abs(shift) > math.log1p(_MAX_SHIFT)
    weight, prior_weight = sums.weight, 1 / _PRIOR_SLOPE_SD**2
    slope = (sums.slope * weight + _PRIOR_SLOPE * prior_weight) / (weight + prior_weight)
    adjustment_error = shift**2 * (1 / (weight + prior_weight) + _SLOPE_DRIFT_SD**2)

    def at_baseline_speed(
        levels: Sequence[float], references: Sequence[float]
    ) -> tuple[float, ...]:
        pairs = zip(levels, references, strict=True)
        return tuple(y * math.exp(-slope * (math.log(z) - baseline_log)) for y, z in pairs)

    return Adjusted(
        tuple(Session(s.env, s.epoch, at_baseline_speed(s.runs, s.reference)) for s in sessions),
        at_baseline_speed(runs, reference),
        AdjustmentError(
            Spread(adjustment_error, math.inf) if adjustment_error > 0 else NO_SPREAD, _SLOPE_DF
        ),
        slope,
        to_fraction(shift, relative=True),
        f"{_host_speed_text(shift)}, too far to be allowed for" if apart else None,
    )


def _host_speed_text(shift: float) -> str:
    faster = math.expm1(-shift) if shift < 0 else math.expm1(shift)
    return f"this host launches {percent(faster)} {'faster' if shift < 0 else 'slower'} than it did"


@dataclass(frozen=True, slots=True)
class _SumsOfSquares:
    """Sums of squares and products of logs around the means of their sessions."""

    xx: float
    xy: float
    yy: float
    df: float

    @property
    def slope(self) -> float:
        return self.xy / self.xx

    @property
    def correlation(self) -> float:
        product = self.xx * self.yy
        return self.xy / math.sqrt(product) if product > 0 else 0.0

    @property
    def weight(self) -> float:
        """Sxx / s²: the inverse of the slope's variance."""
        residual = max(self.yy - self.slope * self.xy, 0.0) / self.df
        # A latency that follows the reference exactly would leave the slope without error.
        return self.xx / max(residual, 1e-10)


def _sums_of_squares(sessions: Sequence[tuple[Sequence[float], Sequence[float]]]) -> _SumsOfSquares:
    xx = xy = yy = 0.0
    df = -_SLOPE_DF
    for levels, references in sessions:
        ys, xs = _centred(levels), _centred(references)
        xx += math.fsum(x * x for x in xs)
        xy += math.fsum(x * y for x, y in zip(xs, ys, strict=True))
        yy += math.fsum(y * y for y in ys)
        df += len(levels) - 1
    return _SumsOfSquares(xx, xy, yy, df)


def _centred(values: Sequence[float]) -> list[float]:
    logs = [math.log(value) for value in values]
    mean = _mean(logs)
    return [x - mean for x in logs]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
