"""Recordings of unchanged code on NVIDIA H200s: see tests/data/README.md."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_pareto.model.metric import DEVICE_TIME, ENERGY, HOST_REFERENCE, LATENCY, Metric
from pytest_pareto.stats.scale import summarise_run

DATA = Path(__file__).parents[2] / "tests" / "data"
CALL_BY_CALL = {
    "a": "h200_aa_machine_a.jsonl",
    "c": "h200_aa_machine_c.jsonl",
    "d": "h200_aa_machine_d.jsonl",
    "r": "h200_host_reference.jsonl",
}
"""By host."""
TWO_BOARDS = {"e": "h200_all_metrics.jsonl"}

HOST_BOUND = ("ddim", "sd15")
GPU_BOUND = ("block",)
METRICS = (LATENCY, DEVICE_TIME, ENERGY)

Readings = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Process:
    """What one fresh process measured of one workload.

    ``readings`` by metric name, in its unit: one per call of latency and of the host
    reference, one per profiled call or process of device time, one of energy.
    """

    host: str
    board: int
    workload: str
    number: int
    readings: Mapping[str, Readings]


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one workload in the processes of one host, in the order they ran.

    ``processes`` has the readings of each, ``levels`` their summary as the product makes it
    and ``boards`` the GPU of each.
    """

    host: str
    workload: str
    metric: Metric
    processes: tuple[Readings, ...]
    levels: Readings
    boards: tuple[int, ...]

    @property
    def host_bound(self) -> bool:
        """Whether the host launches too slowly for the GPU."""
        return self.workload in HOST_BOUND


@cache
def recorded() -> tuple[Process, ...]:
    """Read every recording."""
    return tuple(
        read(host, row)
        for files, read in ((CALL_BY_CALL, _call_by_call), (TWO_BOARDS, _by_metric))
        for host, name in files.items()
        for row in _rows(DATA / name)
    )


def series(metric: Metric) -> tuple[Series, ...]:
    """Return one series of a metric for each host and workload that has it."""
    groups: dict[tuple[str, str], list[Process]] = defaultdict(list)
    for process in recorded():
        if metric.name in process.readings:
            groups[process.host, process.workload].append(process)
    return tuple(
        _series(metric, sorted(group, key=lambda p: p.number)) for group in groups.values()
    )


def _series(metric: Metric, processes: Sequence[Process]) -> Series:
    readings = tuple(p.readings[metric.name] for p in processes)
    return Series(
        processes[0].host,
        processes[0].workload,
        metric,
        readings,
        tuple(summarise_run(values, relative=metric.relative) for values in readings),
        tuple(p.board for p in processes),
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _short(workload: str) -> str:
    return workload.partition("_")[0]


def _call_by_call(host: str, row: Mapping[str, Any]) -> Process:
    readings: dict[str, Readings] = {LATENCY.name: tuple(row["wall"])}
    if row.get("profiled"):
        readings[DEVICE_TIME.name] = tuple(call["us"] / 1e6 for call in row["profiled"])
    if row.get("windows"):
        longest = row["windows"][-1]
        readings[ENERGY.name] = (longest["mj"] / 1e3 / longest["calls"],)
    if row.get("refs"):
        readings[HOST_REFERENCE.name] = tuple(launches for launches, _, _ in row["refs"])
    return Process(host, 0, _short(row["workload"]), row["proc"], readings)


def _by_metric(host: str, row: Mapping[str, Any]) -> Process:
    readings = {
        metric.name: tuple(row[metric.name]["values"])
        for metric in (*METRICS, HOST_REFERENCE)
        if "values" in row.get(metric.name, {})
    }
    return Process(host, row["board"], _short(row["workload"]), row["process"], readings)
