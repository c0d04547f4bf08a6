"""A run without its calls is judged as the run is."""

import random
from dataclasses import replace

import pytest

from pytest_pareto.compare.levels import Measured, condensed, measured_metrics
from pytest_pareto.model.metric import LATENCY, PEAK_MEMORY, Metric
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.stats.scale import summarise_run
from tests.sessions import ACCURACY, HERE, SCORE, ids


def run_of(*measurements: Measurement) -> Run:
    return Run(HERE, {"m.py::a": CaseRun("m.py::a", "m.py::a", "f", "s", measurements)})


@pytest.mark.parametrize("metric", [LATENCY, ACCURACY])
def test_the_level_is_the_same_to_the_last_digit(metric: Metric) -> None:
    random.seed(4)
    for _ in range(200):
        readings = tuple(random.lognormvariate(-3, 0.3) for _ in range(random.randint(1, 30)))
        level = summarise_run(readings, relative=metric.relative)
        (case,) = condensed(run_of(Measurement(metric, readings, first=9.0))).cases.values()
        (kept,) = case.measurements
        assert kept.values == (level,)
        assert kept.first == 9.0
        assert summarise_run(kept.values, relative=metric.relative) == level


def test_what_is_no_level_of_calls_stays() -> None:
    run = run_of(
        Measurement(PEAK_MEMORY, (4e9,)),
        Measurement(SCORE, (0.1, 0.2), ids(2)),
        Measurement(LATENCY, absent="no clock"),
    )
    assert condensed(run) == run


def test_readings_without_a_level_are_broken_with_the_same_reason() -> None:
    raw = run_of(Measurement(LATENCY, (0.1, 0.0)))
    found = [measured_metrics([run.cases["m.py::a"]])["latency"] for run in (raw, condensed(raw))]
    assert found[0] == found[1]
    assert isinstance(found[0], MetricResult)
    assert "reading 1 is 0" in str(found[0].reason)
    good = replace(raw, cases=run_of(Measurement(LATENCY, (0.1,))).cases)
    assert isinstance(measured_metrics([good.cases["m.py::a"]])["latency"], Measured)
