"""Make h200_replay.jsonl of recordings of unchanged code on an NVIDIA H200: see README.md.

    python tests/data/make_h200_replay.py RECORDINGS.jsonl

One line of the recordings is one workload in one fresh process; readings of calls are thinned
out evenly, so that a drift within a process stays.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_pareto.model.metric import (
    DEVICE_TIME,
    ENERGY,
    EVENT_TIME,
    FLOPS,
    KERNELS,
    LATENCY,
    PEAK_MEMORY,
)
from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.testing import record_readings

TARGET = Path(__file__).with_name("h200_replay.jsonl")
TEST = "test_h200.py::test_workload"
CALLS = 8
"""How many readings of a process's calls are kept."""


def thinned(readings: Sequence[float]) -> tuple[float, ...]:
    """Return a few readings from all over the process, to 0.1 µs."""
    step = len(readings) / CALLS
    return tuple(round(readings[int(step * (i + 0.5))], 7) for i in range(CALLS))


def case_run(recorded: Mapping[str, Any]) -> CaseRun:
    """Return what one process says of one workload."""
    profiled = recorded["profiled"]
    (kernels,) = {each["kernels"] for each in profiled}
    window = recorded["windows"][-1]
    flops = recorded["flops"]
    return CaseRun(
        f"{TEST}[{recorded['workload']}]",
        nodeid=f"{TEST}[{recorded['workload']}]",
        front=TEST,
        source="",
        measurements=(
            Measurement(LATENCY, thinned(recorded["wall"])),
            Measurement(EVENT_TIME, thinned(recorded["event"])),
            Measurement(DEVICE_TIME, tuple(round(each["us"] / 1e6, 8) for each in profiled)),
            Measurement(ENERGY, (round(window["mj"] / 1e3 / window["calls"], 5),)),
            Measurement(PEAK_MEMORY, (recorded["mem"],)),
            Measurement(KERNELS, (kernels,)),
            Measurement(FLOPS, (flops,) if flops else (), absent=None if flops else "0 counted"),
        ),
    )


def main() -> None:
    """Convert the recordings, one run for each process."""
    runs: dict[int, list[CaseRun]] = defaultdict(list)
    with Path(sys.argv[1]).open(encoding="utf-8") as lines:
        for line in lines:
            recorded = json.loads(line)
            runs[recorded["proc"]].append(case_run(recorded))
    record_readings(TARGET, [runs[number] for number in sorted(runs)])


if __name__ == "__main__":
    main()
