"""Scores of every kind through the whole path: grades, sets, what broke, what stopped early."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_pareto.compare.sample_size import EarlyStopContext, is_decided
from pytest_pareto.model.baseline import Baseline, MetricHistory, Past, Samples, Session
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Better, Budget, Kind, Metric, parse_budget
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import CaseRun, Looks, Measurement, Run, order_seed
from pytest_pareto.model.session_record import Judged
from pytest_pareto.model.verdict import Verdict
from tests.sessions import (
    HERE,
    SCORE,
    baseline,
    by_case,
    change_of,
    ids,
    judged,
    remembered,
)

GRADE = replace(SCORE, name="grade", kind=Kind.ORDINAL, tolerance=0.05)
FID = Metric("fid", "", Better.LOWER, Kind.SET, SCORE.scope, 0.5, relative=False)

Scores = NDArray[np.float64]


def draw(seed: int, count: int = 200) -> Scores:
    return np.random.default_rng(seed).normal(0.7, 0.05, count)


def remembers(metric: Metric, scores: Sequence[float], level: float | None = None) -> Baseline:
    case = remembered("a", {"score": [[0.0, 1.0]]})
    level = float(np.mean(scores)) if level is None else level
    history = MetricHistory(
        metric.unit,
        metric.better,
        metric.kind,
        metric.scope,
        (Session("here", 0, (level,)),),
        Samples(ids(len(scores)), tuple(scores)),
    )
    return baseline(replace(case, metrics={metric.name: history}))


def run_of(*measurements: Measurement, budgets: tuple[Budget, ...] = ()) -> list[Run]:
    case = CaseRun("a", "a", "f", "s", measurements, budgets=budgets)
    return [Run(HERE, {"a": case})]


def scored(metric: Metric, scores: Sequence[float]) -> Measurement:
    return Measurement(metric, tuple(scores), ids(len(scores)))


def looked(scores: Scores, at: int, metric: Metric = SCORE) -> Measurement:
    """What has been scored of a shuffled whole when a look is reached."""
    looks = Looks(len(scores), 5, at, order_seed(ids(len(scores))))
    order = np.random.default_rng(looks.seed).permutation(len(scores))[: looks.used]
    names = ids(len(scores))
    values = tuple(scores[order].tolist())
    return Measurement(metric, values, tuple(names[i] for i in order), looks=looks)


# Kinds


def test_grades_are_compared_by_who_got_worse_not_by_how_much() -> None:
    before = [3.0] * 100
    mildly = [2.0] * 30 + [3.0] * 70
    found = judged(run_of(scored(GRADE, mildly)), remembers(GRADE, before))
    assert change_of(by_case(found)["a"], "grade").estimate == pytest.approx(0.30)
    assert by_case(found)["a"].verdict is Verdict.DOMINATED
    # Three that fell by ten steps weigh as much as three that fell by one.
    far = [-7.0] * 3 + [3.0] * 97
    found = judged(run_of(scored(GRADE, far)), remembers(GRADE, before))
    assert change_of(by_case(found)["a"], "grade").estimate == pytest.approx(0.03)
    assert not found.judgement.failed


def test_a_set_is_reported_by_its_number_and_judged_by_its_blocks() -> None:
    rng = np.random.default_rng(1)
    then = rng.normal(10.0, 2.0, 20)
    now = then + 3.0 + rng.normal(0, 0.5, 20)
    run = run_of(Measurement(FID, tuple(now), ids(20), whole=13.2))
    found = judged(run, remembers(FID, then.tolist(), level=10.1))
    case = by_case(found)["a"]
    result = case.comparison.metric("fid")
    assert result is not None
    assert (result.baseline, result.candidate) == (10.1, 13.2)
    change = change_of(case, "fid")
    assert change.estimate == pytest.approx(float(np.mean(now - then)), abs=0.01)
    assert change.df == 19
    assert change.worst_ids == ()
    assert case.verdict is Verdict.DOMINATED


def test_blocks_of_other_samples_are_not_compared() -> None:
    run = run_of(
        Measurement(FID, (1.0, 2.0), ("block 1 of 2 (f00)", "block 2 of 2 (ba7)"), whole=1)
    )
    found = judged(run, remembers(FID, [1.0, 2.0]))
    assert by_case(found)["a"].verdict is Verdict.BROKEN


@pytest.mark.parametrize("unit", [1e-120, 1e120])
def test_scores_of_any_size_are_judged_alike(unit: float) -> None:
    noise = np.random.default_rng(3).normal(0, 0.02, 200)
    for fall, verdict in ((0.05, Verdict.DOMINATED), (0.0, Verdict.UNCHANGED)):
        found = []
        for size in (1.0, unit):
            metric = replace(SCORE, tolerance=SCORE.tolerance * size)
            now = scored(metric, ((draw(1) - fall + noise) * size).tolist())
            before = remembers(metric, (draw(1) * size).tolist())
            case = by_case(judged(run_of(now), before))["a"]
            assert case.verdict is verdict
            found.append(change_of(case, "score"))
        usual, far = found
        assert far.p_worse == pytest.approx(usual.p_worse)
        assert far.low / unit == pytest.approx(usual.low, rel=1e-4)


def test_likelihoods_of_sequences_are_judged() -> None:
    rng = np.random.default_rng(4)
    logs = -300 - rng.exponential(size=200)
    metric = replace(SCORE, tolerance=1e-140)
    now = scored(metric, np.exp(logs - 0.5 + rng.normal(0, 0.1, 200)).tolist())
    found = judged(run_of(now), remembers(metric, np.exp(logs).tolist()))
    assert by_case(found)["a"].verdict is Verdict.DOMINATED


# What broke


def test_what_broke_fails_and_the_rest_is_judged() -> None:
    why = "'score' raised ValueError at sample 's7'"
    run = run_of(Measurement(SCORE, absent=why, broken=True), scored(GRADE, [3.0] * 100))
    past = remembers(GRADE, [3.0] * 100)
    found = judged(run, past)
    case = by_case(found)["a"]
    assert case.verdict is Verdict.BROKEN
    assert any(why in text for text in case.fails)
    assert change_of(case, "grade").outcome is Outcome.UNCHANGED


def test_what_is_merely_absent_does_not_fail() -> None:
    run = run_of(Measurement(SCORE, absent="no reference images"), scored(GRADE, [3.0] * 100))
    assert not judged(run, remembers(GRADE, [3.0] * 100)).judgement.failed


# What stopped early


def test_what_stopped_early_is_compared_with_the_same_samples() -> None:
    before = draw(1)
    before[:40] += 10.0  # whoever takes all of the baseline's scores sees a fall
    now = looked(before + np.random.default_rng(2).normal(0, 0.02, 200), at=2)
    found = judged(run_of(now), remembers(SCORE, before.tolist()))
    result = by_case(found)["a"].comparison.metric("score")
    assert result is not None
    change = change_of(by_case(found)["a"], "score")
    assert change.pairs == 80
    assert abs(change.estimate) < 0.01
    assert result.baseline == pytest.approx(result.candidate, abs=0.01)
    assert result.looks == Looks(200, 5, 2, order_seed(ids(200)))
    assert not found.judgement.failed


def test_what_stopped_early_is_never_recorded() -> None:
    before = draw(1)
    early = judged(run_of(looked(before, at=2)), remembers(SCORE, before.tolist()))
    assert early.levels == {}
    assert len(early.samples["a", "score"].ids) == 80  # to be shown, beside their outputs
    complete = judged(run_of(looked(before, at=5)), remembers(SCORE, before.tolist()))
    assert len(complete.samples["a", "score"].ids) == 200


def test_fewer_samples_without_a_look_are_still_other_samples() -> None:
    before = draw(1)
    found = judged(run_of(scored(SCORE, before[:80].tolist())), remembers(SCORE, before.tolist()))
    assert by_case(found)["a"].verdict is Verdict.BROKEN


def test_a_look_at_another_whole_is_of_other_samples() -> None:
    before = draw(1)
    found = judged(run_of(looked(before[:100], at=2)), remembers(SCORE, before.tolist()))
    assert by_case(found)["a"].verdict is Verdict.BROKEN


# Whether to stop


def decision(
    now: Scores,
    at: int,
    *,
    past: Baseline | None = None,
    metric: Metric = SCORE,
    budgets: tuple[Budget, ...] = (),
    anchor: Baseline | None = None,
    others: Sequence[Metric] = (),
) -> bool:
    past = remembers(metric, draw(1).tolist()) if past is None else past
    case = CaseRun("a", "a", "f", "s", (looked(now, at, metric),), budgets=budgets)
    grounds = EarlyStopContext(Past(past, anchor), HERE, Policy())
    return is_decided(case, grounds, others)


def test_a_clear_fall_and_a_clear_standstill_are_decided_early() -> None:
    noise = np.random.default_rng(2).normal(0, 0.005, 200)
    assert decision(draw(1) - 0.2 + noise, at=2)
    assert decision(draw(1) + noise, at=2)


def test_what_is_near_the_tolerance_is_not() -> None:
    noise = np.random.default_rng(2).normal(0, 0.05, 200)
    assert not decision(draw(1) - SCORE.tolerance + noise, at=4)


def test_a_suspicion_that_others_may_undo_is_no_decision() -> None:
    noise = np.random.default_rng(2).normal(0, 0.05, 200)
    fallen = draw(1) - 0.022 + noise
    assert decision(fallen, at=5)
    many = [replace(remembered(f"c{i}", {"score": [[0.0]]})) for i in range(2000)]
    alone = remembers(SCORE, draw(1).tolist())
    crowd = replace(alone, cases={**alone.cases, **{c.case_id: c for c in many}})
    assert not decision(fallen, at=5, past=crowd)


def test_what_has_nothing_to_be_compared_with_is_never_decided() -> None:
    assert not decision(draw(1), at=5, past=baseline())
    assert not decision(draw(1), at=5, past=remembers(GRADE, [1.0]))


def test_diagnostics_alone_decide_nothing() -> None:
    assert not decision(draw(1), at=5, metric=replace(SCORE, gates=False))


def test_an_undecided_budget_keeps_it_going() -> None:
    noise = np.random.default_rng(2).normal(0, 0.005, 200)
    near = (parse_budget("score", ">= 0.7"),)
    assert not decision(draw(1) + noise, at=3, budgets=near)
    assert decision(draw(1) + noise, at=3, budgets=(parse_budget("score", ">= 0.5"),))


def test_an_undecided_drift_does_not_stop_early() -> None:
    noise = np.random.default_rng(2).normal(0, 0.005, 200)
    crept = draw(1) + noise
    assert decision(crept, at=2, anchor=remembers(SCORE, draw(1).tolist()))
    before = draw(1) + SCORE.tolerance + np.random.default_rng(3).normal(0, 0.01, 200)
    assert not decision(crept, at=2, anchor=remembers(SCORE, before.tolist()))


def test_what_may_be_traded_is_decided_where_no_trade_gives_up_as_much() -> None:
    noise = np.random.default_rng(2).normal(0, 0.005, 200)
    mildly, far = draw(1) - 0.02 + noise, draw(1) - 0.2 + noise
    cost = replace(SCORE, name="cost", kind=Kind.RUN)
    assert decision(mildly, at=2)
    assert not decision(mildly, at=2, others=[cost])
    assert decision(mildly, at=2, others=[replace(cost, gates=False)])
    assert decision(far, at=2, others=[cost])


def test_a_broken_budget_is_for_the_whole_session_to_find() -> None:
    """It shares its level with budgets that the evaluation does not know of."""
    noise = np.random.default_rng(2).normal(0, 0.005, 200)
    assert not decision(draw(1) + noise, at=3, budgets=(parse_budget("score", ">= 0.8"),))


def test_other_samples_are_seen_whichever_of_them_were_scored() -> None:
    before = draw(1)
    now = looked(before, at=2)
    assert now.looks is not None
    other = replace(now, looks=replace(now.looks, seed=order_seed(["another", *ids(199)])))
    found = judged(run_of(other), remembers(SCORE, before.tolist()))
    assert by_case(found)["a"].verdict is Verdict.BROKEN
    assert "some are not among the 200 of the baseline" in " ".join(by_case(found)["a"].fails)


def test_a_diagnostic_that_broke_is_reported_and_its_budget_is_broken() -> None:
    metric = replace(SCORE, name="diag", gates=False)
    broken = Measurement(metric, absent="'diag' raised at sample 's7'", broken=True)
    past = remembers(GRADE, [3.0] * 100)
    found = judged(run_of(broken, scored(GRADE, [3.0] * 100)), past)
    assert not found.judgement.failed
    assert any("raised at sample" in text for text in by_case(found)["a"].notices)
    budget = (parse_budget("diag", ">= 0.9"),)
    run = run_of(broken, scored(GRADE, [3.0] * 100), budgets=budget)
    assert judged(run, past).judgement.failed


def share_failed(*, looks_matter: bool, count: int = 200) -> float:
    """How often unharmed code at its tolerance is called WORSE by who stops when it looks so."""
    rng = np.random.default_rng(11)
    failed = 0
    for _ in range(count):
        before = rng.normal(0.7, 0.05, 200)
        now = before - SCORE.tolerance + rng.normal(0, 0.05, 200)
        past = remembers(SCORE, before.tolist())
        for at in range(1, 6):
            latest = looked(now, at)
            if not looks_matter:
                part = [before[int(name[1:])] for name in latest.ids]
                found = judged_scores(latest, part)
            else:
                found = judged(run_of(latest), past)
            if found.judgement.failed:
                break
        failed += found.judgement.failed
    return failed / count


def judged_scores(latest: Measurement, before: Sequence[float]) -> Judged:
    plain = replace(latest, looks=None)
    past = remembers(SCORE, before)
    history = past.cases["a"].metrics["score"]
    history = replace(history, samples=Samples(plain.ids, tuple(before)))
    case = replace(past.cases["a"], metrics={"score": history})
    return judged(run_of(plain), replace(past, cases={"a": case}))


def test_looking_five_times_costs_no_false_alarms() -> None:
    assert share_failed(looks_matter=True) < 0.08


def test_without_paying_for_the_looks_it_would() -> None:
    assert share_failed(looks_matter=False) > 0.10


def test_a_number_that_contradicts_the_baseline_is_still_held_against_its_budget() -> None:
    """Also where it is 0: what was measured is known, whatever it is compared with."""
    zero = replace(SCORE, kind=Kind.RUN)
    run = run_of(Measurement(zero, (0.0,)), budgets=(parse_budget("score", "<= 0.5"),))
    (case,) = judged(run, remembers(SCORE, draw(1).tolist())).judgement.cases
    (budget,) = case.comparison.budgets
    assert (budget.broken, budget.value) == (False, 0.0)
