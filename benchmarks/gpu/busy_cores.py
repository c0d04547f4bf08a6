"""What a process that uses a GPU waits for the host's cores: alone, and beside busy loops.

Windows of a small network, where the host is the bottleneck, and of a large product, where the GPU
is. A quiet host must be seen as quiet, although the process then hardly runs. Beside two busy loops
for each core the latency of the small network must be refused, while the times of kernels stand.
Exits with 1 where a bound is missed.

    python benchmarks/gpu/busy_cores.py [--windows 6] [--device cuda]
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from pytest_pareto.compare.levels import waited_too_long
from pytest_pareto.measure.machine import usable_cores
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meters.device_time import DeviceTimeMeter
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.model.metric import DEVICE_TIME, ENERGY, LATENCY
from pytest_pareto.model.run import Measurement

QUIET = 0.02
KERNEL_TOLERANCE = 0.02
Call = Callable[[], object]


def workloads(device: str) -> dict[str, Call]:
    """Make the calls: of a small network, and of a large product."""
    torch.manual_seed(0)
    half = torch.float16 if device == "cuda" else torch.float32
    size = 8192 if device == "cuda" else 512
    layers = [torch.nn.Linear(64, 64) for _ in range(200)]
    small = torch.nn.Sequential(*layers).to(device, half).eval()
    tokens = torch.randn(8, 64, device=device, dtype=half)
    matrix = torch.randn(size, size, device=device, dtype=half)

    def host_bound() -> object:
        with torch.inference_mode():
            return small(tokens)

    def device_bound() -> object:
        for _ in range(20):
            product = matrix @ matrix
        return product

    return {"host-bound": host_bound, "device-bound": device_bound}


def window(call: Call) -> dict[str, Measurement]:
    """Measure one window, and print what it waited."""
    meters = (SteadyMeter(), DeviceTimeMeter())
    skip = frozenset({ENERGY.name})
    plan = LoopPlan(max_rounds=1000)
    _, found = measure_call(call, (), {}, meters=meters, plan=plan, skip=skip)
    measured = {each.metric.name: each for each in found if each.values}
    latency = measured[LATENCY.name]
    text = f"    latency {1e3 * statistics.median(latency.values):8.3f} ms, "
    if (kernels := measured.get(DEVICE_TIME.name)) is not None:
        text += f"kernels {1e3 * statistics.median(kernels.values):8.3f} ms, "
    waited = "unknown" if latency.waited is None else f"{latency.waited:.2%}"
    print(f"{text}waited {waited}: {latency.notes[-1]}", flush=True)
    return measured


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Run so many processes that never rest."""
    command = (sys.executable, "-c", "while True: pass")
    loops = [subprocess.Popen(command) for _ in range(count)]
    try:
        time.sleep(1)
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def windows(name: str, call: Call, count: int) -> tuple[list[Measurement], float | None]:
    """Measure windows; return their latencies, and the median time of the kernels."""
    print(name)
    found = [window(call) for _ in range(count)]
    times = [each[DEVICE_TIME.name].values for each in found if DEVICE_TIME.name in each]
    kernels = statistics.median(map(statistics.median, times)) if times else None
    return [each[LATENCY.name] for each in found], kernels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--windows", type=int, default=6)
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    calls, missed = workloads(arguments.device), []
    alone: dict[str, float | None] = {}
    for name, call in calls.items():
        latencies, alone[name] = windows(f"{name}, alone", call, arguments.windows)
        if any(each.waited is None or each.waited > QUIET for each in latencies):
            missed.append(f"{name} on a quiet host is not known to wait less than {QUIET:.0%}")
    loops = 2 * usable_cores()
    with busy_loops(loops):
        for name, call in calls.items():
            title = f"{name}, beside {loops} busy loops"
            latencies, kernels = windows(title, call, arguments.windows)
            if name == "host-bound" and not all(map(waited_too_long, latencies)):
                missed.append(f"{name} beside busy loops was let through")
            if kernels is not None and (before := alone[name]) is not None:
                change = kernels / before - 1
                print(f"    kernels took {change:+.2%} more than alone")
                if abs(change) > KERNEL_TOLERANCE:
                    missed.append(f"{name}: the loops changed the kernels by {change:+.1%}")
    for text in missed:
        print(f"missed: {text}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
