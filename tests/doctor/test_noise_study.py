"""A/A tests of simulated machines: the known spread, drift and repeatability are recovered."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from pytest_pareto.doctor.noise_model import NoiseReport, Plan, Support
from pytest_pareto.doctor.noise_study import examine_noise, scatter_of
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import (
    HOST_REFERENCE,
    LATENCY,
    PEAK_MEMORY,
    Better,
    Kind,
    Metric,
    Scope,
)
from pytest_pareto.model.policy import Policy, SessionSpreads
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.stats.variance import Spread

HERE = Environment("AMD EPYC 9654", 16, 8, software={"torch": "2.9"})
SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
NUMBER = Metric("number", "", Better.HIGHER, Kind.RUN, Scope.GPU, 0.01, relative=False)


def reading(metric: Metric, value: float) -> Measurement:
    return Measurement(metric, (value,))


def scores(*values: float) -> Measurement:
    return Measurement(SCORE, values, tuple(f"s{i}" for i in range(len(values))))


def runs_of(count: int, cases: dict[str, Callable[[int], Sequence[Measurement]]]) -> list[Run]:
    """Return runs; each case maps the index of a run to its measurements, which may be empty."""
    return [
        Run(
            HERE,
            {
                name: CaseRun(name, name, "f", "s", found)
                for name, case in cases.items()
                if (found := tuple(case(number)))
            },
        )
        for number in range(count)
    ]


def latencies(
    sd: float, *, drift: float = 0.0, metric: Metric = LATENCY
) -> Callable[[int], Sequence[Measurement]]:
    draw = random.Random(5)
    return lambda number: [reading(metric, math.exp(draw.gauss(0, sd) + drift * number))]


QUIET = Policy(spreads=SessionSpreads(0.0, 0.0, 0.0, 0.0), confirming=5)


def examined(runs: Sequence[Run], policy: Policy = QUIET) -> NoiseReport:
    return examine_noise(runs, policy, baseline_runs=5)


def test_a_known_spread_is_recovered() -> None:
    (noise,) = examined(runs_of(300, {"a": latencies(0.03)})).metrics
    (case,) = noise.cases
    assert abs(case.scatter.sd - 0.03) < 0.003
    assert case.scatter.low < case.scatter.sd < case.scatter.high
    assert case.drift is None
    assert case.raw is None


def test_the_interval_of_a_spread_covers_it_in_90_percent() -> None:
    draw = np.random.default_rng(3)
    variances = 0.03**2 * draw.chisquare(7, 2000) / 7
    found = [scatter_of(Spread(v, 7.0), relative=False) for v in variances]
    covered = sum(s.low <= 0.03 <= s.high for s in found) / len(found)
    assert abs(covered - 0.9) < 0.02
    # A normal interval, sd ± 1.645 sd / √(2 ν), is too narrow for so few runs.
    narrow = [abs(s.sd - 0.03) < 1.645 * s.sd / math.sqrt(2 * 7) for s in found]
    assert sum(narrow) / len(narrow) < 0.875


def test_a_drift_is_found_with_its_size() -> None:
    (noise,) = examined(
        runs_of(8, {"a": latencies(0.003, drift=0.01), "b": latencies(0.003)})
    ).metrics
    assert [case.case_id for case in noise.drifting] == ["a"]
    change = noise.cases[0].drift
    assert change is not None
    assert abs(change.estimate - math.expm1(0.04)) < 0.01
    (noise,) = examined(runs_of(8, {"a": latencies(0.003, drift=-0.01)})).metrics
    assert noise.drifting


def test_the_overall_resolution_is_that_of_the_worst_case() -> None:
    (noise,) = examined(runs_of(8, {"a": latencies(0.002), "b": latencies(0.02)})).metrics
    quiet, noisy = (case.resolutions for case in noise.cases)
    assert [r.resolution for r in noise.overall] == [r.resolution for r in noisy]
    assert all(q.resolution < n.resolution for q, n in zip(quiet, noisy, strict=True))
    assert [each.plan for each in noisy] == [
        Plan(1), Plan(3), Plan(5), Plan(1, 5), Plan(4, 12, interleaved=True)
    ]  # fmt: skip


def support(sd: float, *, tolerance: float = 0.05, policy: Policy = QUIET) -> Support:
    metric = LATENCY.with_policy(tolerance=tolerance)
    (noise,) = examined(runs_of(8, {"a": latencies(sd, metric=metric)}), policy).metrics
    return noise.support


def test_under_which_conditions_a_tolerance_holds() -> None:
    assert support(0.003) is Support.HOLDS
    assert support(0.025, policy=replace(QUIET, confirming=0)) is Support.MORE_RUNS
    assert support(0.003, policy=Policy()) is Support.INTERLEAVED
    assert support(0.2) is Support.NOWHERE
    assert support(0.2, tolerance=0.0) is Support.NO_TOLERANCE


def first_resolution(report: NoiseReport) -> float:
    return report.metrics[0].cases[0].resolutions[0].resolution


def test_the_cases_share_alpha() -> None:
    alone = examined(runs_of(8, {"a": latencies(0.01)}))
    many = examined(runs_of(8, {str(i): latencies(0.01) for i in range(9)}))
    assert (alone.family, many.family) == (1, 9)
    assert first_resolution(many) > first_resolution(alone)


def test_an_anchor_takes_a_share_of_alpha() -> None:
    runs = runs_of(8, {"a": latencies(0.01)})
    policy = Policy(confirming=5)
    without, with_anchor = (
        examine_noise(runs, policy, baseline_runs=5, has_anchor=has_anchor)
        for has_anchor in (False, True)
    )
    assert first_resolution(without) < first_resolution(with_anchor)


def test_a_metric_is_reported_once_for_each_tolerance() -> None:
    wide = LATENCY.with_policy(tolerance=0.2)
    report = examined(
        runs_of(8, {"a": latencies(0.01), "b": latencies(0.01, metric=wide), "c": latencies(0.01)})
    )
    assert [[c.case_id for c in noise.cases] for noise in report.metrics] == [["a", "c"], ["b"]]
    assert list(report.metric("latency")) == list(report.metrics)
    assert report.case_ids == ("a", "c", "b")


def test_the_host_reference_removes_the_state_of_the_host() -> None:
    draw = random.Random(2)
    host_states = [draw.gauss(0, 0.03) for _ in range(12)]

    def case(number: int) -> Sequence[Measurement]:
        own = draw.gauss(0, 0.002)
        return [
            reading(LATENCY, math.exp(host_states[number] + own)),
            reading(HOST_REFERENCE, math.exp(host_states[number])),
        ]

    (noise,) = examined(runs_of(12, {"a": case}), Policy()).metrics
    (found,) = noise.cases
    assert found.raw is not None
    assert found.scatter.sd < found.raw.sd / 3
    assert found.session_spread == Policy().spreads.host_adjusted
    assert "adjusted by the host reference" in found.notes[0]


def test_a_host_that_changed_between_the_halves_is_reported() -> None:
    def case(number: int) -> Sequence[Measurement]:
        host_state = 0.3 * (number >= 4) + 0.01 * (number % 2)
        return [
            reading(LATENCY, math.exp(host_state)),
            reading(HOST_REFERENCE, math.exp(host_state)),
        ]

    (noise,) = examined(runs_of(8, {"a": case})).metrics
    assert "the second half of the runs is not comparable" in noise.cases[0].notes[0]
    assert noise.cases[0].raw is None
    assert noise.drifting


def test_differing_values_of_repeatable_metrics_are_counted() -> None:
    report = examined(
        runs_of(
            5,
            {
                "a": lambda n: [
                    reading(PEAK_MEMORY, 1000.0 + (n == 3)),
                    reading(NUMBER, 0.8),
                    scores(0.1, 0.2 + 0.01 * n, 0.3 + 1e-7 * n),
                ]
            },
        )
    )
    memory, number, score = report.repeatability
    assert (memory.values, memory.differing, memory.low, memory.high) == (5, 1, 1000, 1001)
    assert number.repeated
    # A difference in digits that a baseline does not keep does not count.
    assert (score.values, score.differing, score.sample) == (3, 1, "s1")
    assert (score.low, score.high) == pytest.approx((0.2, 0.24))
    assert report.metrics == ()
    assert report.family == 1  # scores share alpha


def test_a_recorded_number_that_differs_is_noisy() -> None:
    report = examined(runs_of(6, {"a": lambda n: [reading(NUMBER, 0.8 + 0.01 * (n % 3))]}))
    assert [noise.metric.name for noise in report.metrics] == ["number"]
    assert report.metrics[0].cases[0].scatter.sd == pytest.approx(0.00894, rel=0.01)
    assert not report.repeatability


def test_diagnostics_are_not_examined() -> None:
    report = examined(runs_of(6, {"a": latencies(0.01, metric=LATENCY.with_policy(gates=False))}))
    assert report.metrics == ()
    assert report.family == 1


def test_metrics_that_were_not_measured_in_each_run_are_reported() -> None:
    flaky = latencies(0.01)
    report = examined(
        runs_of(
            8,
            {
                "steady": latencies(0.01),
                "flaky": lambda n: flaky(n) if n != 2 else [],
                "rare": lambda n: [reading(LATENCY, 1.0)] if n > 4 else [],
                "partly": lambda n: [
                    reading(PEAK_MEMORY, 1.0),
                    reading(LATENCY, 1.0) if n < 2 else Measurement(LATENCY, absent="no clock"),
                ],
                "zero": lambda _: [reading(LATENCY, 0.0)],
            },
        )
    )
    assert [case.case_id for case in report.metrics[0].cases] == ["steady", "flaky"]
    flaky_text, partly_text, zero_text, rare_text = report.left_out
    assert flaky_text == "flaky was measured in 7 of 8 runs"
    assert partly_text == "latency of partly was measured in 2 of 8 runs"
    assert zero_text.startswith("latency of zero: reading 0 is 0;")
    assert rare_text == "rare was measured in 3 of 8 runs"
