"""Six mixed cases against a stored baseline: what a run costs, with confirmation and without.

    python benchmarks/gpu/mixed.py FOLDER [STEP ...] [--runs 5] [--option=...]

The cases: prefill of a 1.1 B Llama, its decode as a stream, ViT-L at batch 32 in fp16, a small MLP,
the same and the ViT as CUDA graphs. STEPs, in their order: ``baseline`` of so many runs,
``unchanged``, ``slower`` (host time of the decode +30 %, one more block in the ViT), ``times``
(one run, with the seconds of each meter). Prints reports and seconds. Needs torch and transformers;
nothing is downloaded.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

MODEL = """
import os
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM, ViTConfig, ViTModel

SLOWER = os.environ.get("SLOWER") == "1"


def half(make):
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float16)
    try:
        with torch.device("cuda"):
            return make().eval()
    finally:
        torch.set_default_dtype(torch.float32)


def llama():
    config = LlamaConfig(
        hidden_size=2048, intermediate_size=5632, num_hidden_layers=22,
        num_attention_heads=32, num_key_value_heads=4, vocab_size=32000,
    )
    return half(lambda: LlamaForCausalLM(config))


def vit():
    config = ViTConfig(
        hidden_size=1024, num_hidden_layers=25 if SLOWER else 24, num_attention_heads=16,
        intermediate_size=4096,
    )
    return half(lambda: ViTModel(config))


def mlp():
    pairs = range(8)
    return half(
        lambda: torch.nn.Sequential(
            *[layer for _ in pairs for layer in (torch.nn.Linear(512, 512), torch.nn.GELU())]
        )
    )


@torch.inference_mode()
def prefill(model, prompt):
    return model(prompt).logits[:, -1]


@torch.inference_mode()
def tokens(model, prompt, count=16):
    given, past = prompt, None
    for _ in range(count):
        start = time.perf_counter()
        out = model(given, past_key_values=past, use_cache=True)
        given, past = out.logits[:, -1:].argmax(-1), out.past_key_values
        until = time.perf_counter() + 0.3 * SLOWER * (time.perf_counter() - start)
        while time.perf_counter() < until:
            pass
        yield given


@torch.inference_mode()
def apply(model, x):
    return model(x)


def graph(model, x):
    with torch.inference_mode():
        for _ in range(3):
            model(x)
        torch.cuda.synchronize()
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            result = model(x)

    def replay():
        captured.replay()
        return result, model  # whose weights the graph reads

    return replay
"""
TEST = """
import pytest
import torch

import models


@pytest.fixture(scope="module")
def llama():
    return models.llama()


@pytest.fixture(scope="module")
def prompt():
    return torch.arange(512, device="cuda")[None]


@pytest.fixture(scope="module")
def x():
    return torch.randn(64, 512, device="cuda", dtype=torch.float16)


def test_prefill(pareto, llama, prompt):
    pareto.measure(models.prefill, llama, prompt)


def test_decode(pareto, llama, prompt):
    pareto.stream(models.tokens, llama, prompt[:, :128])


def test_vit(pareto):
    images = torch.randn(32, 3, 224, 224, device="cuda", dtype=torch.float16)
    pareto.measure(models.apply, models.vit(), images)


def test_mlp(pareto, x):
    pareto.measure(models.apply, models.mlp(), x)


def test_mlp_graph(pareto, x):
    pareto.measure(models.graph(models.mlp(), x))


def test_vit_graph(pareto):
    images = torch.randn(32, 3, 224, 224, device="cuda", dtype=torch.float16)
    model = models.vit()
    pareto.measure(models.graph(lambda given: model(given).last_hidden_state, images))
"""
TIMES = """
import time

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    from pytest_pareto.measure import measurement

    plain = measurement.meter_pass

    def timed(meter, calls, skip):
        start = time.perf_counter()
        result = plain(meter, calls, skip)
        lines.append(f"{type(meter).__name__} {time.perf_counter() - start:.2f}")
        return result

    lines, start = [], time.perf_counter()
    measurement.meter_pass = timed
    try:
        return (yield)
    finally:
        measurement.meter_pass = plain
        seconds = time.perf_counter() - start
        with open("times.txt", "a") as file:
            file.write(f"{item.name} {seconds:.2f} s: {', '.join(lines)}\\n")
"""


def main() -> int:
    """Run the steps; return the last exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("steps", nargs="*")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--option", action="append", default=[], help="another option of pytest")
    given = parser.parse_args()
    folder: Path = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "models.py").write_text(MODEL)
    (folder / "test_mixed.py").write_text(TEST)
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    code = 0
    for step in given.steps or ["baseline", "unchanged", "slower"]:
        (folder / "conftest.py").write_text(TIMES if step == "times" else "")
        update = [f"--pareto-runs={given.runs}", "--pareto-update=all"]
        options = [*given.option, *(update if step == "baseline" else ["-v"])]
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--pareto", "-p", "no:cacheprovider", *options],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONDONTWRITEBYTECODE": "",
                "SLOWER": str(int(step == "slower")),
                "COLUMNS": "100",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        code = done.returncode
        print(f"== {step}: exit {code}, {time.monotonic() - start:.0f} s", flush=True)
        print(done.stdout, done.stderr[-2000:], flush=True)
        if step == "times":
            print((folder / "times.txt").read_text())
    return code


if __name__ == "__main__":
    sys.exit(main())
