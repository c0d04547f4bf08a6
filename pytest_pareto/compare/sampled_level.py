"""The level of scores per sample beside a fixed number, with the chance that it lies beyond."""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, bdtrc, stdtr

from pytest_pareto.compare.measured import Measured
from pytest_pareto.model.metric import Kind
from pytest_pareto.stats.paired_proportion import is_binary
from pytest_pareto.stats.sequential import sequential_p
from pytest_pareto.stats.skew_t import MeanShift

Tails = tuple[float, float]


def tails_of_scores(measured: Measured, value: float, limit: float) -> Tails:
    """Return the p-values that speak for a level above ``limit``, and for one below it.

    Scores that are all 0 or 1 by the exact binomial test, others by t and Hall's t together (see
    `hall.MeanShift`), blocks of a set around its one number ``value`` by Student's t. A single
    sample has no spread and is taken as it stands. Where the evaluation may have stopped early,
    the p-values are those over all its looks.
    """
    assert measured.samples is not None
    values = np.array(measured.samples.values)
    if values.size < 2:
        return 0.0, 0.0
    above, below = _tails(values, value, limit, measured.metric.kind)
    return sequential_p(above, measured.looks), sequential_p(below, measured.looks)


def _tails(values: npt.NDArray[np.float64], value: float, limit: float, kind: Kind) -> Tails:
    if kind is Kind.SET:
        return _around(value - limit, values)
    if is_binary(values):
        return _proportion(int(values.sum()), values.size, limit)
    if not (values - limit).any():
        return 0.0, 0.0  # on the bound itself, and that is within
    shift = MeanShift.of(values - limit)
    return shift.p_above(0.0), shift.p_below(0.0)


def _around(distance: float, blocks: npt.NDArray[np.float64]) -> Tails:
    error = float(blocks.std(ddof=1)) / math.sqrt(blocks.size)
    if error == 0:
        return 0.0, 0.0  # it is where it is
    t = distance / error
    return float(stdtr(blocks.size - 1, -t)), float(stdtr(blocks.size - 1, t))


def _proportion(hits: int, n: int, limit: float) -> Tails:
    """Test a proportion exactly; no share is below 0 or above 1, and none needs a test there."""
    if limit <= 0:
        return 0.0, 1.0 if hits or limit < 0 else 0.0
    if limit >= 1:
        return 1.0 if hits < n or limit > 1 else 0.0, 0.0
    above = float(bdtrc(hits - 1, n, limit)) if hits else 1.0
    return above, float(bdtr(hits, n, limit))
