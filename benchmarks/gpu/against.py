"""Whole sessions of ``--pareto-against`` on the decode of a language model.

    python benchmarks/gpu/against.py FOLDER [--planted 2] [--unchanged 2] [--percent 8]

Makes a git repository in FOLDER: a 1.1 B Llama with random weights that decodes 16 tokens after a
prompt of 128, with PERCENT more host time per token planted in some sessions. Prints the change of
each, its exit code and its seconds; exits with 1 where a planted slow-down is not WORSE, or
unchanged code is. Needs torch and transformers; nothing is downloaded.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

MODEL = """
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

SLOWER = 0.0


def build():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float16)
    config = LlamaConfig(
        hidden_size=2048, intermediate_size=5632, num_hidden_layers=22,
        num_attention_heads=32, num_key_value_heads=4, vocab_size=32000,
    )
    with torch.device("cuda"):
        model = LlamaForCausalLM(config).eval()
    torch.set_default_dtype(torch.float32)
    return model


@torch.inference_mode()
def decode(model, prompt, tokens=16):
    given, past = prompt, None
    for _ in range(tokens):
        start = time.perf_counter()
        out = model(given, past_key_values=past, use_cache=True)
        given, past = out.logits[:, -1:].argmax(-1), out.past_key_values
        until = time.perf_counter() + SLOWER * (time.perf_counter() - start)
        while time.perf_counter() < until:
            pass
    return given
"""
TEST = """
import pytest
import torch

import llama


@pytest.mark.pareto(skip_metrics=["energy", "flops"], gate=True)
def test_decode(pareto):
    model = llama.build()
    pareto.measure(llama.decode, model, torch.arange(128, device="cuda")[None])
"""


def main() -> int:
    """Run the sessions, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--planted", type=int, default=2)
    parser.add_argument("--unchanged", type=int, default=2)
    parser.add_argument("--percent", type=float, default=8.0)
    parser.add_argument("--option", action="append", default=[], help="another option of pytest")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True)
    (folder / "llama.py").write_text(MODEL)
    (folder / "test_llama.py").write_text(TEST)
    (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    git = ["git", "-c", "user.name=none", "-c", "user.email=none@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "A decode"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    wrong = 0
    for planted in [True] * arguments.planted + [False] * arguments.unchanged:
        slower = arguments.percent / 100 if planted else 0.0
        (folder / "llama.py").write_text(MODEL.replace("SLOWER = 0.0", f"SLOWER = {slower}"))
        if not planted:
            with (folder / "llama.py").open("a") as code:
                code.write("# a comment\n")
        wrong += _session(folder, planted=planted, options=arguments.option)
    return int(wrong > 0)


def _session(folder: Path, *, planted: bool, options: list[str]) -> bool:
    start = time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--pareto", "--pareto-against=HEAD"),
            *("--pareto-json=result.json", "-p", "no:cacheprovider", "-v", *options),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - start
    name = "planted" if planted else "unchanged"
    print(f"== {name}: exit {done.returncode}, {seconds:.0f} s", flush=True)
    result = folder / "result.json"
    if not result.exists():
        print(done.stdout[-3000:], done.stderr[-1000:])
        return True
    result.unlink()
    print(done.stdout[-2500:], flush=True)
    return done.returncode != int(planted)


if __name__ == "__main__":
    sys.exit(main())
