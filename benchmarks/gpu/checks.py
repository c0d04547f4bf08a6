"""Check the meters against hand-written loops, in one process on one GPU.

    python benchmarks/gpu/checks.py [latency] [overhead] [device_time] [energy]

Prints ratios. The loops beside which latency stands share nothing with the meter; device time
stands beside torch's own sum of the same trace.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule
from workloads import Call, block, ddim_small, sd15

from pytest_pareto.measure.loop import one_round, steady_rounds, warm_up
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.meters.device_time import DeviceTimeMeter
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.plan import LoopPlan


def latency() -> None:
    """One of our rounds and one by hand, in turn: the median of the ratios of neighbours."""
    for name, call, pairs in (
        ("ddim", ddim_small(), 150),
        ("block", block(), 150),
        ("short block", _short(), 3000),
    ):
        calls = _calls(call)
        events = calls.device.event_pair()
        warm_up(calls)
        rounds = [(one_round(calls, events), _by_hand(call)) for _ in range(pairs)]
        wall = [ours.wall_s / theirs_s for ours, (theirs_s, _) in rounds]
        event = [(ours.event_s or 0.0) / theirs_s for ours, (_, theirs_s) in rounds]
        print(f"latency {name}: ours / by hand - 1: wall {_middle(wall)}, events {_middle(event)}")


def overhead() -> None:
    """What a round costs beside an empty call, and the same by hand."""
    torch.cuda.synchronize()
    calls = _calls(lambda: None, rounds=20_000, warmup=1_000)
    _by_hand_loop(1_000)
    warm_up(calls)
    differences = []
    for _ in range(7):
        start = time.perf_counter()
        steady_rounds(calls)
        ours_s = time.perf_counter() - start
        start = time.perf_counter()
        _by_hand_loop(20_000)
        differences.append((ours_s - (time.perf_counter() - start)) / 20_000 * 1e6)
    print(
        f"overhead: {statistics.median(differences):.1f} us a call more than by hand "
        f"(seven turns: {min(differences):.1f} to {max(differences):.1f})"
    )


def device_time() -> None:
    """Compare the meter with torch's own sums of the very same windows."""
    for name, call in (("sd15", sd15()), ("ddim", ddim_small()), ("block", block())):
        made = _Counted(call)
        ratios, kernels = [], []
        for _ in range(3):
            sums: list[tuple[float, float]] = []
            meter = DeviceTimeMeter(profile=partial(_profile_and_sum, made, sums))
            _, (measured, counted, *_) = measure_call(made, (), {}, meters=[meter])
            time_s, number = sums[-1]
            ratios.append(statistics.fmean(measured.values) / time_s - 1)
            kernels.append((counted.values[0], number))
        print(
            f"device_time {name}: ours / torch's own sum - 1: "
            + ", ".join(f"{ratio:+.4%}" for ratio in ratios)
            + f"; kernels {kernels}"
        )


def energy() -> None:
    """Twice the work, in turn with once."""
    once = block()

    def twice() -> None:
        once()
        once()

    for _ in range(2):
        readings = []
        for call in (once, twice):
            _, measurements = measure_call(call, (), {}, meters=[SteadyMeter()])
            (found,) = [each for each in measurements if each.metric.name == "energy"]
            print(f"energy: {found.values} J {found.notes} {found.absent}")
            readings.append(found.values[0])
        print(f"energy: twice the work takes {readings[1] / readings[0]:.3f} times the energy")


def _short() -> Call:
    """Build some 2 ms of matrix products, far below the power limit: the quietest work there is."""
    matrix = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)

    def call() -> None:
        for _ in range(8):
            torch.mm(matrix, matrix)

    return call


def _calls(call: Call, **plan: int) -> Calls:
    return Calls(call, lambda: ((), {}), clock=time.perf_counter_ns, plan=LoopPlan(**plan))


def _by_hand(call: Call) -> tuple[float, float]:
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    first.record()
    start = time.perf_counter()
    call()
    last.record()
    torch.cuda.synchronize()
    return time.perf_counter() - start, first.elapsed_time(last) / 1e3


def _by_hand_loop(rounds: int) -> None:
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    times = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        first.record()
        start = time.perf_counter()
        last.record()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start, first.elapsed_time(last)))


class _Counted:
    """A call that counts how often it is made."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.count = 0

    def __call__(self) -> None:
        self.count += 1
        self._call()


def _profile_and_sum(
    made: _Counted,
    sums: list[tuple[float, float]],
    settle: Callable[[], None],
    window: Callable[[], None],
) -> bytes:
    """Profile a window as the meter does, and sum up by torch's own averages what was seen.

    One window for both: under a power cap the clock differs from one window to the next.
    Adds seconds and kernels of a call to ``sums``.
    """
    os.environ.setdefault("TEARDOWN_CUPTI", "1")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "trace.json")
        calls = 0

        def ready(done: profile) -> None:
            on_gpu = [each for each in done.key_averages() if each.self_device_time_total]
            kept = [each for each in on_gpu if "HtoD" not in each.key and "DtoH" not in each.key]
            time_us = sum(each.self_device_time_total for each in kept)
            kernels = sum(each.count for each in kept if not each.key.startswith("Mem"))
            sums.append((time_us / calls / 1e6, kernels / calls))
            done.export_chrome_trace(str(file))

        with profile(
            activities=[ProfilerActivity.CUDA],
            schedule=schedule(wait=0, warmup=1, active=1, repeat=1),
            on_trace_ready=ready,
        ) as active:
            settle()
            active.step()
            before = made.count
            window()
            calls = made.count - before
            active.step()
        return file.read_bytes()


def _middle(ratios: list[float]) -> str:
    medians = [statistics.median(random.choices(ratios, k=len(ratios))) for _ in range(400)]
    error = statistics.stdev(medians)
    return f"{statistics.median(ratios) - 1:+.2%} (standard error {error:.2%}, n = {len(ratios)})"


CHECKS: dict[str, Callable[[], None]] = {
    "latency": latency,
    "overhead": overhead,
    "device_time": device_time,
    "energy": energy,
}

if __name__ == "__main__":
    for check in sys.argv[1:] or CHECKS:
        with torch.no_grad():
            CHECKS[check]()
