"""Memory of cases in every selection and order of their tests, to the byte.

    python benchmarks/gpu/memory.py [FOLDER] [--device cpu]

Records a baseline of `memory_session`, and judges unchanged code in fresh processes: parts of the
tests, reversed, shuffled, and what failed last. Each case must have the same figures to the byte.
Then 48 MiB are planted beside the model of 1.1 billion parameters in three ways, and within its
calls: WORSE by exactly that. Prints the figures; the exit code is 1 where any of this does not
hold. Needs torch; nothing is downloaded. ``--device cpu`` runs a toy on the processor.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

HERE = Path(__file__).parent
DEVICE = os.environ.get("DEVICE", "cuda")
DTYPE = torch.float16 if DEVICE == "cuda" else torch.float32
PEAK = "peak_memory" if DEVICE == "cuda" else "host_peak_memory"
METRICS = (PEAK, "resident_memory")
PAD = 48 * 2**20
Sizes = dict[str, Any]
SIZES: Sizes = {
    "cuda": {
        "model": {"layers": 22, "width": 2048, "heads": 32, "hidden": 4608, "words": 32_000},
        "words": 32_000,
        "prompt": 512,
        "batch": 1024,
        "widths": (1024, 1536),
    },
    "cpu": {
        "model": {"layers": 2, "width": 64, "heads": 2, "hidden": 128, "words": 500},
        "words": 500,
        "prompt": 32,
        "batch": 8,
        "widths": (64, 96),
    },
}[DEVICE]
Figures = Mapping[str, Mapping[str, float]]


def planted(place: str) -> torch.Tensor | None:
    """Return 48 MiB where `PLANTED` names this place, else None."""
    if os.environ.get("PLANTED") != place:
        return None
    return torch.empty(PAD, dtype=torch.uint8, device=DEVICE)


class Layer(torch.nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    """Attention with a cache of keys and values, and a gated product."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.attend = torch.nn.Linear(width, 3 * width, bias=False)
        self.join = torch.nn.Linear(width, width, bias=False)
        self.gate = torch.nn.Linear(width, 2 * hidden, bias=False)
        self.reduce = torch.nn.Linear(hidden, width, bias=False)

    def forward(self, x: Any, past: Any) -> tuple[Any, Any]:
        """Return the result, and the keys and values so far."""
        batch, length, width = x.shape
        parts = self.attend(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, *current = parts
        if past is not None:
            current = [torch.cat(pair, dim=2) for pair in zip(past, current, strict=True)]
        attended = functional.scaled_dot_product_attention(
            query, current[0], current[1], is_causal=past is None
        )
        x = x + self.join(attended.transpose(1, 2).reshape(batch, length, width))
        gate, value = self.gate(x).chunk(2, dim=-1)
        return x + self.reduce(functional.silu(gate) * value), current


class Llama(torch.nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    """A language model with random weights."""

    def __init__(self, layers: int, width: int, heads: int, hidden: int, words: int) -> None:
        super().__init__()
        before = torch.get_default_dtype()
        torch.set_default_dtype(DTYPE)
        try:
            with torch.device(DEVICE):
                self.embed = torch.nn.Embedding(words, width)
                self.layers = torch.nn.ModuleList(
                    Layer(width, heads, hidden) for _ in range(layers)
                )
                self.predict = torch.nn.Linear(width, words, bias=False)
        finally:
            torch.set_default_dtype(before)
        self.beside = planted("attribute")

    def forward(self, tokens: Any, past: Sequence[Any] | None = None) -> tuple[Any, Sequence[Any]]:
        """Return the next tokens, and the keys and values so far."""
        temporary = planted("call")
        x = self.embed(tokens)
        pasts = []
        for number, layer in enumerate(self.layers):
            x, current = layer(x, None if past is None else past[number])
            pasts.append(current)
        del temporary
        return self.predict(x[:, -1:]).argmax(-1), pasts

    def generate(self, tokens: Any, steps: int) -> Any:
        """Return so many tokens after a prompt."""
        found, past = self(tokens)
        for _ in range(steps - 1):
            found, past = self(found, past)
        return found


def session(folder: Path, name: str, *options: str, **environment: str) -> tuple[int, Figures, Any]:
    """Run pytest once; return the exit code, the figures by case, and the outcomes."""
    report = folder / f"{name}.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--pareto", "--pareto-confirm=1"),
            *(f"--pareto-baseline={folder / 'baseline'}", f"--pareto-json={report}"),
            *(f"-ocache_dir={folder / 'cache'}", *options),
        ],
        cwd=HERE / "memory_session",
        env={**os.environ, "COLUMNS": "100", "DEVICE": DEVICE, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    (folder / f"{name}.txt").write_text(done.stdout, encoding="utf-8")
    if not report.exists():
        raise SystemExit(done.stdout)
    figures: dict[str, dict[str, float]] = {}
    outcomes: dict[tuple[str, str], str] = {}
    for row in json.loads(report.read_text(encoding="utf-8"))["metrics"]:
        case = row["case"].partition("::")[2]
        if row["metric"] in METRICS and row.get("candidate") is not None:
            figures.setdefault(case, {})[row["metric"]] = row["candidate"]
            outcomes[case, row["metric"]] = row["outcome"]
    return done.returncode, figures, outcomes


class Check:
    """Prints what each session came to, and counts what did not hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wrong = 0
        self.expected: Figures = {}

    def report(self, name: str, text: str, *, good: bool) -> None:
        """Print one line, and count it where it is wrong."""
        print(f"{'as expected' if good else 'WRONG':11}  {name}: {text}", flush=True)
        self.wrong += not good

    def baseline(self) -> None:
        """Record the figures of a session of all tests."""
        options = ("--pareto-update=all", "--pareto-runs=1")
        code, self.expected, _ = session(self.folder, "baseline", *options)
        for case, values in sorted(self.expected.items()):
            print(f"{case:24}", *(f"{name} {value:,.0f} B" for name, value in values.items()))
        complete = all(len(values) == len(METRICS) for values in self.expected.values())
        good = code == 0 and complete and len(self.expected) >= 6
        self.report("baseline", f"exit code {code}, {len(self.expected)} cases", good=good)

    def unchanged(self, name: str, *options: str, **environment: str) -> None:
        """Run unchanged code; its cases must have the figures of the baseline."""
        code, found, _ = session(self.folder, name, *options, **environment)
        others = {case for case, values in found.items() if values != self.expected[case]}
        good = code == 0 and bool(found) and not others
        same = len(found) - len(others)
        self.report(name, f"exit code {code}, {same} of {len(found)} cases the same", good=good)
        for case in sorted(others):
            print(f"    {case}: {found[case]} instead of {self.expected[case]}")

    def planted(self, place: str, metric: str, *options: str) -> None:
        """Plant 48 MiB, which must be WORSE by exactly that and fail the build."""
        name = f"planted-{place}"
        code, found, outcomes = session(self.folder, name, *options, PLANTED=place)
        for case, values in sorted(found.items()):
            more = values[metric] - self.expected[case][metric]
            outcome = outcomes[case, metric]
            text = f"{case}: {metric} +{more:,.0f} B ({more / 2**20:g} MiB), {outcome}"
            good = code == 1 and outcome == "WORSE" and more == PAD
            self.report(f"{name}, exit code {code}", text, good=good)


def run(folder: Path) -> int:
    """Run all sessions; return the number of checks that failed."""
    check, start_s = Check(folder), time.monotonic()
    check.baseline()
    check.planted("attribute", "resident_memory", "-k", "prefill or decode")
    check.unchanged("last-failed", "--lf")
    check.unchanged("eager", "-k", "eager")
    check.unchanged("decode-and-graph", "-k", "decode or graph")
    check.unchanged("reversed", ORDER="reversed")
    check.unchanged("shuffled", ORDER="1")
    for place, metric in (
        ("generator", "resident_memory"),
        ("local", "resident_memory"),
        ("call", PEAK),
    ):
        check.planted(place, metric, "-k", "prefill")
    print(f"{DEVICE}: {check.wrong} wrong, {time.monotonic() - start_s:.0f} s")
    return check.wrong


def main() -> None:
    """Run on the device that is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--device", choices=("cuda", "cpu"), default=DEVICE)
    given = parser.parse_args()
    if given.device != DEVICE:
        environment = {**os.environ, "DEVICE": given.device}
        raise SystemExit(subprocess.call([sys.executable, *sys.argv], env=environment))
    if given.folder is not None:
        given.folder.mkdir(parents=True, exist_ok=True)
        raise SystemExit(bool(run(given.folder.resolve())))
    with tempfile.TemporaryDirectory() as folder:
        raise SystemExit(bool(run(Path(folder))))


if __name__ == "__main__":
    main()
