import numpy as np

from pytest_pareto.model.metric import Kind
from pytest_pareto.stats.jackknife import BlockShift
from pytest_pareto.stats.paired_change import shift_of
from pytest_pareto.stats.paired_proportion import Flips
from pytest_pareto.stats.skew_t import MeanShift


def test_the_kind_and_the_scores_choose_the_test() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=20), rng.normal(size=20)
    harm = before - after
    assert shift_of(before, after, harm, Kind.PAIRED) == MeanShift.of(harm)
    ones = np.ones(20)
    assert shift_of(ones, ones, ones - ones, Kind.PAIRED) == Flips(0, 0, 20)
    assert shift_of(before, after, harm, Kind.ORDINAL) == Flips.of(np.sign(harm))
    assert shift_of(before, after, harm, Kind.SET) == BlockShift.of(harm)
