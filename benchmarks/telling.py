"""Whether telling where a measurement stands changes what is measured.

    python benchmarks/telling.py [pairs] [seconds]

Measures the same call with nobody listening and with a listener that appends a line to a file and
writes one to the terminal, in turn, and prints the change of latency (and of energy, where there
is a GPU) with its 95 % interval over the pairs: 0 should lie within, and the interval be narrow.
"""

import json
import math
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t as student

from pytest_pareto.compare.measured import run_level
from pytest_pareto.measure.measuring import measure_call
from pytest_pareto.measure.meters.steady import SteadyMeter
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.measure.whereabouts import Tell, Whereabouts
from pytest_pareto.model.metric import ENERGY, LATENCY


def listener(file: Path) -> Tell:
    """Do what a fresh process and the terminal above it do, both in this process."""

    def tell(where: Whereabouts) -> None:
        text = f"pareto: test_it: {where.doing}, call {where.done}, about {where.rest_s} s left"
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"standing": text}) + "\n")
        sys.stderr.write(f"\r{text}")
        sys.stderr.flush()

    return tell


def work() -> Callable[[], object]:
    """Return a call of about two milliseconds, on the GPU if there is one."""
    if torch.cuda.is_available():
        x = torch.randn(4096, 4096, device="cuda", dtype=torch.float16)
        return lambda: [x @ x for _ in range(8)]
    matrix = np.random.default_rng(0).standard_normal((400, 400))
    return lambda: matrix @ matrix


def main(pairs: int, seconds: float) -> None:
    """Print the change that telling makes."""
    call = work()
    changes: dict[str, list[float]] = {LATENCY.name: [], ENERGY.name: []}
    with tempfile.TemporaryDirectory() as folder:
        tell = listener(Path(folder, "lines.jsonl"))
        plan = LoopPlan(max_seconds=seconds, max_rounds=10**6)
        for pair in range(pairs):
            found = {}
            for heard in (True, False) if pair % 2 else (False, True):
                _, measured = measure_call(
                    call, (), {}, meters=[SteadyMeter()], plan=plan, tell=tell if heard else None
                )
                found[heard] = {m.metric.name: run_level(m) for m in measured if m.absent is None}
            for name, logs in changes.items():
                if name in found[True]:
                    logs.append(math.log(found[True][name] / found[False][name]))
        told = len(Path(folder, "lines.jsonl").read_text(encoding="utf-8").splitlines())
    print(f"\n{pairs} pairs, {told / pairs:.1f} lines told in each telling half")
    for name, logs in changes.items():
        if logs:
            half = (
                float(student.ppf(0.975, len(logs) - 1)) * statistics.stdev(logs) / len(logs) ** 0.5
            )
            print(f"{name}: {100 * statistics.fmean(logs):+.3f} % ± {100 * half:.3f} %")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 20,
        float(sys.argv[2]) if len(sys.argv) > 2 else 3,
    )
