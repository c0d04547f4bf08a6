"""Crossings of zero against those that scipy finds, and functions that no bracket holds."""

import math
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from pytest_pareto.compare.roots import crossing

Function = Callable[[float], float]

SMOOTH: dict[str, tuple[Function, float, float]] = {
    "line": (lambda x: 3 * x - 1, -4.0, 9.0),
    "cubic": (lambda x: x**3 - 2 * x - 5, 2.0, 3.0),
    "bent": (lambda x: math.atan(30 * (x - 0.25)), -1.0, 1.0),
    "steep": (lambda x: math.expm1(40 * (x - 0.9)), -1.0, 1.0),
    "at a bound": (lambda x: x, 0.0, 1.0),
    "at the other": (lambda x: x - 1, 0.0, 1.0),
}


@pytest.mark.parametrize(("f", "low", "high"), SMOOTH.values(), ids=SMOOTH)
def test_it_is_where_scipy_finds_it(f: Function, low: float, high: float) -> None:
    asked: list[float] = []

    def counted(x: float) -> float:
        asked.append(x)
        return f(x)

    found = crossing(counted, low, high)
    assert all(low <= x <= high for x in asked)
    assert found == pytest.approx(brentq(f, low, high), abs=5e-12)
    assert len(asked) <= 20  # bisection needs 40


@given(st.floats(-1, 1), st.floats(0.01, 50), st.booleans())
def test_a_step_and_a_bend_are_found(where: float, slope: float, falling: bool) -> None:
    sign = -1 if falling else 1
    assert crossing(lambda x: sign * math.copysign(1, x - where), -2, 2) == pytest.approx(
        where, abs=5e-12
    )
    bend = crossing(lambda x: sign * (x - where) * (slope if x > where else 1), -2, 2)
    assert bend == pytest.approx(where, abs=5e-12)


def test_an_infinite_bound_is_no_obstacle() -> None:
    assert crossing(lambda x: math.inf if x >= 1 else x - 0.3, 0, 1) == pytest.approx(0.3)
    assert crossing(lambda x: -math.inf if x <= 0 else x, 0, 1) == pytest.approx(0, abs=5e-12)
    assert crossing(lambda x: math.inf if x >= 1 else x, 0, 1) == 0


@pytest.mark.parametrize("f", [lambda x: x + 2, lambda x: -x - 2, lambda x: math.nan])
def test_what_is_not_enclosed_is_refused(f: Function) -> None:
    with pytest.raises(ValueError, match="no crossing of zero"):
        crossing(f, -1, 1)


def test_comparing_does_not_load_scipys_optimisers() -> None:
    code = "import sys, pytest_pareto.pipeline; print('scipy.optimize' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
