"""Whether 1 % more kernel work is found, and unchanged code is left alone, process by process.

    python benchmarks/gpu/planted_kernel.py run FILE      # 15 fresh processes, then the verdicts
    python benchmarks/gpu/planted_kernel.py judge FILE    # the verdicts again
    python benchmarks/gpu/planted_kernel.py               # one process: seconds of both kinds

Each process measures the device time of a small pipeline as it is, and with one more matrix
product in every call. Five processes are the baseline; each of the other ten is judged alone.
"""

import json
import subprocess
import sys
from pathlib import Path

_BASELINE = 5
_PROCESSES = 15


def measure() -> None:
    """Print the device time (s) of one call, without and with the planted work."""
    import torch
    from workloads import ddim_small

    from pytest_pareto.measure.measurement import measure_call
    from pytest_pareto.measure.meters.device_time import DeviceTimeMeter

    call = ddim_small()
    matrix = torch.randn(1792, 1792, device="cuda")

    def planted() -> object:
        torch.mm(matrix, matrix)
        return call()

    found: dict[str, object] = {}
    for name, function in (("unchanged", call), ("planted", planted)):
        _, (measured, *_) = measure_call(function, (), {}, meters=[DeviceTimeMeter()])
        assert measured.absent is None, measured.absent
        found[name] = measured.values
    for _ in range(20):  # the GPU is at work while its clock is read
        call()
    found["sm_clock_mhz"], found["temperature_c"] = (
        torch.cuda.clock_rate(),
        torch.cuda.temperature(),
    )
    print(json.dumps(found))


def run(file: Path) -> None:
    """Collect what fresh processes measure."""
    found = []
    for _ in range(_PROCESSES):
        done = subprocess.run(
            [sys.executable, __file__], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        found.append(json.loads(done.stdout.splitlines()[-1]))
        file.write_text(json.dumps(found))


def judge(file: Path) -> None:
    """Judge every further process alone against the baseline, at a tolerance of 0.5 %."""
    from pytest_pareto import compare_runs

    found = json.loads(file.read_text())
    baseline = [each["unchanged"] for each in found[:_BASELINE]]
    for kind in ("unchanged", "planted"):
        changes = [
            compare_runs(baseline, [each[kind]], tolerance=0.005, session_spread=0.0005)
            for each in found[_BASELINE:]
        ]
        worse = sum(change.outcome.name == "WORSE" for change in changes)
        estimates = ", ".join(f"{change.estimate:+.3%}" for change in changes)
        print(f"{kind}: {worse} of {len(changes)} WORSE; {estimates}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(Path(sys.argv[2]))
    if len(sys.argv) > 1:
        judge(Path(sys.argv[2]))
    else:
        measure()
