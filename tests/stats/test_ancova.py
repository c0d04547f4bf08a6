"""Adjustment by the host reference: its effect, its cost, and the cases in which it is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better
from pytest_pareto.stats.ancova import Adjusted, Unadjusted, adjust
from pytest_pareto.stats.contrast import NO_ADJUSTMENT

MOOD_SD, REST_SD = 0.04, 0.016
Logs = np.typing.NDArray[np.float64]


def session(latency: Logs, reference: Logs, epoch: int = 0) -> Session:
    return Session("env", epoch, tuple(np.exp(latency).tolist()), tuple(np.exp(reference).tolist()))


def draw(rng: np.random.Generator, runs: int, *, slope: float, shift: float = 0.0) -> Session:
    """Return a session in which latency follows the host reference; logs of about a second."""
    reference = shift + rng.normal(0, MOOD_SD, runs)
    return session(slope * reference + rng.normal(0, REST_SD, runs), reference)


def changed(adjusted: Adjusted, tolerance: float, session_spread: float = 0.0) -> Change:
    return compare_levels(
        adjusted.sessions,
        adjusted.runs,
        better=Better.LOWER,
        relative=True,
        tolerance=tolerance,
        alpha=0.05,
        session_spread=session_spread,
        adjustment_error=adjusted.adjustment_error,
    )


def alarms(draws: int, *, slopes: tuple[float, float], shift: float | None = None) -> float:
    """Return how often an unchanged, adjusted latency is called WORSE at tolerance 0."""
    rng, flagged, used = np.random.default_rng(21), 0, 0
    for _ in range(draws):
        moved = rng.normal(0, MOOD_SD / 2) if shift is None else shift
        past = draw(rng, 5, slope=slopes[0])
        now = draw(rng, 4, slope=slopes[1], shift=moved)
        adjusted = adjust([past], now.runs, now.reference)
        if isinstance(adjusted, Adjusted):
            used += 1
            flagged += changed(adjusted, 0.0).outcome is Outcome.WORSE
    assert used > draws / 4
    return flagged / used


def test_a_shift_that_the_reference_explains_is_removed() -> None:
    reference = np.array([0.0, 0.02, -0.02, 0.01, -0.01])
    now = session(np.array([0.9 * 0.05, 0.9 * 0.07]), np.array([0.05, 0.07]))
    adjusted = adjust([session(0.9 * reference, reference)], now.runs, now.reference)
    assert isinstance(adjusted, Adjusted)
    assert adjusted.slope == pytest.approx(0.9, abs=1e-6)
    assert adjusted.shift == pytest.approx(math.expm1(0.06))
    assert adjusted.runs == pytest.approx((1.0, 1.0), abs=1e-6)
    assert adjusted.sessions[0].runs == pytest.approx([1.0] * 5, abs=1e-6)


def test_the_baseline_level_is_unchanged() -> None:
    past = draw(np.random.default_rng(3), 5, slope=0.9)
    adjusted = adjust([past], past.runs, past.reference)
    assert isinstance(adjusted, Adjusted)
    before, after = (np.log(s.runs).mean() for s in (past, adjusted.sessions[0]))
    assert after == pytest.approx(before)


def test_a_change_of_the_code_remains() -> None:
    rng = np.random.default_rng(4)
    past, now = draw(rng, 5, slope=0.9), draw(rng, 4, slope=0.9, shift=0.03)
    slower = tuple(1.2 * x for x in now.runs)
    adjusted = adjust([past], slower, now.reference)
    assert isinstance(adjusted, Adjusted)
    assert changed(adjusted, 0.05).outcome is Outcome.WORSE


def test_the_error_of_the_slope_grows_with_the_shift() -> None:
    def adjustment_error(shift: float) -> float:
        rng = np.random.default_rng(5)
        past, now = draw(rng, 5, slope=0.9), draw(rng, 4, slope=0.9, shift=shift)
        adjusted = adjust([past], now.runs, now.reference)
        assert isinstance(adjusted, Adjusted)
        return math.sqrt(adjusted.adjustment_error.variance.variance) / abs(
            math.log1p(adjusted.shift)
        )

    assert adjustment_error(0.02) == pytest.approx(adjustment_error(-0.06))
    assert 0.25 < adjustment_error(0.02) < math.hypot(0.25, 0.25)


def test_the_slope_uses_one_degree_of_freedom() -> None:
    past = draw(np.random.default_rng(6), 5, slope=0.9)
    adjusted = adjust([past], past.runs, past.reference)
    assert isinstance(adjusted, Adjusted)
    assert changed(adjusted, 0.0).df == pytest.approx(5 + 5 - 3)
    assert changed(replace(adjusted, adjustment_error=NO_ADJUSTMENT), 0.0).df == 5 + 5 - 2


@pytest.mark.parametrize(("shift", "word"), [(0.12, "slower"), (-0.12, "faster")])
def test_a_large_shift_of_the_host_is_reported(shift: float, word: str) -> None:
    rng = np.random.default_rng(6)
    past = draw(rng, 5, slope=0.9)
    now = session(0.9 * np.full(4, shift), np.log(past.reference).mean() + np.full(4, shift))
    adjusted = adjust([past], now.runs, now.reference)
    assert isinstance(adjusted, Adjusted)
    assert adjusted.apart is not None
    assert adjusted.apart.startswith(f"this host launches 13 % {word}")


def test_a_weak_correlation_is_not_adjusted() -> None:
    rng = np.random.default_rng(8)
    past, now = draw(rng, 5, slope=0.0), draw(rng, 4, slope=0.0, shift=-0.06)
    refused = adjust([past], now.runs, now.reference)
    assert isinstance(refused, Unadjusted)
    assert "too little (r = " in refused.reason


def test_too_few_runs_give_no_slope() -> None:
    past = session(np.zeros(2), np.array([0.0, 0.01]))
    refused = adjust([past], (1.0,), (1.0,))
    assert isinstance(refused, Unadjusted)
    assert "too few runs" in refused.reason


def test_a_constant_reference_is_not_used() -> None:
    past = session(np.array([0.0, 0.01, -0.01, 0.02, 0.0]), np.zeros(5))
    refused = adjust([past], past.runs, past.reference)
    assert isinstance(refused, Unadjusted)
    assert "r = 0.00" in refused.reason


@pytest.mark.parametrize("slopes", [(0.9, 0.9), (1.1, 1.1), (0.67, 0.67)])
def test_the_size_is_held(slopes: tuple[float, float]) -> None:
    assert alarms(1_500, slopes=slopes) <= 0.06


def test_the_size_is_held_at_the_edge_of_what_is_adjusted() -> None:
    assert alarms(1_500, slopes=(0.9, 0.9), shift=-0.06) <= 0.06


def test_a_fixed_slope_would_exceed_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_pareto.stats.ancova._PRIOR_SLOPE", 2.0)
    monkeypatch.setattr("pytest_pareto.stats.ancova._PRIOR_SLOPE_SD", 1e-3)
    monkeypatch.setattr("pytest_pareto.stats.ancova._SLOPE_DRIFT_SD", 0.0)
    assert alarms(400, slopes=(0.9, 0.9), shift=-0.06) > 0.2
