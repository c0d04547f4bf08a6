"""Time to first token and tokens per second of a causal language model with random weights.

    python benchmarks/gpu/stream.py checks [--device cpu]            # beside hand-written loops
    python benchmarks/gpu/stream.py session FOLDER [--device cpu]    # judged against a baseline

Needs torch and transformers; nothing is downloaded. The session's exit codes should be 0 for the
baseline and each unchanged session, and 1 for each planted one.
"""

import argparse
import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from pytest_pareto.measure.call import argument_source
from pytest_pareto.measure.loop import first_call, steady_rounds, warm_up
from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.meters.latency import stream_measurements
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.measure.streams import Stream

TOKENS = 64
HERE = Path(__file__).parent
# Layers, width, heads, vocabulary and prompt; the processor gets a toy.
SIZES = {"cuda": (12, 768, 12, 50257, 512), "cpu": (2, 64, 2, 256, 64)}
PAIRS = 60

Generate = Callable[[Any], Iterator[Any]]
Once = Callable[[Generate, Any], tuple[float, ...]]


def language_model(device: str, *, lazy: bool = False, planted: str = "") -> tuple[Generate, Any]:
    """Build a GPT-2; return what generates its tokens greedily, and a prompt.

    ``lazy`` tokens are tensors, handed out before they are computed; others are numbers, for
    which the host waits. ``planted`` makes the "decode" or the "prefill" slower.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    layers, width, heads, words, prompt_length = SIZES[device]
    torch.manual_seed(0)
    if device == "cpu":
        torch.set_num_threads(1)
    config = GPT2Config(
        n_layer=layers,
        n_embd=width,
        n_head=heads,
        vocab_size=words,
        n_positions=1024,
        bos_token_id=None,
        eos_token_id=None,
    )
    dtype = torch.float16 if device == "cuda" else torch.float32
    model = GPT2LMHeadModel(config).to(device, dtype).eval()
    prompt = torch.arange(prompt_length, device=device)[None] % words

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not read by mypy
    def generate(prompt: Any) -> Iterator[Any]:
        given, past = prompt, None
        for number in range(TOKENS):
            if (planted == "decode" and number % 2) or (planted == "prefill" and not number):
                model(given)
            out = model(given, past_key_values=past, use_cache=True)
            given, past = out.logits[:, -1:].argmax(-1), out.past_key_values
            yield given if lazy else int(given)

    return generate, prompt


def checks(device: str) -> None:
    """Print what `stream` says and what loops by hand say, call by call in turn, and the ratios."""
    for kind in ("numbers", "tensors"):
        generate, prompt = language_model(device, lazy=kind == "tensors")
        once = _once_on_cuda if device == "cuda" else _once_on_cpu
        calls = Calls(
            Stream(generate),
            argument_source((prompt,), {}, None),
            clock=time.perf_counter_ns,
            plan=LoopPlan(rounds=1, warmup=2),
        )
        first_call(calls)
        warm_up(calls)
        pairs = [(_by_stream(calls), _by_hand(once, generate, prompt)) for _ in range(PAIRS)]
        for position, what in enumerate(("time to first token", "time per token")):
            ours, hand, events = (
                statistics.median(pair[way][at] for pair in pairs)
                for way, at in ((0, position), (1, position), (1, 2 + position))
            )
            ratio = statistics.median(pair[0][position] / pair[1][position] for pair in pairs)
            by_event = f", by events {1e3 * events:.3f} ms" if device == "cuda" else ""
            print(
                f"{device}, {kind}: {what}: stream {1e3 * ours:.3f} ms, "
                f"by hand {1e3 * hand:.3f} ms{by_event}; stream / by hand - 1: {ratio - 1:+.2%} "
                f"(median of {PAIRS} neighbours)"
            )
        rate = statistics.median(pair[0][2] for pair in pairs)
        print(f"{device}, {kind}: {rate:.1f} tokens per second", flush=True)


def _by_stream(calls: Calls) -> tuple[float, ...]:
    first, each, rate, _ = stream_measurements(steady_rounds(calls))
    return first.values[0], each.values[0], rate.values[0]


def _by_hand(once: Once, generate: Generate, prompt: Any) -> tuple[float, ...]:
    gc.collect()  # as before each of our windows
    return once(generate, prompt)


def _once_on_cuda(generate: Generate, prompt: Any) -> tuple[float, ...]:
    begin, first, end = (torch.cuda.Event(enable_timing=True) for _ in range(3))
    torch.cuda.synchronize()
    begin.record()
    start_s = time.perf_counter()
    tokens = generate(prompt)
    next(tokens)
    first.record()
    torch.cuda.synchronize()
    first_s = time.perf_counter()
    for _ in tokens:
        pass
    end.record()
    torch.cuda.synchronize()
    end_s = time.perf_counter()
    return (
        first_s - start_s,
        (end_s - first_s) / (TOKENS - 1),
        begin.elapsed_time(first) / 1e3,
        first.elapsed_time(end) / 1e3 / (TOKENS - 1),
    )


def _once_on_cpu(generate: Generate, prompt: Any) -> tuple[float, ...]:
    start_s = time.perf_counter()
    tokens = generate(prompt)
    next(tokens)
    first_s = time.perf_counter()
    for _ in tokens:
        pass
    each_s = (time.perf_counter() - first_s) / (TOKENS - 1)
    return first_s - start_s, each_s, first_s - start_s, each_s


def session(folder: Path, device: str) -> None:
    """Record a baseline, judge unchanged code three times, and each planted slow-down once."""
    folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for name, planted, expected, options in (
        ("baseline", "", 0, ("--pareto-update=all",)),
        *((f"unchanged-{number}", "", 0, ("-v",)) for number in range(1, 4)),
        ("planted-decode", "decode", 1, ("-v",)),
        ("planted-prefill", "prefill", 1, ("-v",)),
    ):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pareto"),
                *("--pareto-baseline", str(folder / "baseline"), *options),
                str(HERE / "stream_session"),
            ],
            env={**os.environ, "COLUMNS": "100", "DEVICE": device, "PLANTED": planted},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        (folder / f"{name}.txt").write_text(done.stdout, encoding="utf-8")
        print(f"{device} {name}: exit code {done.returncode}, expected {expected}", flush=True)
        wrong += done.returncode != expected
    raise SystemExit(wrong and 1)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("checks", "session"))
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--device", choices=tuple(SIZES), default="cuda")
    given = parser.parse_args()
    if given.what == "checks":
        checks(given.device)
    elif given.folder is None:
        parser.error("session needs a FOLDER for its baseline and what it prints")
    else:
        session(given.folder.resolve(), given.device)


if __name__ == "__main__":
    main()
