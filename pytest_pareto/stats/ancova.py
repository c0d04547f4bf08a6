"""The host reference as a covariate: how much of a latency's change is the host's mood.

Where the host is the bottleneck, latency follows a little loop of our own that was timed beside
the calls (`HOST_REFERENCE`). Latencies are brought to the mood in which the baseline was measured,
by a slope that is learnt within sessions and shrunk towards what recordings of two pipelines
showed. It is a sharp tool: where it could hide a change of the software, or would have to reach
too far, it is not used, and says why.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_pareto.model.baseline import Session
from pytest_pareto.model.formatting import percent
from pytest_pareto.stats.contrast import Doubt
from pytest_pareto.stats.scale import to_fraction
from pytest_pareto.stats.variance import ENOUGH_DF, NO_SPREAD, Spread

_USUAL_SLOPE = 0.9
_SLOPE_SD = 0.25
"""Slopes were .67 and 1.08 on the recordings of two pipelines, with standard errors of .10."""
_SLOPE_DRIFT_SD = 0.25
"""How far the slope of one session may be from that of the others."""
_LEAST_CORRELATION = 0.8
_FARTHEST = 0.08
"""A shift by more asks more of the slope than can be known of it. Means over five and over four
fresh processes of unchanged code on an H200 were farther apart in 8 % of the splits."""
_DF_SPENT = 1.0


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Both sides of a latency in the mood of the baseline; levels in seconds, one per run.

    ``doubt`` is what not knowing the slope adds to the distance between the sides. ``shift``
    is how much slower the host was now, as a fraction. ``apart`` says that this is so much
    that nothing less than a clear regression can be told.
    """

    sessions: tuple[Session, ...]
    runs: tuple[float, ...]
    doubt: Doubt
    slope: float
    shift: float
    apart: str | None = None


@dataclass(frozen=True, slots=True)
class Unadjusted:
    """Why latencies are compared as they are."""

    reason: str


def adjust(
    sessions: Sequence[Session], runs: Sequence[float], reference: Sequence[float]
) -> Adjusted | Unadjusted:
    """Bring the sessions of a baseline and this session's ``runs`` to one mood of the host.

    Every session has a reference reading per run, and so has this one, in ``reference`` (s).
    On the log scale, with all sums within sessions: b̂ = Sxy / Sxx, s² of the residuals,
    w = Sxx / s², b = (b̂ w + b₀ / τ²) / (w + 1 / τ²) with b₀ = 0.9 and τ = 0.25, and for a shift
    of Δz the variance Δz² (1 / (w + 1 / τ²) + 0.25²): an analysis of covariance whose slope is
    shrunk. The size of the test, simulated and on recordings: see `docs/calibration.md`.
    """
    level = [s for s in sessions if s.epoch == sessions[-1].epoch]
    mood = _mean([math.log(z) for s in level for z in s.reference])
    shift = _mean([math.log(z) for z in reference]) - mood
    sums = _sums([*((s.runs, s.reference) for s in sessions), (runs, reference)])
    if sums.df < ENOUGH_DF:
        return Unadjusted("too few runs to learn how it follows the host reference")
    if sums.correlation < _LEAST_CORRELATION:
        return Unadjusted(f"it follows the host reference too little (r = {sums.correlation:.2f})")
    apart = abs(shift) > math.log1p(_FARTHEST)
    weight, prior_weight = sums.weight, 1 / _SLOPE_SD**2
    slope = (sums.slope * weight + _USUAL_SLOPE * prior_weight) / (weight + prior_weight)
    doubt = shift**2 * (1 / (weight + prior_weight) + _SLOPE_DRIFT_SD**2)

    def in_one_mood(levels: Sequence[float], moods: Sequence[float]) -> tuple[float, ...]:
        pairs = zip(levels, moods, strict=True)
        return tuple(y * math.exp(-slope * (math.log(z) - mood)) for y, z in pairs)

    return Adjusted(
        tuple(Session(s.env, s.epoch, in_one_mood(s.runs, s.reference)) for s in sessions),
        in_one_mood(runs, reference),
        Doubt(Spread(doubt, math.inf) if doubt > 0 else NO_SPREAD, _DF_SPENT),
        slope,
        to_fraction(shift, relative=True),
        f"{_launches(shift)}, too far to be allowed for" if apart else None,
    )


def _launches(shift: float) -> str:
    faster = math.expm1(-shift) if shift < 0 else math.expm1(shift)
    return f"this host launches {percent(faster)} {'faster' if shift < 0 else 'slower'} than it did"


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums of squares and products of logs around the means of sessions."""

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
        # Latency that follows to the last digit would make the slope known for certain.
        return self.xx / max(residual, 1e-10)


def _sums(sessions: Sequence[tuple[Sequence[float], Sequence[float]]]) -> _Sums:
    xx = xy = yy = 0.0
    df = -_DF_SPENT
    for levels, moods in sessions:
        ys, xs = _centred(levels), _centred(moods)
        xx += math.fsum(x * x for x in xs)
        xy += math.fsum(x * y for x, y in zip(xs, ys, strict=True))
        yy += math.fsum(y * y for y in ys)
        df += len(levels) - 1
    return _Sums(xx, xy, yy, df)


def _centred(values: Sequence[float]) -> list[float]:
    logs = [math.log(value) for value in values]
    mean = _mean(logs)
    return [x - mean for x in logs]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
