"""Whether telling where a measurement stands changes what is measured.

    python benchmarks/telling.py [calls]

Makes short calls, of which about every tenth comes right after something was told: a line
appended to a file, as a fresh process does, and one written to the terminal. In a session that is
one call in a second. Prints what the calls after telling took beside the nine others around them,
which met the same machine, with a 95 % interval; and what telling costs, due or not, outside of
them.
"""

import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t as student

from pytest_pareto.measure import plan as loop_plan
from pytest_pareto.measure.loop import first_call, steady_rounds, warm_up
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.plan import LoopPlan, LoopProgress, ProgressReporter
from pytest_pareto.model.metric import LATENCY

TENTH = 10


def work() -> Callable[[], object]:
    """Return a call of about a millisecond, on the GPU if there is one."""
    if torch.cuda.is_available():
        x = torch.randn(4096, 4096, device="cuda", dtype=torch.float16)
        return lambda: [x @ x for _ in range(4)]
    matrix = np.random.default_rng(0).standard_normal((300, 300))
    return lambda: matrix @ matrix


class Listener:
    """Does what a fresh process and the terminal above it do, and remembers when."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.ended_ns: list[int] = []
        self.costs_s: list[float] = []

    def __call__(self, where: LoopProgress) -> None:
        """Tell."""
        began_ns = time.perf_counter_ns()
        text = f"pareto: test_it: {where.doing}, call {where.done}, about {where.rest_s} s left"
        with self._file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"standing": text}) + "\n")
        sys.stderr.write(f"\r{text}")
        sys.stderr.flush()
        self.ended_ns.append(time.perf_counter_ns())
        self.costs_s.append((self.ended_ns[-1] - began_ns) / 1e9)


def main(count: int) -> None:
    """Print what telling does to the next call, and what it costs."""
    call = work()
    with tempfile.TemporaryDirectory() as folder:
        listener = Listener(Path(folder, "lines.jsonl"))
        plan = LoopPlan(rounds=count, warmup=200)
        calls = Calls(
            call, lambda: ((), {}), clock=time.perf_counter_ns, plan=plan, on_progress=listener
        )
        first_call(calls)
        calls.begin((LATENCY,))
        warm_up(calls)
        start_s = time.perf_counter()
        for _ in range(100):
            call()
        calls.device.synchronize()
        loop_plan.MIN_REPORT_INTERVAL_NS = round(1e7 * (time.perf_counter() - start_s)) * TENTH
        told_before = len(listener.ended_ns)
        rounds = steady_rounds(calls)
    told = listener.ended_ns[told_before:]
    starts = [each.start_ns for each in rounds]
    after = set(np.searchsorted(starts, told).tolist()) - {0, len(rounds)}
    logs = []
    for place in sorted(after):
        near = [n for n in range(place - 5, place + 6) if 0 <= n < len(rounds) and n not in after]
        around_s = statistics.median(rounds[n].wall_s for n in near)
        logs.append(math.log(rounds[place].wall_s / around_s))
    # A call that something else on the machine stalled says nothing: the middle half does.
    middle = sorted(logs)[len(logs) // 4 : -(len(logs) // 4)]
    half = (
        float(student.ppf(0.975, len(middle) - 1)) * statistics.stdev(middle) / len(middle) ** 0.5
    )
    typical_s = statistics.median(each.wall_s for each in rounds)
    print(f"\n{len(rounds)} calls of {1e3 * typical_s:.3f} ms, {len(logs)} of them after telling")
    print(f"these took {100 * statistics.fmean(middle):+.2f} % ± {100 * half:.2f} %")
    print(f"telling took {1e6 * statistics.median(listener.costs_s):.0f} µs, between calls")
    print(f"not telling took {1e9 * not_due_s():.0f} ns, between calls")


def not_due_s(times: int = 100_000) -> float:
    """Return the seconds that asking takes where it is not time to tell."""
    progress_reporter = ProgressReporter(lambda _: None)
    started_s = time.perf_counter()
    for _ in range(times):
        progress_reporter.between(0, LoopProgress)  # type: ignore[arg-type]  # it is never called
    return (time.perf_counter() - started_s) / times


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
