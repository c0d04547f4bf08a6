"""Whole sessions on the device time of a model that runs into the board's power limit.

    python benchmarks/gpu/power_limit.py FOLDER [--sessions 10] [--percent 2] [--seconds 500]

ViT-L with random weights at batch 32, in fp16 as a CUDA graph and eager in bf16. Records a baseline
of eight fresh processes, then runs sessions in turn: unchanged, and with PERCENT more work planted
in each call as matrix products. Prints the spread between the processes of the baseline, the
change, the resolution and the outcome in each session, and the counts. Starts no session after
SECONDS; another call with the same FOLDER goes on with its baseline and its counts. Exits with 1
where unchanged code is WORSE or planted work is not. Needs torch and torchvision; nothing is
downloaded.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

MODEL = """
import os

import torch
from torchvision.models import vit_l_16

from pytest_pareto.measure.meters.device_time import read_activity
from pytest_pareto.measure.torch_profiler import profile_calls

PERCENT = float(os.environ.get("PERCENT", "0"))
PRODUCT_S = 2e-5


def device_s(call, calls=4):
    def window():
        for _ in range(calls):
            call()
        torch.cuda.synchronize()

    return read_activity(profile_calls(window, window)).device_s / calls


def build(dtype, graphed):
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = vit_l_16().to(dtype).eval()
    images = torch.randn(32, 3, 224, 224, device="cuda", dtype=dtype)
    matrix = torch.randn(1024, 1024, device="cuda", dtype=dtype)
    # Both times come from one process, before anything is planted, and are kept for all others.
    products = int(os.environ.get("PRODUCTS", "0"))

    @torch.inference_mode()
    def call():
        for _ in range(products):
            torch.mm(matrix, matrix)
        return model(images)

    if not graphed:
        return call
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        result = call()

    def replay():
        captured.replay()
        return result, model, matrix

    return replay


if __name__ == "__main__":
    # How many products make PERCENT of the calls: measured once.
    matrix = torch.randn(1024, 1024, device="cuda", dtype=torch.float16)
    plain = device_s(build(torch.float16, graphed=False))
    product = device_s(lambda: torch.mm(matrix, matrix), calls=200)
    count = max(1, round(PERCENT / 100 * plain / product))
    print(count, count * product / plain)
"""
TEST = """
import pytest
import torch

import models

OTHERS = [
    "latency", "energy", "flops", "peak_memory", "resident_memory", "reserved_memory",
    "other_memory", "python_calls", "c_calls", "dispatches",
]


@pytest.mark.pareto(skip_metrics=OTHERS)
@pytest.mark.parametrize("kind", ["fp16-graph", "bf16"])
def test_vit(pareto, kind):
    graphed = kind == "fp16-graph"
    pareto.measure(models.build(torch.float16 if graphed else torch.bfloat16, graphed))
"""


def main() -> int:
    """Run the sessions, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--percent", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=math.inf)
    given = parser.parse_args()
    start = time.monotonic()
    folder: Path = given.folder
    state = folder / "state.json"
    if not state.exists():
        folder.mkdir(parents=True)
        _write(state, _record_baseline(folder, given.percent), [], [])
    products, unchanged, planted = json.loads(state.read_text())
    while min(len(unchanged), len(planted)) < given.sessions:
        if time.monotonic() - start > given.seconds:
            break
        if len(planted) < len(unchanged):
            planted.append(_session(folder, "planted", products))
        else:
            unchanged.append(_session(folder, "unchanged", "0"))
        _write(state, products, unchanged, planted)
    for name, sessions in (("unchanged", unchanged), ("planted", planted)):
        for case in sorted({case for outcomes in sessions for case in outcomes}):
            worse = sum(outcomes[case] for outcomes in sessions)
            print(f"{name}, {case}: WORSE in {worse} of {len(sessions)} sessions")
    false_alarms = any(worse for outcomes in unchanged for worse in outcomes.values())
    missed = not all(worse for outcomes in planted for worse in outcomes.values())
    return int(false_alarms or missed)


def _write(
    state: Path,
    products: str,
    unchanged: list[dict[str, bool]],
    planted: list[dict[str, bool]],
) -> None:
    state.write_text(json.dumps((products, unchanged, planted)))


def _record_baseline(folder: Path, percent: float) -> str:
    """Record the baseline; return the number of products that make ``percent`` of a call."""
    (folder / "models.py").write_text(MODEL)
    (folder / "test_vit.py").write_text(TEST)
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    planned = subprocess.run(
        [sys.executable, "models.py"],
        cwd=folder,
        env={**os.environ, "PERCENT": str(percent)},
        capture_output=True,
        text=True,
        check=True,
    )
    products, share = planned.stdout.split()
    print(f"planted: {products} products, {float(share):.2%} of an eager call by itself")
    _pytest(folder, "0", "--pareto-runs=8", "--pareto-update=all")
    _print_spread(folder)
    return products


def _session(folder: Path, name: str, products: str) -> dict[str, bool]:
    """Run a session; return whether device time is WORSE, by case."""
    result = folder / "result.json"
    result.unlink(missing_ok=True)
    start = time.monotonic()
    done = _pytest(folder, products, f"--pareto-json={result.name}")
    seconds = time.monotonic() - start
    worse = {}
    for row in json.loads(result.read_text())["metrics"]:
        if row["metric"] == "device_time":
            worse[row["case"]] = row["outcome"] == "WORSE"
            keys = ("case", "baseline", "candidate", "estimate", "low", "high", "resolution")
            print(name, row["outcome"], {key: row[key] for key in keys}, flush=True)
    print(f"== {name}: exit {done.returncode}, {seconds:.0f} s", flush=True)
    return worse


def _print_spread(folder: Path) -> None:
    """Print the spread of device time between the processes of the baseline, by case."""
    for file in sorted((folder / "pareto_baselines").glob("*/test_vit.json")):
        for name, case in json.loads(file.read_text())["cases"].items():
            [session] = case["metrics"]["device_time"]["sessions"]
            runs = session["runs"]
            spread = statistics.stdev(runs) / statistics.fmean(runs)
            print(f"{name}: {len(runs)} processes, spread {spread:.2%}, {runs}", flush=True)


def _pytest(folder: Path, products: str, *options: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--pareto", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PRODUCTS": products, "COLUMNS": "110"},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-3500:], done.stderr[-2000:], flush=True)
    return done


if __name__ == "__main__":
    sys.exit(main())
