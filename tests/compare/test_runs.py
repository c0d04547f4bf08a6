import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtrit

from pytest_pareto.compare.runs import compare_levels, compare_runs
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better
from pytest_pareto.stats.variance import Spread

BASE = [[1.00, 1.01], [0.99, 1.00], [1.01, 1.02], [1.00, 0.99], [0.98, 1.00]]


def slower(runs: Sequence[Sequence[float]], factor: float) -> list[list[float]]:
    return [[factor * reading for reading in run] for run in runs]


def levels(baseline: Sequence[Session], candidate: Sequence[float], **terms: Any) -> Change:
    options: dict[str, Any] = {"better": Better.LOWER, "relative": True, "tolerance": 0.05}
    return compare_levels(baseline, candidate, alpha=0.05, **(options | terms))


@pytest.mark.parametrize(
    ("factor", "outcome"),
    [
        (1.0, Outcome.UNCHANGED),
        (1.10, Outcome.WORSE),
        (0.90, Outcome.BETTER),
        (1.03, Outcome.INCONCLUSIVE),
        (0.97, Outcome.NOT_WORSE),
    ],
)
def test_each_outcome_can_be_reached(factor: float, outcome: Outcome) -> None:
    assert compare_runs(BASE, slower(BASE, factor)).outcome is outcome


def test_the_estimate_is_a_fraction_in_the_harmful_direction() -> None:
    assert compare_runs(BASE, slower(BASE, 1.08)).estimate == pytest.approx(0.08)
    throughput = compare_runs(BASE, slower(BASE, 0.5), better="higher")
    assert throughput.estimate == pytest.approx(1.0)
    assert throughput.outcome is Outcome.WORSE


def test_both_directions_are_mirror_images() -> None:
    inverse = [[1 / reading for reading in run] for run in BASE]
    lower = compare_runs(BASE, slower(BASE, 1.04))
    higher = compare_runs(inverse, slower(inverse, 1 / 1.04), better="higher")
    for name in ("estimate", "low", "high", "p_worse", "p_better", "resolution", "df"):
        assert getattr(higher, name) == pytest.approx(getattr(lower, name))


def test_the_unit_does_not_matter() -> None:
    in_ms = compare_runs(slower(BASE, 1e3), slower(BASE, 1.04e3))
    assert in_ms.p_worse == pytest.approx(compare_runs(BASE, slower(BASE, 1.04)).p_worse)


def test_the_interval_and_the_p_value_agree() -> None:
    for factor in np.linspace(0.9, 1.1, 81):
        change = compare_runs(BASE, slower(BASE, float(factor)))
        assert (change.p_worse <= change.alpha) == (change.low >= change.tolerance)
        assert (change.p_better <= change.alpha) == (change.high <= change.improvement_edge)


def test_the_classical_two_sample_t_test_is_a_special_case() -> None:
    base, cand = np.log([1.0, 1.2, 1.1]), np.log([1.3, 1.5])
    s2 = (base.var(ddof=1) * 2 + cand.var(ddof=1)) / 3
    half = -stdtrit(3, 0.05) * math.sqrt(s2 * (1 / 3 + 1 / 2))
    change = compare_runs([[1.0], [1.2], [1.1]], [[1.3], [1.5]])
    assert change.df == pytest.approx(3.0)
    assert math.log1p(change.high) == pytest.approx(cand.mean() - base.mean() + half)


def test_more_tests_in_the_family_make_the_resolution_coarser_and_nothing_else() -> None:
    session = [Session("env", 0, (1.00, 1.01, 0.99))]
    alone, among = levels(session, [1.0]), levels(session, [1.0], family=12)
    assert among.resolution > alone.resolution
    assert (among.p_worse, among.low, among.high) == (alone.p_worse, alone.low, alone.high)


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_suspicion_reports_how_many_runs_would_settle_it(*, confirmed: bool) -> None:
    """Among 200 tests three runs are too few; as many as reported, with this spread, suffice."""
    session = [Session("env", 0, (1.00, 1.04, 0.96, 1.05, 0.95))]
    runs = (1.14, 1.24, 1.19)
    terms: dict[str, Any] = {"family": 200, "session_spread": 0.005, "confirmed": confirmed}
    alone = levels(session, runs, **terms)
    assert (alone.outcome, alone.reason) == (Outcome.WORSE, None)
    found = alone.corrected(200 * alone.p_worse)
    assert found.suspected
    assert found.reason is not None
    option = "--pareto-confirm" if confirmed else "--pareto-runs"
    needed = int(found.reason.split()[1])
    assert found.reason == f"about {needed} runs would settle it ({option} {needed})"
    more = levels(session, (runs * needed)[:needed], **terms)
    assert more.corrected(200 * more.p_worse).outcome is Outcome.WORSE


def test_where_no_number_of_runs_settles_a_suspicion_its_reason_says_what_is_missing() -> None:
    session = [Session("env", 0, (1.00, 1.01, 0.99, 1.0, 1.0))]
    alone = levels(session, [1.44, 1.45, 1.44], family=200, session_spread=0.05)
    found = alone.corrected(200 * alone.p_worse)
    assert found.suspected
    assert found.reason is not None
    assert found.reason.startswith("more runs will not help: sessions differ by")


def test_one_run_on_each_side_decides_nothing_however_far_apart() -> None:
    change = compare_runs([[1.0, 1.0]], [[3.0, 3.0]])
    assert change.outcome is Outcome.INCONCLUSIVE
    assert (change.low, change.high, change.resolution) == (-1.0, math.inf, math.inf)
    assert (change.p_worse, change.p_better, change.df) == (1.0, 1.0, 0.0)
    assert change.estimate == pytest.approx(2.0)
    assert change.reason == (
        "one run on each side has no spread to judge by: record the baseline with --pareto-runs 5"
    )
    absolute = levels([Session("env", 0, (1.0,))], [3.0], relative=False)
    assert absolute.low == -math.inf


def test_a_loan_lets_one_run_on_each_side_decide() -> None:
    one = [Session("env", 0, (1.0,))]
    assert levels(one, [3.0], prior=Spread(0.01**2, 8.0)).outcome is Outcome.WORSE
    assert levels(one, [1.0], prior=Spread(0.01**2, 8.0)).df == pytest.approx(8.0)


def test_identical_runs_are_unchanged_at_any_tolerance_above_rounding() -> None:
    same = [[0.25]] * 3
    assert compare_runs(same, same, tolerance=1e-4).outcome is Outcome.UNCHANGED
    assert compare_runs(same, [[0.25 * 1.001]] * 3, tolerance=1e-4).outcome is Outcome.WORSE
    zero = levels([Session("env", 0, (0.0, 0.0))], [0.0], relative=False)
    assert zero.outcome is Outcome.UNCHANGED


def test_an_absolute_metric_may_be_zero_or_negative() -> None:
    change = levels(
        [Session("env", 0, (-1.0, 0.0, 1.0))], [9.0, 10.0, 11.0], relative=False, tolerance=2.0
    )
    assert change.estimate == pytest.approx(10.0)
    assert change.outcome is Outcome.WORSE


def test_sessions_that_differ_too_much_are_the_reason() -> None:
    change = levels([Session("env", 0, (1.00, 1.01, 0.99))], [1.0], session_spread=0.0392)
    assert change.outcome is Outcome.INCONCLUSIVE
    assert change.reason is not None
    assert "sessions differ by up to 7.7 % (assumed)" in change.reason


def test_a_spread_between_sessions_is_a_fraction_of_the_level() -> None:
    stored = [Session("env", 0, (1.00, 1.01, 0.99))]
    side = [[level] for level in stored[0].runs]
    assert compare_runs(side, [[1.0]], tolerance=0.05, session_spread=0.5) == levels(
        stored, [1.0], session_spread=math.log(1.5)
    )


def test_a_decided_change_needs_no_reason() -> None:
    assert compare_runs(BASE, slower(BASE, 1.10)).reason is None


def test_what_would_convict_is_planned_at_the_corrected_level() -> None:
    session, candidate = [Session("env", 0, (0.93, 1.0, 1.07, 1.0))], [1.10]
    alone = levels(session, candidate, tolerance=0.01)
    among = levels(session, candidate, tolerance=0.01, family=5)
    assert alone.reason is not None
    assert among.reason is not None
    runs = [
        int("".join(filter(str.isdigit, r.split("(")[0]))) for r in (alone.reason, among.reason)
    ]
    assert runs[0] < runs[1]


def test_extreme_levels_do_not_overflow() -> None:
    huge = compare_runs([[1e-300], [1e-300]], [[1e300], [1e300]])
    assert huge.estimate == math.inf
    assert huge.outcome is Outcome.WORSE
    wild = compare_runs([[1e-300], [1e300]], [[1.0]])
    assert (wild.low, wild.high) == (-1.0, math.inf)
    assert wild.outcome is Outcome.INCONCLUSIVE


NUMBERS = st.floats(-1e150, 1e150) | st.sampled_from([0.0, 1.0, 1.0 + 1e-15])
SIDE = st.lists(NUMBERS, min_size=1, max_size=4)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), SIDE), min_size=1, max_size=3),
    SIDE,
    st.booleans(),
    st.sampled_from([0.0, 1e-3, 0.04]),
    st.sampled_from([0.0, 0.05]),
)
def test_no_numbers_lead_to_anything_but_numbers(
    history: list[tuple[int, list[float]]],
    candidate: list[float],
    relative: bool,
    session_spread: float,
    tolerance: float,
) -> None:
    def fit(values: list[float]) -> list[float]:
        return [abs(x) + 1e-9 for x in values] if relative else values

    change = levels(
        [Session("env", epoch, tuple(fit(runs))) for epoch, runs in history],
        fit(candidate),
        relative=relative,
        session_spread=session_spread,
        tolerance=tolerance,
        family=60,
    )
    assert change.low <= change.estimate <= change.high
    assert 0 <= change.p_worse <= 1
    assert 0 <= change.p_better <= 1
    assert change.resolution >= tolerance
    assert (change.reason is None) == (change.outcome is not Outcome.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("baseline", "candidate", "message"),
    [
        ([], [[1.0]], "the baseline holds no runs"),
        ([[1.0]], [], "the candidate holds no runs"),
        ([1.0, 1.1], [[1.0]], "baseline run 0 is 1.0, not a sequence of numbers"),
        ([[1.0]], [["x"]], "candidate run 0 is .*, not a sequence of numbers"),
        ([[1.0]], [[1.0], []], "candidate run 1: there is no reading"),
        ([[1.0]], [[1.0, 0.0]], "candidate run 0: reading 1 is 0; .* resolution of the clock"),
        ([[1.0, -2.0]], [[1.0]], "baseline run 0: reading 1 is -2"),
        ([[math.nan]], [[1.0]], "baseline run 0: reading 0 is nan"),
    ],
)
def test_runs_that_cannot_be_compared_are_named(
    baseline: Any, candidate: Any, message: str
) -> None:
    with pytest.raises(ParetoError, match=message):
        compare_runs(baseline, candidate)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("better", "smaller"),
        ("tolerance", -0.1),
        ("tolerance", math.nan),
        ("tolerance", math.inf),
        ("alpha", 0.0),
        ("alpha", 0.5),
        ("session_spread", -0.01),
        ("session_spread", math.inf),
    ],
)
def test_options_out_of_range_are_refused(option: str, value: Any) -> None:
    with pytest.raises(ParetoError, match=f"^{option} must "):
        compare_runs(BASE, BASE, **{option: value})


def test_levels_need_a_baseline_and_a_candidate() -> None:
    with pytest.raises(ParetoError, match="no baseline session"):
        levels([], [1.0])
    with pytest.raises(ParetoError, match="there is no run to compare"):
        levels([Session("env", 0, (1.0,))], [])


def test_arrays_are_runs_too() -> None:
    arrays: Any = np.array(BASE)
    assert compare_runs(arrays, arrays) == compare_runs(BASE, BASE)
