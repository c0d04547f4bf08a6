import math

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better
from pytest_pareto.stats.scale import (
    harm_sign,
    margin_of,
    power_of_two,
    require_usable,
    to_fraction,
    to_working,
)


def test_relative_levels_become_logarithms() -> None:
    assert to_working([1.0, math.e], relative=True) == pytest.approx((0.0, 1.0))


def test_absolute_levels_stay_as_they_are() -> None:
    assert to_working([-1, 2.5], relative=False) == (-1.0, 2.5)


@pytest.mark.parametrize(
    ("values", "relative", "message"),
    [
        ([], True, "there is no reading to compare"),
        ([1.0, math.nan], True, "reading 1 is nan; a finite number is needed"),
        ([math.inf], False, "reading 0 is inf; a finite number is needed"),
        ([1.0, 0.0], True, "reading 1 is 0; that is below the resolution of the clock"),
        ([1.0, 2.0, -3.0], True, "reading 2 is -3; ratios need positive numbers"),
        ([1e200], False, r"reading 0 is 1e\+200; numbers beyond 1e\+150"),
    ],
)
def test_unusable_values_are_reported_with_index_and_remedy(
    values: list[float], relative: bool, message: str
) -> None:
    with pytest.raises(ParetoError, match=message):
        require_usable(values, relative=relative)


def test_zero_and_negative_values_are_usable_where_the_scale_is_absolute() -> None:
    require_usable([0.0, -1.0], relative=False)


def test_a_fraction_is_the_inverse_of_its_margin() -> None:
    assert to_fraction(margin_of(0.05, relative=True), relative=True) == pytest.approx(0.05)
    assert to_fraction(margin_of(0.05, relative=False), relative=False) == 0.05


def test_distances_beyond_floats_are_infinite_or_total() -> None:
    assert to_fraction(1e6, relative=True) == math.inf
    assert to_fraction(-math.inf, relative=True) == -1.0


def test_the_harm_sign() -> None:
    assert (harm_sign(Better.LOWER), harm_sign(Better.HIGHER)) == (1.0, -1.0)


@pytest.mark.parametrize("largest", [1.0, 0.7, 1e-120, 1e120, 1e150])
def test_a_power_of_two_scales_numbers_near_one_exactly(largest: float) -> None:
    unit = power_of_two(largest)
    assert math.frexp(unit)[0] == 0.5
    assert 0.5 <= largest / unit < 1
    assert largest / unit * unit == largest


def test_a_power_of_two_can_be_squared() -> None:
    assert power_of_two(5e-324) == pytest.approx(1.2e-150, rel=0.02)
    assert power_of_two(1.7e308) == pytest.approx(1.6e150, rel=0.03)
    assert power_of_two(0.0) == 1.0
