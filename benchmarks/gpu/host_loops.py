"""Which little loop of the host has the same mood as a pipeline: launches, forwards or copies.

    python benchmarks/gpu/host_loops.py FILE     # correlations over the processes recorded there

`record.py` writes FILE with ``--loops``: after each call of a pipeline each loop runs once.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = {"sd15_fp16": 20, "ddim_small_fp32": 40}


def loops() -> dict[str, Callable[[], object]]:
    """Make the candidates, each of a few milliseconds."""
    import torch

    small = torch.zeros(8, device="cuda")
    layer = torch.nn.Sequential(*(torch.nn.Linear(32, 32) for _ in range(4))).cuda()
    tokens = torch.zeros(4, 32, device="cuda")
    on_host = torch.zeros(1024)

    def launches() -> None:
        for _ in range(300):
            small.add_(1)

    def forwards() -> None:
        with torch.inference_mode():
            for _ in range(40):
                layer(tokens)

    def copies() -> None:
        for _ in range(100):
            on_host.to("cuda")

    return {"launches": launches, "forwards": forwards, "copies": copies}


def beside(call: Callable[[], object], rounds: int) -> dict[str, list[float]]:
    """Time calls, and each loop once after each of them; seconds."""
    functions = {"call": call, **loops()}
    for function in functions.values():
        _timed(function)
        _timed(function)
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(float(f"{_timed(function):.5g}"))
    return times


def _timed(function: Callable[[], object]) -> float:
    import torch

    torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Print how each loop follows each pipeline over processes, and what it costs."""
    import numpy as np

    records = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    for workload in sorted({record["workload"] for record in records}):
        ours = [record for record in records if record["workload"] == workload]
        levels = {
            name: [statistics.fmean(np.log(record["times"][name])) for record in ours]
            for name in ours[0]["times"]
        }
        call = levels.pop("call")
        print(f"{workload}: {len(ours)} processes, sd of log latency {statistics.stdev(call):.1%}")
        for name, level in levels.items():
            r = np.corrcoef(call, level)[0, 1]
            print(f"  {name}: r = {r:.2f}, {1e3 * np.exp(np.mean(level)):.2f} ms a time")


if __name__ == "__main__":
    main()
