"""Runs in, verdicts out, without a device: the whole path from levels to the gate."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pytest_pareto.compare.levels import summarise
from pytest_pareto.compare.matching import Pair
from pytest_pareto.compare.pairs import pair
from pytest_pareto.model.baseline import Baseline, Past, Samples
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import (
    DEVICE_TIME,
    DYNAMIC_ENERGY,
    ENERGY,
    LATENCY,
    Better,
    Kind,
    Metric,
    Scope,
    parse_budget,
)
from pytest_pareto.model.policy import Missing, Policy, SessionSpreads
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.session_record import Asked, Judged, SessionRecord
from pytest_pareto.model.verdict import Failure, Position, Verdict
from pytest_pareto.pipeline import accepted, judge_record
from tests.sessions import (
    DEVICE,
    HERE,
    SCORE,
    Confirmation,
    Levels,
    baseline,
    by_case,
    case_runs,
    change_of,
    five,
    ids,
    judged,
    remembered,
    session,
)

# One case


@pytest.mark.parametrize(
    ("factor", "verdict", "failed"),
    [
        (1.0, Verdict.UNCHANGED, False),
        (1.05, Verdict.DOMINATED, True),
        (0.95, Verdict.IMPROVED, False),
        (1.01, Verdict.INCONCLUSIVE, False),
    ],
)
def test_a_case_is_judged_by_its_levels(factor: float, verdict: Verdict, failed: bool) -> None:
    past = baseline(remembered("a", {"device": five(1.0)}))
    found = judged(session(case_runs("a", {"device": five(factor)})), past)
    assert by_case(found)["a"].verdict is verdict
    assert found.judgement.failed is failed


def test_what_a_judgement_rests_on_is_kept() -> None:
    scores = [[1 / 3, 0.5], [1 / 3, 0.6]]
    runs = case_runs("a", {"device": [1.0, 2.0], "score": scores})
    found = judged(session(runs), baseline())
    assert found.levels["a", "device"] == pytest.approx((1.0, 2.0))
    assert found.samples == {("a", "score"): Samples(ids(2), (0.3333, 0.55))}
    assert [run.case_id for run in found.measured["a"]] == ["a", "a"]
    assert by_case(found)["a"].verdict is Verdict.NEW


def test_cases_are_sorted_by_front() -> None:
    cases = [case_runs(c, {"device": [1.0]}, front=f) for c, f in (("b", "g"), ("c", "f"))]
    found = judged(session(*cases), baseline(remembered("a", {"device": [1.0]}, front="g")))
    assert list(by_case(found)) == ["c", "a", "b"]


# Scores are rounded as the baseline stores them

THIRDS = [[1 / 3, 2 / 3, 1 / 7] * 20]


def score_of_thirds() -> Change:
    strict = replace(SCORE, tolerance=0.0)
    runs = session(case_runs("a", {"score": THIRDS}, score=strict))
    return change_of(
        by_case(judged(runs, baseline(remembered("a", {"score": THIRDS}))))["a"], "score"
    )


def test_a_third_is_still_a_third() -> None:
    assert score_of_thirds().outcome is Outcome.UNCHANGED
    assert score_of_thirds().estimate == 0.0


def test_without_rounding_it_would_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_pareto.compare.levels.round_samples", tuple)
    assert score_of_thirds().outcome is not Outcome.UNCHANGED


# What is not there


def test_a_case_that_nothing_measured_is_missing_where_it_was_expected() -> None:
    past = baseline(*(remembered(c, {"device": five(1.0)}) for c in ("a", "b", "c")))
    runs = session(case_runs("a", {"device": five(1.0)}))
    cases = by_case(judged(runs, past, asked=Asked(covered=("a", "b"))))
    assert set(cases) == {"a", "b"}
    assert cases["b"].verdict is Verdict.MISSING
    assert "was it renamed or removed?" in cases["b"].fails[0]


@pytest.mark.parametrize(("missing", "failed"), [(Missing.AUTO, True), (Missing.WARN, False)])
def test_the_policy_decides_whether_missing_fails(missing: Missing, failed: bool) -> None:
    past = baseline(*(remembered(c, {"device": five(1.0)}) for c in ("a", "b")))
    found = judged(session(case_runs("a", {"device": five(1.0)})), past, Policy(missing=missing))
    assert by_case(found)["b"].verdict is Verdict.MISSING
    assert found.judgement.failed is failed


def test_a_missing_measurement_hangs_on_the_test_that_ran() -> None:
    past = baseline(*(remembered(c, {"device": five(1.0)}) for c in ("t#decode", "u#decode")))
    runs = session(case_runs("t", {"device": [1.0]}), finished=frozenset({"t"}))
    cases = by_case(judged(runs, past))
    assert cases["t#decode"].comparison.nodeid == "t"
    assert cases["u#decode"].comparison.nodeid == "u#decode"


@pytest.mark.parametrize("missing", [Missing.AUTO, Missing.FAIL])
@pytest.mark.parametrize("past", [baseline(), baseline(remembered("a", {"device": [1.0]}))])
def test_nothing_measured_fails(missing: Missing, past: Baseline) -> None:
    found = judged([Run(HERE)], past, Policy(missing=missing))
    (nothing,) = found.judgement.failures
    assert nothing.text.startswith("nothing was measured: no test that ran measured anything")
    assert found.judgement.notices == ()


def test_what_failed_before_explains_why_nothing_was_measured() -> None:
    found = judged([Run(HERE)], baseline(), Policy(), failures=("a process died",))
    assert found.judgement.failures == (Failure("a process died"),)


def test_a_skipped_case_is_not_forgotten() -> None:
    past = baseline(remembered("a", {"device": [1.0]}))
    found = judged(
        [Run(HERE)], past, Policy(missing=Missing.WARN), asked=Asked(skipped_modules=("a",))
    )
    assert [case.verdict for case in found.judgement.cases] == [Verdict.SKIPPED]


def test_nothing_measured_is_a_notice_where_missing_only_warns() -> None:
    runs = [Run(HERE, skipped=frozenset({"a", "b"})), Run(HERE, skipped=frozenset({"b"}))]
    found = judged(runs, baseline(), Policy(missing=Missing.WARN))
    assert not found.judgement.failed
    (nothing,) = found.judgement.notices
    assert nothing.startswith("nothing was measured: 2 tests were skipped")


def test_nothing_measured_is_not_reported_of_tests_that_failed() -> None:
    found = judged([Run(HERE, failed={"a": "boom"})], baseline(), failures=("before",))
    assert found.judgement.failures == (Failure("before"),)


# What broke


def test_a_test_that_failed_in_one_run_is_broken() -> None:
    past = baseline(remembered("a", {"device": five(1.0)}))
    runs = session(case_runs("a", {"device": five(1.0)[:3]}))
    runs[1] = replace(runs[1], failed={"a": "AssertionError: no"})
    case = by_case(judged(runs, past))["a"]
    assert case.verdict is Verdict.BROKEN
    assert case.fails == ("the test failed in run 2 of 3: AssertionError: no",)


def test_with_one_run_there_is_no_run_to_name() -> None:
    runs = session(case_runs("a", {"device": [1.0]}), failed={"a": "boom"})
    assert by_case(judged(runs, baseline()))["a"].fails[0] == "the test failed: boom"


def test_a_test_that_failed_before_it_measured_is_broken_not_missing() -> None:
    past = baseline(*(remembered(c, {"device": five(1.0)}) for c in ("t", "t#decode", "tt#x")))
    found = judged([Run(HERE, failed={"t": "boom"})], past)
    assert [(c.case_id, c.verdict) for c in found.judgement.cases] == [
        ("t", Verdict.BROKEN),
        ("t#decode", Verdict.BROKEN),
        ("tt#x", Verdict.MISSING),
    ]
    named = by_case(found)["t#decode"]
    assert named.comparison.nodeid == "t"
    assert named.fails == ("the test failed: boom",)


def test_a_case_that_some_runs_did_not_measure_is_broken() -> None:
    past = baseline(*(remembered(c, {"device": five(1.0)}) for c in "ab"))
    cases = [case_runs("a", {"device": five(1.0)[:2]}), case_runs("b", {"device": five(1.0)[:3]})]
    found = by_case(judged(session(*cases), past))
    assert found["a"].fails == ("measured in 2 of 3 runs only",)
    assert found["b"].verdict is Verdict.UNCHANGED


# Budgets


def test_a_broken_budget_fails_an_unchanged_case() -> None:
    past = baseline(remembered("a", {"device": five(1.0)}))
    for text, broken in (("<= 2 s", False), ("<= 900 ms", True)):
        budgets = (parse_budget("device", text),)
        found = judged(session(case_runs("a", {"device": five(1.0)}, budgets=budgets)), past)
        assert by_case(found)["a"].verdict is Verdict.UNCHANGED
        assert found.judgement.failed is broken


def test_budgets_that_do_not_gate_take_no_alpha() -> None:
    past = baseline(*(remembered(c, {"device": five(1.0)}, front=c) for c in "ab"))
    bound = (parse_budget("device", "<= 2 s"),)

    def resolution(**about: Any) -> float:
        cases = (
            case_runs("a", {"device": five(1.0)}, front="a"),
            case_runs("b", {"device": five(1.0)}, front="b", **about),
        )
        return change_of(by_case(judged(session(*cases), past))["a"], "device").resolution

    assert resolution(gate=False, budgets=bound) == resolution(gate=False)
    assert resolution(budgets=bound) > resolution()


# The front: (seconds, accuracy)

TOY = {"small": (0.01, 0.80), "medium": (0.02, 0.90), "large": (0.04, 0.95)}


def toy(**moved: tuple[float, float]) -> Judged:
    def levels(seconds: float, accuracy: float) -> Levels:
        return {"device": five(seconds), "accuracy": [accuracy] * 5}

    past = baseline(*(remembered(name, levels(*at)) for name, at in TOY.items()))
    cases = (case_runs(name, levels(*at)) for name, at in (TOY | moved).items())
    return judged(session(*cases), past)


def test_what_stands_still_keeps_its_place() -> None:
    found = toy()
    assert not found.judgement.failed
    assert {c.verdict for c in found.judgement.cases} == {Verdict.UNCHANGED}
    assert {c.place.position for c in found.judgement.cases} == {Position.KEPT}


def test_a_trade_is_called_one_and_passes_within_its_bound() -> None:
    case = by_case(toy(large=(0.028, 0.93)))["large"]
    assert case.verdict is Verdict.TRADE_OFF
    assert case.place.position is Position.KEPT
    assert case.fails == ()
    assert case.notices == ("accuracy traded for device, within its bound",)
    beyond = by_case(toy(large=(0.028, 0.915)))["large"]
    assert beyond.verdict is Verdict.TRADE_OFF
    assert "and the trade-off limit is" in beyond.fails[0]


def test_a_place_is_lost_to_an_old_rival() -> None:
    found = by_case(toy(small=(0.03, 0.80)))
    assert found["small"].verdict is Verdict.DOMINATED
    assert found["small"].place.position is Position.LOST
    assert found["small"].place.rivals == ("medium",)
    assert any("lost its place" in text for text in found["small"].fails)
    assert found["medium"].fails == found["large"].fails == ()


def test_a_trade_may_lose_the_place_too() -> None:
    case = by_case(toy(small=(0.03, 0.85)))["small"]
    assert (case.verdict, case.place.position) == (Verdict.TRADE_OFF, Position.LOST)
    assert case.fails


def test_a_rival_that_improved_overtakes_and_nothing_fails() -> None:
    found = toy(medium=(0.005, 0.90))
    cases = by_case(found)
    assert cases["medium"].verdict is Verdict.IMPROVED
    assert cases["small"].place.position is Position.OVERTAKEN
    assert cases["small"].place.rivals == ("medium",)
    assert not found.judgement.failed


# Many cases


def many(factors: Sequence[float]) -> Judged:
    names = [f"c{i}" for i in range(len(factors))]
    past = baseline(*(remembered(n, {"device": five(1.0)}, front=n) for n in names))
    cases = (
        case_runs(n, {"device": five(factor)}, front=n)
        for n, factor in zip(names, factors, strict=True)
    )
    return judged(session(*cases), past)


def test_cases_that_move_together_fail_once() -> None:
    found = many([1.10, 1.101, 1.102, 1.103, 1.104, 1.105, 1.0, 1.0])
    (mode,) = found.judgement.common_modes
    assert (mode.metric, mode.total, mode.harmful) == ("device", 8, True)
    assert set(mode.case_ids) == {f"c{i}" for i in range(6)}
    failing = [c for c in found.judgement.cases if c.fails]
    assert [c.case_id for c in failing] == ["c5"]
    assert "cannot tell a change of the code from one of the machine" in failing[0].fails[0]
    assert {c.common for c in found.judgement.cases} == {"device", None}


def test_a_few_that_moved_stand_for_themselves() -> None:
    found = many([1.1] * 4 + [1.0] * 4)
    assert found.judgement.common_modes == ()
    assert sum(bool(c.fails) for c in found.judgement.cases) == 4


CASES, RUNS = 20, 5
RUN_SD, SESSION_SD = 0.01, 0.0005


def rate_of_failing(sessions: int, seed: int) -> float:
    """How often a build fails of which every case is slower by exactly its tolerance."""
    rng = np.random.default_rng(seed)
    policy = Policy(spreads=SessionSpreads(gpu=SESSION_SD))
    failed = 0
    for _ in range(sessions):
        level = rng.normal(0, SESSION_SD, (2, CASES, 1)) + rng.normal(0, RUN_SD, (2, CASES, RUNS))
        level[1] += math.log1p(DEVICE.tolerance)
        then, now = np.exp(level).tolist()
        past = baseline(
            *(remembered(f"c{i}", {"device": then[i]}, front=f"{i}") for i in range(CASES))
        )
        cases = (case_runs(f"c{i}", {"device": now[i]}, front=f"{i}") for i in range(CASES))
        failed += judged(session(*cases), past, policy).judgement.failed
    return failed / sessions


def most(sessions: int) -> float:
    """5 %, and three standard errors of a simulation."""
    return 0.05 + 3 * math.sqrt(0.05 * 0.95 / sessions)


def uncorrected(p_values: Sequence[float]) -> tuple[float, ...]:
    return tuple(p_values)


def test_an_unharmed_build_rarely_fails() -> None:
    assert rate_of_failing(150, seed=6) <= most(150)


def test_without_correction_it_would_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_pareto.judge.holm.holm", uncorrected)
    assert rate_of_failing(40, seed=6) > most(40)


@pytest.mark.slow
def test_an_unharmed_build_fails_at_the_stated_rate() -> None:
    assert 0.03 <= rate_of_failing(3000, seed=7) <= 0.06


# What looked worse, measured again


def again(*cases: Sequence[CaseRun], flagged: Sequence[str] = ("device",)) -> Confirmation:
    names = frozenset((runs[0].case_id, name) for runs in cases for name in flagged)
    return names, session(*cases)


def test_fresh_runs_alone_convict() -> None:
    past = baseline(remembered("a", {"device": five(1.0)}))
    looked = session(case_runs("a", {"device": five(1.1)}))
    fine, worse = ([case_runs("a", {"device": five(level)})] for level in (1.0, 1.1))
    assert change_of(by_case(judged(looked, past))["a"], "device").outcome is Outcome.WORSE
    acquitted = judged(looked, past, confirmation=again(*fine))
    assert not acquitted.judgement.failed
    assert change_of(by_case(acquitted)["a"], "device").outcome is Outcome.UNCHANGED
    convicted = judged(looked, past, confirmation=again(*worse))
    assert by_case(convicted)["a"].comparison.confirmed == {"device"}
    assert convicted.judgement.failed


def test_what_was_confirmed_is_what_an_update_would_write() -> None:
    past = baseline(remembered("a", {"device": five(1.0)}))
    looked = session(case_runs("a", {"device": [1.1]}))
    found = judged(looked, past, confirmation=again(case_runs("a", {"device": five(1.2)})))
    assert found.levels["a", "device"] == pytest.approx(tuple(five(1.2)))


def test_what_was_not_flagged_stays_and_so_does_its_budget() -> None:
    past = baseline(remembered("a", {"device": five(1.0), "accuracy": [0.9] * 5}))
    broken = {"budgets": (parse_budget("accuracy", ">= 0.95"),)}
    looked = session(case_runs("a", {"device": five(1.1), "accuracy": [0.9] * 5}, **broken))
    fresh = case_runs("a", {"device": five(1.0), "accuracy": [0.99] * 5}, **broken)
    (case,) = judged(looked, past, confirmation=again(fresh)).judgement.cases
    assert case.comparison.confirmed == {"device"}
    assert case.comparison.budgets[0].broken
    assert case.fails


def test_what_nobody_suspected_is_not_replaced() -> None:
    past = baseline(remembered("a", {"device": five(1.0)}), remembered("b", {"device": five(1.0)}))
    runs = session(case_runs("a", {"device": five(1.1)}), case_runs("b", {"device": five(1.0)}))
    stray = session(case_runs("a", {"device": five(1.0)}), case_runs("b", {"device": five(2.0)}))
    confirmation = frozenset({("a", "device")}), stray
    assert not judged(runs, past, confirmation=confirmation).judgement.failed


def test_scores_are_not_replaced_by_the_same_scores_again() -> None:
    scores = [[0.5 + 0.001 * i for i in range(50)]]
    lower = [[x - 0.2 for x in scores[0]]]
    past = baseline(remembered("a", {"device": five(1.0), "score": scores}))
    looked = session(case_runs("a", {"device": [1.1], "score": lower}))
    fresh = case_runs("a", {"device": five(1.0), "score": scores * 5})
    found = by_case(judged(looked, past, confirmation=again(fresh)))["a"]
    assert change_of(found, "score").outcome is Outcome.WORSE
    assert change_of(found, "device").outcome is Outcome.UNCHANGED


def test_what_cannot_be_measured_again_is_missing() -> None:
    past = baseline(remembered("a", {"device": five(1.0), "accuracy": [0.9] * 5}))
    looked = session(case_runs("a", {"device": five(1.1), "accuracy": [0.9] * 5}))
    fresh = [
        replace(run, measurements=(Measurement(DEVICE, absent="the GPU was hot"), *rest))
        for run in case_runs("a", {"device": five(1.1), "accuracy": [0.9] * 5})
        for _, *rest in [run.measurements]
    ]
    (case,) = judged(looked, past, confirmation=again(fresh)).judgement.cases
    assert case.verdict is Verdict.MISSING
    assert "the GPU was hot" in case.fails[0]


def test_a_rescue_that_is_not_found_again_rescues_nothing() -> None:
    past = baseline(remembered("a", {"device": five(1.0), "accuracy": five(0.9)}))
    looked = session(case_runs("a", {"device": five(1.02), "accuracy": five(0.95)}))
    fresh = [
        replace(run, measurements=run.measurements[:1])
        for run in case_runs("a", {"device": five(1.02), "accuracy": five(0.95)})
    ]
    flagged = again(fresh, flagged=("device", "accuracy"))
    (case,) = judged(looked, past, confirmation=flagged).judgement.cases
    assert case.verdict is not Verdict.TRADE_OFF
    assert case.fails


def test_a_suspect_whose_test_skips_itself_the_second_time_is_not_let_go() -> None:
    past = baseline(remembered("a", {"device": five(1.0)}))
    looked = session(case_runs("a", {"device": five(1.1)}))
    skipped = (Run(HERE, skipped=frozenset({"a"})),) * 2
    confirmation = frozenset({("a", "device")}), skipped
    (case,) = judged(looked, past, confirmation=confirmation).judgement.cases
    assert case.verdict is Verdict.BROKEN
    assert "could not be measured again: its test skipped itself" in case.fails[0]


def test_a_test_that_fails_when_it_is_measured_again_breaks_its_case() -> None:
    past = baseline(remembered("a", {"device": five(1.0)}))
    looked = session(case_runs("a", {"device": five(1.1)}))
    broken = (Run(HERE, failed={"a": "boom"}), Run(HERE))
    confirmation = frozenset({("a", "device")}), broken
    (case,) = judged(looked, past, confirmation=confirmation).judgement.cases
    assert case.verdict is Verdict.BROKEN
    assert case.fails == ("the test failed in confirming run 1 of 2: boom",)


def interleaved(old: Sequence[Run], new: Sequence[Run], **about: Any) -> Judged:
    policy = Policy(confirming=10)
    return judge_record(SessionRecord(tuple(new), policy, old_runs=tuple(old), **about))


@pytest.mark.parametrize(
    ("old", "why"),
    [
        (Run(HERE, failed={"a": "out of memory"}), "the test failed in confirming run 1 of 2: out"),
        (Run(HERE, skipped=frozenset({"a"})), "its test skipped itself"),
        (Run(HERE), "its test did not measure it"),
    ],
)
def test_a_suspect_that_the_old_code_cannot_measure_again_is_not_new(old: Run, why: str) -> None:
    slow, fast = (tuple(session(case_runs("a", {"device": five(x)[:4]}))) for x in (1.1, 1.0))
    found = interleaved(
        fast, slow, flagged=frozenset({("a", "device")}), old_again=(old, old), again=slow[:2]
    )
    (case,) = found.judgement.cases
    assert case.verdict is Verdict.BROKEN
    assert f"could not be measured again: with the old code {why}" in case.fails[0]


def test_measured_again_it_is_judged() -> None:
    slow, fast = (tuple(session(case_runs("a", {"device": five(x)[:4]}))) for x in (1.1, 1.0))
    found = interleaved(
        fast, slow, flagged=frozenset({("a", "device")}), old_again=fast, again=slow
    )
    (case,) = found.judgement.cases
    assert change_of(case, "device").outcome is Outcome.WORSE


def test_what_broke_in_the_old_code_is_reported_where_nothing_can_be_compared() -> None:
    new = session(case_runs("a", {"device": five(1.0)[:4], "score": [[0.5, 0.6]] * 4}))
    old = session(case_runs("a", {"device": five(1.0)[:4]}))
    broken = Measurement(SCORE, absent="'score' raised at sample 's1'", broken=True)
    cases = [
        replace(run.cases["a"], measurements=(*run.cases["a"].measurements, broken)) for run in old
    ]
    old = [replace(run, cases={"a": case}) for run, case in zip(old, cases, strict=True)]
    found = interleaved(old, new)
    result = by_case(found)["a"].comparison.metric("score")
    assert result is not None
    assert result.outcome is Outcome.NEW
    assert "score broke: 'score' raised at sample 's1'" in str(result.reason)


@pytest.mark.parametrize("bounded", ["old", "new", "none"])
def test_a_lower_bound_on_either_side_convicts_nobody(bounded: str) -> None:
    exact = Metric("device", "count", Better.LOWER, Kind.EXACT, Scope.ANYWHERE, 0.0, relative=True)

    def side(level: float, name: str) -> list[Run]:
        runs = case_runs("a", {"device": [level] * 4}, device=exact)
        without = "without x" if name == bounded else None
        return session(
            [
                replace(run, measurements=(replace(run.measurements[0], lower_bound=without),))
                for run in runs
            ]
        )

    (case,) = interleaved(side(1.0, "old"), side(2.0, "new")).judgement.cases
    result = case.comparison.metric("device")
    assert result is not None
    if bounded == "none":  # the control
        assert (result.outcome, case.verdict) == (Outcome.WORSE, Verdict.DOMINATED)
        return
    assert result.outcome is Outcome.NOT_COMPARABLE
    assert "without x" in str(result.reason)
    assert (case.verdict, case.fails) == (Verdict.NOT_COMPARABLE, ())
    assert case.place.position is Position.AMBIGUOUS


def test_energy_follows_the_host_as_far_as_the_gpu_waits_and_its_dynamic_part_does_not() -> None:
    metrics = {"latency": LATENCY, "device_time": DEVICE_TIME, "energy": ENERGY}
    metrics |= {"dynamic_energy": DYNAMIC_ENERGY}
    levels = {"latency": five(1.0), "device_time": five(0.4), "energy": five(9.0)}
    levels |= {"dynamic_energy": five(5.0)}
    runs = tuple(session(case_runs("m.py::a", levels, **metrics)))
    past = Past(accepted(SessionRecord(runs, Policy())))
    (case,) = pair(summarise(SessionRecord(runs, Policy())), past).cases
    spreads = Policy().spreads
    assumed = {
        name: found.session_spread for name, found in case.pairs.items() if isinstance(found, Pair)
    }
    assert assumed["energy"] == pytest.approx(math.hypot(spreads.energy, 0.6 * spreads.host))
    assert assumed["dynamic_energy"] == spreads.dynamic_energy
