"""The recordings are read as they are, and in the order in which the processes ran."""

import math

import pytest

from benchmarks.calibration.recordings import GPU_BOUND, HOST_BOUND, METRICS, recorded, series
from pytest_pareto.model.metric import DEVICE_TIME, ENERGY, HOST_REFERENCE, LATENCY, Metric


@pytest.mark.parametrize(
    ("metric", "processes"),
    [
        (LATENCY, {"a": 12, "c": 3, "d": 8, "e": 12, "r": 9}),
        (DEVICE_TIME, {"c": 3, "d": 8, "e": 12}),
        (ENERGY, {"a": 12, "c": 3, "d": 8, "e": 12}),
        (HOST_REFERENCE, {"e": 12, "r": 9}),
    ],
)
def test_every_process_is_there(metric: Metric, processes: dict[str, int]) -> None:
    found = series(metric)
    assert {(s.host, len(s.levels)) for s in found} == set(processes.items())
    assert {s.workload for s in found} <= {*HOST_BOUND, *GPU_BOUND}


def test_a_level_is_within_the_readings_of_its_process() -> None:
    for metric in METRICS:
        for s in series(metric):
            for level, readings in zip(s.levels, s.processes, strict=True):
                # exp(log(x)) is x but for its last digit.
                assert min(readings) * (1 - 1e-12) <= level <= max(readings) * (1 + 1e-12)


def test_units_are_seconds_and_joules() -> None:
    for metric, low, high in ((LATENCY, 0.005, 0.5), (DEVICE_TIME, 0.002, 0.2), (ENERGY, 1, 200)):
        for s in series(metric):
            assert low < min(s.levels) <= max(s.levels) < high, (s.host, s.workload, metric.name)


def test_processes_are_in_order_and_boards_take_turns() -> None:
    numbers = [p.number for p in recorded() if (p.host, p.workload) == ("a", "ddim")]
    assert numbers == list(range(12))
    (two,) = (s for s in series(DEVICE_TIME) if (s.host, s.workload) == ("e", "sd15"))
    assert two.boards == (0, 1) * 6


def test_what_the_host_reference_follows_is_told_by_the_pipeline() -> None:
    (reference,) = (s for s in series(HOST_REFERENCE) if (s.host, s.workload) == ("r", "ddim"))
    (latency,) = (s for s in series(LATENCY) if (s.host, s.workload) == ("r", "ddim"))
    x, y = ([math.log(level) for level in s.levels] for s in (reference, latency))
    mean = [sum(side) / len(side) for side in (x, y)]
    xy = sum((a - mean[0]) * (b - mean[1]) for a, b in zip(x, y, strict=True))
    xx, yy = (sum((v - m) ** 2 for v in side) for side, m in zip((x, y), mean, strict=True))
    assert xy / math.sqrt(xx * yy) > 0.9
