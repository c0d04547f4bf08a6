"""Plant causes and compare: does the attribution of what moved name the cause first.

    python benchmarks/gpu/attribution.py FOLDER [--pairs 3] [--option=...]

Records a baseline of two runs, then compares a session with one planted cause in each case, and an
unchanged one. For each metric of a case that moved it prints the first three contributions, and
whether one of them names the cause, and how much of the change they leave. Then it measures in
pairs of sessions, with the pass that profiles calls and without, in turn: the share of its seconds,
and whether other readings differ by more than they scatter. Cases on the GPU need CUDA; without it
those on the CPU run alone.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

TESTS = """
import os

import pytest
import torch
from torch import nn

PLANT = os.environ.get("PLANT") == "1"
CUDA = torch.cuda.is_available()
MiB = 2**20
pytestmark = pytest.mark.pareto(rounds=None)


class Block(nn.Module):
    def __init__(self, width, extra=False):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        self.adapter = nn.Linear(width, width) if extra else None

    def forward(self, x):
        y = self.down(nn.functional.gelu(self.up(self.norm(x))))
        return x + (y if self.adapter is None else self.adapter(y))


class Stack(nn.Module):
    def __init__(self, width=512, depth=12, extra=False):
        super().__init__()
        self.layers = nn.ModuleList(Block(width, extra) for _ in range(depth))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Stack().to(torch.bfloat16)
        self.decoder = Stack()
        if not PLANT:
            self.decoder.to(torch.bfloat16)

    def forward(self, x):
        y = self.encoder(x)
        return self.decoder(y.to(self.decoder.layers[0].up.weight.dtype))


class Attention(nn.Module):
    def __init__(self, width=512, heads=8):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if PLANT:
            weights = torch.softmax(q @ k.transpose(-1, -2) / (d // self.heads) ** 0.5, -1)
            y = weights @ v
        else:
            y = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(y.transpose(1, 2).reshape(n, t, d))


class Holder(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = Stack()
        self.register_buffer("kept", torch.zeros(48 * MiB // 2 if PLANT else 0))

    def forward(self, x):
        return self.body(x)


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(512, 512)
        self.wide = nn.Linear(512, 8192 if PLANT else 4096)
        self.back = nn.Linear(8192 if PLANT else 4096, 512)

    def forward(self, x):
        return self.back(torch.relu(self.wide(torch.relu(self.inner(x)))))


class Converted(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(512, 2048)
        self.last = nn.Linear(2048, 512)

    def forward(self, x):
        y = torch.relu(self.first(x))
        if PLANT:
            y = y.double().sqrt().float()
        return self.last(y)


class Looped(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(256, 256)

    def forward(self, x):
        if PLANT:
            return torch.stack([self.score(row) for row in x])
        return self.score(x)


def measure(pareto, fn, *args, **kwargs):
    with torch.inference_mode():
        return pareto.measure(fn, *args, **kwargs)


def cuda(make, dtype=torch.float16):
    torch.manual_seed(0)
    return make().to("cuda", dtype).eval() if dtype else make().to("cuda").eval()


on_gpu = pytest.mark.skipif(not CUDA, reason="needs CUDA")


@on_gpu
def test_decoder_in_fp32(pareto):
    x = torch.randn(2048, 512, device="cuda", dtype=torch.bfloat16)
    measure(pareto, cuda(AutoEncoder, None), x)


@on_gpu
def test_one_more_module(pareto):
    x = torch.randn(64, 512, device="cuda", dtype=torch.float16)
    measure(pareto, cuda(lambda: Stack(extra=PLANT)), x)


@on_gpu
def test_unpinned_copy(pareto):
    host = torch.randn(4096, 1024)
    host = host if PLANT else host.pin_memory()
    net = cuda(lambda: nn.Linear(1024, 1024), torch.float32)
    measure(pareto, lambda: net(host.to("cuda", non_blocking=True)))


@on_gpu
def test_wait_in_the_loop(pareto):
    net, x = cuda(lambda: Stack(depth=4)), torch.randn(64, 512, device="cuda", dtype=torch.float16)

    def loop():
        y, total = x, 0.0
        for _ in range(8):
            y = net(y)
            if PLANT:
                total += y[0, 0].item()
        return y, total

    measure(pareto, loop)


@on_gpu
def test_48_mib_held(pareto):
    x = torch.randn(64, 512, device="cuda", dtype=torch.float16)
    measure(pareto, cuda(Holder), x)


@on_gpu
def test_attention_in_parts(pareto):
    x = torch.randn(8, 512, 512, device="cuda", dtype=torch.float16)
    measure(pareto, cuda(Attention), x)


@on_gpu
def test_cache_emptied(pareto):
    net = cuda(lambda: Stack(depth=4))
    x = torch.randn(4096, 512, device="cuda", dtype=torch.float16)

    def call():
        y = net(x)
        if PLANT:
            torch.cuda.empty_cache()
        return y

    measure(pareto, call)


def test_cpu_dense_doubled(pareto):
    measure(pareto, Dense().eval(), torch.rand(64, 512))


def test_cpu_conversion(pareto):
    measure(pareto, Converted().eval(), torch.rand(256, 512))


def test_cpu_loop_over_rows(pareto):
    measure(pareto, Looped().eval(), torch.rand(64, 256))
"""

CONFTEST = """
import os
import time
from pathlib import Path

from pytest_pareto.measure.torch_profiler import CallProfiler

explain = CallProfiler.explain


def timed(self, calls, measurements):
    started = time.perf_counter()
    try:
        return explain(self, calls, measurements)
    finally:
        with Path("seconds.txt").open("a") as file:
            file.write(f"{time.perf_counter() - started}\\n")


def skipped(self, calls, measurements):
    return tuple(measurements)


CallProfiler.explain = skipped if os.environ.get("UNPROFILED") else timed
"""

CAUSES = {
    "test_decoder_in_fp32": r"decoder",
    "test_one_more_module": r"adapter",
    "test_unpinned_copy": r"Pageable|cudaMemcpyAsync",
    "test_wait_in_the_loop": r"cudaStreamSynchronize|_local_scalar_dense|aten::item",
    "test_48_mib_held": r"kept in Holder",
    "test_attention_in_parts": r"softmax|bmm|matmul|mul",
    "test_cache_emptied": r"cudaMalloc|cudaFree",
    "test_cpu_dense_doubled": r"wide|back",
    "test_cpu_conversion": r"_to_copy|copy_|sqrt|Converted",
    "test_cpu_loop_over_rows": r"score|stack|Looped|Linear",
}
"""What the cause of each plant is called, as a regular expression."""


def session(
    folder: Path, options: list[str], *, name: str, plant: bool = False, profiled: bool = True
) -> dict[str, Any]:
    """Run a session; return its results."""
    file = folder / f"{name}.json"
    environment = os.environ | {"PLANT": str(int(plant)), "PYTHONDONTWRITEBYTECODE": "1"}
    environment["UNPROFILED"] = "" if profiled else "1"
    command = [sys.executable, "-m", "pytest", "--pareto", f"--pareto-json={file}", *options]
    print(f"\n== {name}", flush=True)
    code = subprocess.run(command, cwd=folder, env=environment, check=False).returncode
    if code not in (0, 1):
        sys.exit(f"exit code {code}")
    results: dict[str, Any] = json.loads(file.read_text())
    return results


def shown(results: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Return the names of the first three contributions, by test and metric that moved."""
    found: dict[str, dict[str, list[str]]] = {}
    for record in results["metrics"]:
        if record.get("attribution"):
            three = record["attribution"]["contributions"][:3]
            test = record["case"].rpartition("::")[2]
            found.setdefault(test, {})[record["metric"]] = [each["name"] for each in three]
    return found


def print_causes(planted: dict[str, Any]) -> tuple[int, int]:
    """Print what each plant is attributed to; return how many causes are named, and of how many."""
    named = 0
    attributed = shown(planted)
    tests = [name for name in CAUSES if any(r["case"].endswith(name) for r in planted["metrics"])]
    for test in tests:
        metrics = attributed.get(test, {})
        hits = {m for m, names in metrics.items() if re.search(CAUSES[test], " ".join(names))}
        named += bool(hits)
        print(f"{'named ' if hits else 'MISSED'} {test}: {len(hits)} of {len(metrics)} metrics")
        for metric, names in metrics.items():
            print(f"    {'+' if metric in hits else '-'} {metric}: {' | '.join(names)}")
    return named, len(tests)


def print_rests(planted: dict[str, Any]) -> None:
    """Print how much of each change the parts of a profile leave unexplained."""
    for record in planted["metrics"]:
        found = record.get("attribution")
        if found and found["total"]:
            share = found["unexplained"] / found["total"]
            case = record["case"].rpartition("::")[2]
            print(f"    {case} {record['metric']}: {share:+.1%} of the change is in no profile")


def compare_pairs(folder: Path, options: list[str], pairs: int) -> None:
    """Measure with the pass and without it in turn; print its cost and how readings differ."""
    levels: dict[bool, dict[tuple[str, str], list[float]]] = {True: {}, False: {}}
    shares = []
    for number in range(2 * pairs):
        profiled = number % 4 in (0, 3)
        seconds_file = folder / "seconds.txt"
        seconds_file.unlink(missing_ok=True)
        results = session(folder, options, name=f"pair{number}", profiled=profiled)
        if profiled:
            spent = sum(map(float, seconds_file.read_text().split()))
            shares.append(spent / results["session"]["duration_s"])
        for record in results["metrics"]:
            if record["metric"] in ("latency", "device_time") and record["candidate"]:
                key = record["case"].rpartition("::")[2], record["metric"]
                levels[profiled].setdefault(key, []).append(record["candidate"])
    print("the pass takes", ", ".join(f"{share:.1%}" for share in shares), "of the sessions")
    for key, found in levels[True].items():
        other = levels[False][key]
        change = statistics.fmean(found) / statistics.fmean(other) - 1
        spread = [statistics.stdev(each) / statistics.fmean(each) for each in (found, other)]
        error = (sum(each**2 for each in spread) / pairs) ** 0.5
        print(f"    {' '.join(key)}: {change:+.1%} with the pass, standard error {error:.1%}")


def main() -> int:
    """Run the sessions; return 1 where fewer than nine tenths of the causes are named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=3)
    given, options = parser.parse_known_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test_plants.py").write_text(TESTS)
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\n")
    session(folder, ["--pareto-update=all", "--pareto-runs=2", *options], name="baseline")
    quick = ["--pareto-confirm=0", *options]
    planted = session(folder, quick, name="planted", plant=True)
    unchanged = session(folder, quick, name="unchanged")
    if given.pairs:
        compare_pairs(folder, quick, given.pairs)
    named, tests = print_causes(planted)
    print_rests(planted)
    print(f"{named} of {tests} causes named; unchanged: {shown(unchanged) or 'no attribution'}")
    return int(named < 0.9 * tests)


if __name__ == "__main__":
    sys.exit(main())
