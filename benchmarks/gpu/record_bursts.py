"""Record device time of a large model at full load and in bursts with rests, in fresh processes.

    python benchmarks/gpu/record_bursts.py FILE [--processes 8]

Each process profiles ViT-L with random weights (a CUDA graph at batch 32, in both half formats, and
calls of some 0.25 s) back to back and in several patterns of bursts and rests, in random order, and
appends a line of JSON for each: the device time (ms) of every call, and the clocks (MHz) after the
bursts. Prints the spread between processes by pattern. Needs torch, torchvision and pynvml.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_pareto.measure.meters.device_time import read_activity
from pytest_pareto.measure.torch_profiler import profile_calls

GRAPHS = (None, (0.01, 0.10), (0.03, 0.15), (0.03, 0.05), (0.10, 0.40))
"""Patterns of short calls: seconds of a burst, and of the rest before it; None is back to back."""
LONG = (None, (0.0, 0.15), (0.0, 0.5))
"""Patterns of long calls, each of which is a burst of its own."""
BURSTS = 8


def main() -> None:
    """Record in fresh processes, or as one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--process", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.process is not None:
        record(given.file, given.process)
        return
    for number in range(given.processes):
        options = [str(given.file), "--process", str(number)]
        subprocess.run([sys.executable, __file__, *options], check=True)
    report(given.file)


def record(file: Path, process: int) -> None:
    """Record all patterns of all workloads in this process."""
    import torch
    from torchvision.models import vit_l_16  # type: ignore[import-not-found]  # of the GPU machine

    def graph(dtype: Any) -> Callable[[], object]:
        torch.manual_seed(0)
        model = vit_l_16().to("cuda", dtype).eval()
        images = torch.randn(32, 3, 224, 224, device="cuda", dtype=dtype)
        with torch.inference_mode():
            for _ in range(3):
                model(images)
            torch.cuda.synchronize()
            captured = torch.cuda.CUDAGraph()
            with torch.cuda.graph(captured):
                model(images)
        return lambda: (captured.replay(), model)  # the model has the weights of the graph

    def long() -> Callable[[], object]:
        torch.manual_seed(0)
        model = vit_l_16().to("cuda", torch.bfloat16).eval()
        images = torch.randn(1024, 3, 224, 224, device="cuda", dtype=torch.bfloat16)

        def call() -> object:
            with torch.inference_mode():
                return model(images)

        call()
        return call

    loads = (
        ("vit bf16", graph(torch.bfloat16), GRAPHS),
        ("vit fp16", graph(torch.float16), GRAPHS),
        ("vit long", long(), LONG),
    )
    order = [(name, call, pattern) for name, call, patterns in loads for pattern in patterns]
    random.Random(process).shuffle(order)
    clock = _clock_reader(torch)
    for name, call, pattern in order:
        times_ms, clocks = measure(torch, call, pattern, clock)
        line = {"process": process, "load": name, "pattern": pattern}
        with file.open("a") as lines:
            lines.write(json.dumps({**line, "ms": times_ms, "mhz": clocks}) + "\n")


def _clock_reader(torch: Any) -> Callable[[], int]:
    import pynvml

    pynvml.nvmlInit()
    uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}"
    board = pynvml.nvmlDeviceGetHandleByUUID(uuid)
    return lambda: int(pynvml.nvmlDeviceGetClockInfo(board, pynvml.NVML_CLOCK_SM))


def measure(
    torch: Any,
    call: Callable[[], object],
    pattern: tuple[float, float] | None,
    clock: Callable[[], int],
) -> tuple[list[float], list[int]]:
    """Return the device time (ms) of each call, and the clock (MHz) after each burst."""
    made, clocks = 0, []

    def burst(seconds: float) -> None:
        nonlocal made
        start = time.perf_counter()
        while True:
            call()
            torch.cuda.synchronize()
            made += 1
            if time.perf_counter() - start >= seconds:
                break
        clocks.append(clock())

    def bursts(count: int) -> None:
        assert pattern is not None
        for _ in range(count):
            time.sleep(pattern[1])
            burst(pattern[0])

    def window() -> None:
        nonlocal made
        made = 0
        clocks.clear()
        if pattern is None:
            burst(1.0)
        else:
            bursts(BURSTS)

    activity = read_activity(
        profile_calls((lambda: burst(0.5)) if pattern is None else (lambda: bursts(2)), window)
    )
    each = activity.per_call(made) or (activity.device_s / made,) * made
    return [round(s * 1e3, 4) for s in each], clocks


def report(file: Path) -> None:
    """Print for each pattern the mean, and the spread and range of means between processes."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for line in lines:
        groups.setdefault((line["load"], str(line["pattern"])), []).append(line)
    for (load, pattern), runs in sorted(groups.items()):
        for name, level in (("mean", statistics.fmean), ("median", statistics.median)):
            levels = [level(run["ms"]) for run in runs]
            middle = statistics.fmean(levels)
            spread = statistics.stdev(levels) / middle if len(levels) > 1 else 0.0
            width = (max(levels) - min(levels)) / middle
            clocks = sorted({clock for run in runs for clock in run["mhz"]})
            print(
                f"{load} {pattern:12} {name:6} {middle:8.3f} ms, spread {spread:.2%}, "
                f"range {width:.2%}, {clocks[0]}-{clocks[-1]} MHz, {len(runs[0]['ms'])} calls"
            )


if __name__ == "__main__":
    os.environ.setdefault("TEARDOWN_CUPTI", "1")
    main()
