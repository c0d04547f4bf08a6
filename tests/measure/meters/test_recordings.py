"""Statements of the documentation about the meters on an H200, checked on recorded readings."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import correlation, mean, stdev

import pytest

from pytest_pareto.stats.scale import summarise_run

DATA = Path(__file__).parents[2] / "data"
HOST_BOUND = ("sd15_fp16", "ddim_small_fp32")


def levels(workload: str, metric: str, board: int | None = None) -> list[float]:
    """Return the level of each run, as the comparison computes it."""
    lines = (DATA / "h200_all_metrics.jsonl").read_text(encoding="utf-8").splitlines()
    found = [
        record
        for record in map(json.loads, lines)
        if record["workload"] == workload and board in (None, record["board"])
    ]
    return [summarise_run(each[metric]["values"], relative=True) for each in found]


def spread(values: Sequence[float]) -> float:
    return stdev(values) / mean(values)


@pytest.mark.parametrize(
    ("workload", "metric", "most"),
    [
        ("sd15_fp16", "device_time", 0.001),
        ("block_bf16", "device_time", 0.01),
        ("block_bf16", "energy", 0.015),
    ],
)
def test_gpu_metrics_vary_little_between_processes(workload: str, metric: str, most: float) -> None:
    for board in (0, 1):
        values = levels(workload, metric, board)
        assert len(values) == 6
        assert spread(values) <= most


def test_one_process_of_twelve_was_off_by_more_than_all_others() -> None:
    values = levels("ddim_small_fp32", "device_time", 0)
    assert 0.001 < spread(values) < 0.002
    assert spread(sorted(values)[:-1]) < 0.0003


@pytest.mark.parametrize("workload", HOST_BOUND)
def test_latency_is_not(workload: str) -> None:
    assert spread(levels(workload, "latency")) > 0.05


@pytest.mark.parametrize("workload", [*HOST_BOUND, "block_bf16"])
@pytest.mark.parametrize("metric", ["kernels", "peak_memory", "reserved_memory", "other_memory"])
def test_counts_and_bytes_repeat(workload: str, metric: str) -> None:
    values = levels(workload, metric)
    assert len(values) == 12
    assert spread(values) < 1e-12


@pytest.mark.parametrize("workload", HOST_BOUND)
@pytest.mark.parametrize("board", [0, 1, None])
def test_latency_follows_the_host_reference(workload: str, board: int | None) -> None:
    latency, reference = (levels(workload, name, board) for name in ("latency", "host_reference"))
    assert correlation(latency, reference) > 0.85
    # The same check fails where the processes are not the same ones.
    assert correlation(latency, [*reference[1:], reference[0]]) < 0.5
