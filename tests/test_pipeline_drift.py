"""Drift through the whole path: a rolling baseline follows it, an anchor does not."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pytest_pareto.judge.gate import confirming_runs, flagged
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.policy import AlphaShares, Policy, SessionSpreads
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import Asked, Judged
from tests.sessions import (
    DEVICE,
    HERE,
    Levels,
    baseline,
    by_case,
    case_runs,
    five,
    judged,
    remembered,
    session,
)

SPEED = replace(DEVICE, tolerance=0.05)
"""A time with the tolerance of a latency."""


def at(level: float) -> Baseline:
    return baseline(remembered("a", {"device": five(level)}))


def measured(level: float, *, runs: int = 5) -> list[Run]:
    return session(case_runs("a", {"device": five(level)[:runs]}, device=SPEED))


def outcomes(found: Judged) -> tuple[Outcome, Outcome]:
    """Return the outcome beside the baseline, and beside the anchor."""
    comparison = by_case(found)["a"].comparison
    return comparison.metrics[0].outcome, comparison.anchor[0].outcome


def test_what_crept_fails_though_it_is_unchanged() -> None:
    found = judged(measured(1.10), at(1.09), anchor=at(1.0))
    assert outcomes(found) == (Outcome.UNCHANGED, Outcome.WORSE)
    case = by_case(found)["a"]
    assert case.fails == ("device drifted beyond its limit since the anchor",)
    assert case.crept == ("device",)
    assert found.judgement.failed


def test_without_an_anchor_nobody_sees_it() -> None:
    found = judged(measured(1.10), at(1.09))
    assert not found.judgement.failed
    assert by_case(found)["a"].comparison.anchor == ()


def test_each_metric_has_its_own_tolerance() -> None:
    strict = session(case_runs("a", {"device": five(1.03)}))
    assert judged(strict, at(1.025), anchor=at(1.0)).judgement.failed
    assert not judged(measured(1.03), at(1.025), anchor=at(1.0)).judgement.failed


def test_an_anchor_takes_a_share_of_alpha_and_only_where_there_is_one() -> None:
    assert judged(measured(1.0), at(1.0), anchor=at(1.0)).judgement.shares.anchor == 0.1
    assert judged(measured(1.0), at(1.0)).judgement.shares.anchor == 0.0


def test_the_detectable_drift_is_reported_at_the_anchors_level() -> None:
    comparison = by_case(judged(measured(1.0), at(1.0), anchor=at(1.0)))["a"].comparison
    beside_baseline, beside_anchor = comparison.metrics[0].change, comparison.anchor[0].change
    assert beside_baseline is not None
    assert beside_anchor is not None
    assert beside_anchor.resolution > beside_baseline.resolution


def test_exact_metrics_drift_too() -> None:
    memory = replace(SPEED, kind=Kind.EXACT, name="device")

    def holds(level: float) -> Baseline:
        past = remembered("a", {"device": [level]})
        history = replace(past.metrics["device"], kind=Kind.EXACT)
        return baseline(replace(past, metrics={"device": history}))

    runs = session(case_runs("a", {"device": [1.06]}, device=memory))
    assert judged(runs, holds(1.04), anchor=holds(1.0)).judgement.failed
    assert not judged(runs, holds(1.04), anchor=holds(1.02)).judgement.failed


def test_scores_of_samples_drift_too() -> None:
    def scores(level: float) -> Levels:
        return {"score": [[level + 0.001 * (i % 7) for i in range(60)]]}

    runs = session(case_runs("a", scores(0.5)))
    past, release = (baseline(remembered("a", scores(level))) for level in (0.505, 0.52))
    found = judged(runs, past, anchor=release)
    assert by_case(found)["a"].crept == ("score",)
    assert not flagged(found.judgement)  # measured again they would say the same
    assert not judged(runs, past, anchor=past).judgement.failed


# Screened, then confirmed


def test_what_looks_worse_than_the_anchor_is_measured_again_and_that_decides() -> None:
    past, release, looked = at(1.09), at(1.0), measured(1.10, runs=1)
    suspects = flagged(judged(looked, past, anchor=release).judgement)
    assert suspects == {("a", "device")}
    assert not flagged(judged(looked, past).judgement)
    for level, failed in ((1.0, False), (1.10, True)):
        again = suspects, measured(level)
        found = judged(looked, past, confirmation=again, anchor=release)
        assert found.judgement.failed is failed
        assert by_case(found)["a"].comparison.confirmed == {"device"}


def test_what_only_the_anchor_can_be_compared_with_is_noisy_all_the_same() -> None:
    found = judged(measured(1.10), baseline(), anchor=at(1.0)).judgement
    assert min(confirming_runs(found, flagged(found), 5).values()) > 1


# What cannot be compared


def test_what_is_newer_than_the_anchor_is_reported_in_one_line() -> None:
    runs = session(*(case_runs(c, {"device": five(1.0)}, front=c) for c in "abc"))
    past = baseline(*(remembered(c, {"device": five(1.0)}, front=c) for c in "abc"))
    found = judged(runs, past, anchor=at(1.0)).judgement
    assert found.notices == ("not compared with the anchor: device of 2 cases (newer than it)",)
    assert not found.failed


def test_other_hardware_is_reported_and_fails_nothing_even_in_ci() -> None:
    there = Baseline(HERE.hardware_key, {}, {}, {"tpu": frozenset({("a", "device")})})
    found = judged(measured(1.2), at(1.2), Policy(ci=True), anchor=there).judgement
    (notice,) = found.notices
    assert notice.startswith("not compared with the anchor: device of 1 case (recorded on tpu")
    assert not found.failed


def test_a_case_of_the_anchor_that_is_gone_is_counted() -> None:
    release = baseline(*(remembered(c, {"device": five(1.0)}) for c in "ab"))
    found = judged(measured(1.0), at(1.0), anchor=release).judgement
    assert found.notices == ("not compared with the anchor: 1 case of it (gone)",)
    unasked = judged(measured(1.0), at(1.0), anchor=release, asked=Asked(covered=()))
    assert unasked.judgement.notices == ()
    # What the baseline has, it misses itself.
    assert judged(measured(1.0), release, anchor=release).judgement.notices == ()


# How often


RUN_SD, SESSION_SD = 0.005, 0.002
POLICY = Policy(spreads=SessionSpreads(gpu=SESSION_SD / 1.9))


def drawn(rng: np.random.Generator, level: float) -> list[float]:
    """One session's five runs around a level."""
    noise = rng.normal(0, SESSION_SD) + rng.normal(0, RUN_SD, 5)
    return [level * float(x) for x in np.exp(noise)]


def of_all(levels: Sequence[Sequence[float]]) -> Baseline:
    return baseline(
        *(remembered(f"c{i}", {"device": runs}, front=f"{i}") for i, runs in enumerate(levels))
    )


def rate_of_failing(draws: int, seed: int, count: int = 1) -> float:
    """How often a build of ``count`` cases fails, all at their tolerances beside both."""
    rng, failed = np.random.default_rng(seed), 0
    for _ in range(draws):
        past, release = ([drawn(rng, 1.0) for _ in range(count)] for _ in range(2))
        edge = 1 + SPEED.tolerance
        cases = (
            case_runs(f"c{i}", {"device": drawn(rng, edge)}, front=f"{i}", device=SPEED)
            for i in range(count)
        )
        found = judged(session(*cases), of_all(past), POLICY, anchor=of_all(release))
        failed += found.judgement.failed
    return failed / draws


def test_an_unharmed_build_rarely_fails_although_it_is_compared_twice() -> None:
    assert 0.02 <= rate_of_failing(1_000, seed=20) <= 0.06


def test_without_a_share_of_its_own_it_would_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AlphaShares, "of", lambda **_: AlphaShares(1.0, 0.0, 1.0))
    assert rate_of_failing(600, seed=21) > 0.06


def failing_steps(rng: np.random.Generator, step: float) -> tuple[list[bool], list[bool]]:
    """Ten steps, each accepted: whether they fail beside the baseline alone, and the anchor."""
    release = past = of_all([drawn(rng, 1.0)])
    alone, beside = [], []
    for count in range(1, 11):
        levels = drawn(rng, (1 + step) ** count)
        runs = session(case_runs("c0", {"device": levels}, front="0", device=SPEED))
        alone.append(judged(runs, past, POLICY).judgement.failed)
        beside.append(judged(runs, past, POLICY, anchor=release).judgement.failed)
        past = of_all([levels])
    return alone, beside


def test_ten_accepted_steps_of_two_percent_fail_beside_the_anchor_alone() -> None:
    rng, draws = np.random.default_rng(22), 50
    found = [failing_steps(rng, 0.02) for _ in range(draws)]
    assert not any(any(alone) for alone, _ in found)
    assert all(beside[-1] for _, beside in found)
    first = [beside.index(True) + 1 for _, beside in found]
    assert 3 <= min(first) <= max(first) <= 5  # +6.1 % to +10.4 %, with a limit of 5 %


def test_steps_that_lead_nowhere_fail_nothing() -> None:
    rng = np.random.default_rng(23)
    assert not any(any(beside) for _, beside in (failing_steps(rng, 0.0) for _ in range(50)))


@pytest.mark.slow
def test_an_unharmed_build_fails_at_the_stated_rate() -> None:
    # Below 5 %: tests that share the candidate err together.
    assert 0.01 <= rate_of_failing(10_000, seed=24, count=4) <= 0.05
