"""What a comparison could have caught: the smallest regression that it convicts at 80 %."""

import math

from scipy.special import stdtr, stdtrit

from pytest_pareto.compare.spread import Spread
from pytest_pareto.model.policy import SCREEN_ALPHA

POWER = 0.8
_STEPS = 30
_PRECISION = 1e-4


def caught_at_once(error: Spread, level: float) -> float:
    """Return (t(1 - ``level``, ν) + t(0.8, ν)) √V, the distance beyond the margin.

    Moving the candidate by the margin and so much more, this comparison convicts it in 80 %
    of all cases, exactly.
    """
    return _distance(error, level, POWER)


def caught_and_confirmed(screen: Spread, confirmation: Spread, level: float) -> float:
    """Return the distance beyond the margin that is first suspected and then convicted.

    It solves P₁(x) P₂(x) = 0.8 with P(x) = F(x / √V - t(1 - α), ν), at α = 0.2 for the screen
    and at ``level`` for the confirmation. Against a stored baseline both share its error,
    which makes them agree more often than that: it errs towards saying too much.
    """
    stages = ((screen, SCREEN_ALPHA), (confirmation, level))
    low = max(_distance(error, alpha, POWER) for error, alpha in stages)
    high = max(_distance(error, alpha, math.sqrt(POWER)) for error, alpha in stages)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        power = math.prod(_power(error, alpha, middle) for error, alpha in stages)
        low, high = (middle, high) if power < POWER else (low, middle)
        if high - low <= _PRECISION * high:
            break
    return high


def _distance(error: Spread, alpha: float, power: float) -> float:
    quantiles = float(stdtrit(error.df, power) - stdtrit(error.df, alpha))
    return quantiles * math.sqrt(error.variance)


def _power(error: Spread, alpha: float, distance: float) -> float:
    threshold = -float(stdtrit(error.df, alpha))
    return float(stdtr(error.df, distance / math.sqrt(error.variance) - threshold))
