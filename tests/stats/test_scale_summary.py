import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.stats.scale import summarise_run


def test_the_level_is_the_trimmed_mean_of_logarithms() -> None:
    readings = [math.exp(x) for x in range(10)]
    assert summarise_run(readings, relative=True) == pytest.approx(math.exp(4.5))


def test_a_quarter_is_trimmed_at_each_end() -> None:
    readings = [1e-9, *[2.0] * 8, 1e9]
    assert summarise_run(readings, relative=True) == pytest.approx(2.0)
    assert summarise_run(readings, relative=False) == pytest.approx(2.0)


def test_fewer_than_four_readings_all_count() -> None:
    assert summarise_run([1.0, 2.0, 6.0], relative=False) == pytest.approx(3.0)


def test_the_order_of_readings_does_not_matter() -> None:
    readings = list(np.random.default_rng(1).lognormal(size=57))
    assert summarise_run(readings[::-1], relative=True) == summarise_run(readings, relative=True)


@settings(deadline=None)
@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=40), st.floats(1e-3, 1e3))
def test_a_change_of_unit_changes_only_the_unit(readings: list[float], factor: float) -> None:
    scaled = summarise_run([factor * reading for reading in readings], relative=True)
    assert scaled == pytest.approx(factor * summarise_run(readings, relative=True))


@settings(deadline=None)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40))
def test_the_level_lies_among_the_readings(readings: list[float]) -> None:
    level = summarise_run(readings, relative=False)
    slack = 1e-12 * max(map(abs, readings))
    assert min(readings) - slack <= level <= max(readings) + slack


@pytest.mark.parametrize(
    ("readings", "relative"),
    [([], True), ([1.0, math.nan], False), ([math.inf], True), ([0.0], True), ([-1.0], True)],
)
def test_unusable_readings_are_refused(readings: list[float], relative: bool) -> None:
    with pytest.raises(ParetoError, match="reading"):
        summarise_run(readings, relative=relative)


def test_a_reading_that_trimming_would_drop_is_still_checked() -> None:
    with pytest.raises(ParetoError, match="reading 0 is 0"):
        summarise_run([0.0, *[1.0] * 20], relative=True)


def _slowed_process(level: Callable[[Sequence[float]], float]) -> float:
    """Return the share of a slow-down that a summary shows if 45 % of a run's calls are slow."""
    fast, slow = [1.0] * 55, [1.4] * 45
    return level([*fast, *slow]) / level([1.0] * 100)


def test_the_level_shows_a_run_that_was_slow_half_of_the_time() -> None:
    assert _slowed_process(lambda run: summarise_run(run, relative=True)) > 1.1


def test_a_median_would_not_show_it() -> None:
    assert _slowed_process(lambda run: float(np.median(run))) == 1.0
