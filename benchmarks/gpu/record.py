"""Measure workloads in this process, and print what every meter says, a JSON object a line.

    python benchmarks/gpu/record.py PROCESS_NUMBER [--loops FILE] [workload ...]

One fresh process is one run, as under ``pytest --pareto-runs``. With ``--loops`` FILE gets what
`host_loops.py` compares.
"""

import argparse
import json
import time
from pathlib import Path

from host_loops import ROUNDS, beside
from workloads import WORKLOADS

from pytest_pareto.measure.measurement import built_in_meters, measure_call
from pytest_pareto.model.run import Measurement


def main() -> None:
    """Record the named workloads, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("process", type=int)
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS))
    parser.add_argument("--loops", type=Path)
    given = parser.parse_args()
    meters = built_in_meters()
    for name in given.workloads:
        call = WORKLOADS[name]()
        who = {"process": given.process, "workload": name}
        began = time.perf_counter()
        _, measurements = measure_call(call, (), {}, meters=meters)
        took_s = round(time.perf_counter() - began, 2)
        said = {each.metric.name: _said(each) for each in measurements}
        print(json.dumps(who | {"took_s": took_s} | said), flush=True)
        if given.loops is not None and name in ROUNDS:
            with given.loops.open("a", encoding="utf-8") as file:
                file.write(json.dumps(who | {"times": beside(call, ROUNDS[name])}) + "\n")


def _said(measurement: Measurement) -> dict[str, object]:
    if measurement.absent is not None:
        return {"absent": measurement.absent}
    values = [float(f"{value:.12g}") for value in measurement.values]
    return {"values": values, "first": measurement.first, "notes": measurement.notes}


if __name__ == "__main__":
    main()
