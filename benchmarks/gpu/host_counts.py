"""Host counts repeat: the same in fresh processes, and one more module call is seen to the unit.

    python benchmarks/gpu/host_counts.py [--device cpu]

An LLM decode (Llama) and a diffusers pipeline with its progress bar, both of random weights, are
measured in five fresh processes, two at a time, each with a hash seed of its own. Prints all counts
and each check, and exits 1 where one fails. Two controls have to fail: a counter that counts what
tqdm does, and one that counts what garbage collection runs.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any
from unittest import mock

import torch

from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meters import host_work
from pytest_pareto.measure.meters.device_time import DeviceTimeMeter
from pytest_pareto.measure.meters.host_work import HostWorkMeter, Listener, count_calls
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.model.metric import HOST_COUNTS, KERNELS

PROCESSES = 5
AT_A_TIME = 2
LAYERS = 8
TOKENS = 12
STEPS = 8
DRAWN = {"at each step": 0.0, "once": 1e9}
"""How often tqdm draws the bar, as its ``mininterval``: what the machine's speed would decide."""
COUNTS = (*(metric.name for metric in HOST_COUNTS), KERNELS.name)
ON_PROCESSOR = tuple(metric.name for metric in HostWorkMeter.metrics)

Counts = dict[str, float | str]
"""Each count by the name of its metric, or the reason for which it is absent."""


class Scale(torch.nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    """One operation, one kernel; a call enters ``__call__``, ``_call_impl`` and ``forward``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the same numbers."""
        return x * 1.0


ENTRIES_OF_A_MODULE = 3


class WithMore(torch.nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    """A module, and after it others."""

    def __init__(self, module: Any, more: int) -> None:
        super().__init__()
        self.module = module
        self.more = torch.nn.ModuleList(Scale() for _ in range(more))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Call one after the other."""
        out: torch.Tensor = self.module(x)
        for module in self.more:
            out = module(out)
        return out


def decode(device: str, more: int = 0) -> Callable[[], object]:
    """Build a small Llama; return a greedy decode of some tokens with its cache."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=LAYERS,
        num_attention_heads=8,
        num_key_value_heads=2,
        vocab_size=512,
        max_position_embeddings=256,
    )
    model = LlamaForCausalLM(config).to(device).eval()
    for layer in model.model.layers:
        layer.mlp = WithMore(layer.mlp, more)
    prompt = torch.arange(32, device=device)[None]

    def call() -> object:
        given, past = prompt, None
        with torch.no_grad():
            for _ in range(TOKENS):
                out = model(given, past_key_values=past, use_cache=True)
                given, past = out.logits[:, -1:].argmax(-1), out.past_key_values
        return given

    return call


def pipeline(device: str, **bar: float) -> Callable[[], object]:
    """Build a small DDIM pipeline; ``bar`` is the configuration of its progress bar."""
    from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel

    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=16,
        block_out_channels=(32, 64),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )
    made = DDIMPipeline(unet=unet.to(device).eval(), scheduler=DDIMScheduler())
    made.set_progress_bar_config(**bar)

    def call() -> object:
        seeded = torch.Generator().manual_seed(0)
        return made(generator=seeded, num_inference_steps=STEPS, output_type="np").images

    return call


def counts_of(call: Callable[[], object]) -> Counts:
    """Measure a call as a session does."""
    meters = (DeviceTimeMeter(), HostWorkMeter())
    _, found = measure_call(call, (), {}, meters=meters, plan=LoopPlan(rounds=1, warmup=3))
    return {
        each.metric.name: each.absent if each.absent is not None else each.values[0]
        for each in found
        if each.metric.name in COUNTS
    }


def entries_with_tqdm(call: Callable[[], object]) -> int:
    """Count the Python calls of a call as the meter does, but those of tqdm too."""
    with mock.patch.object(host_work, "_UNCOUNTED", ("pytest_pareto",)):
        return count_calls(call)["python_calls"].total()


class Cyclic:
    """Garbage that a collection frees, and whose end calls a Python function."""

    def __init__(self) -> None:
        self.own = self
        self.reference = weakref.ref(self, lambda _: None)


def entries_beside_garbage(call: Callable[[], object], garbage: int, *, collected: bool) -> int:
    """Count the Python calls of a call in which garbage of earlier code is collected.

    ``collected`` counts what the collection runs as well.
    """

    def function() -> None:
        call()
        for _ in range(2000):  # makes objects without a call, until a collection is due
            kept[0] = [kept[0]]

    kept: list[object] = [None]
    gc.collect()
    gc.disable()
    references = [Cyclic().reference for _ in range(garbage)]
    gc.enable()
    unmuted = mock.patch.object(Listener, "before_collection", ignore)
    with unmuted if collected else nullcontext():
        found = count_calls(function)["python_calls"].total()
    del references
    return found


def ignore(*_: object) -> None:
    """Do nothing."""


def measured(device: str, *, whole: bool) -> dict[str, Any]:
    """Return the counts of this process; only a ``whole`` one builds models with more modules."""
    torch.set_num_threads(1)
    call = pipeline(device)
    found: dict[str, Any] = {"decode": counts_of(decode(device)), "pipeline": counts_of(call)}
    if whole:
        found["one more"] = counts_of(decode(device, more=1))
        found["two more"] = counts_of(decode(device, more=2))
        bars = [pipeline(device, mininterval=each, miniters=1) for each in DRAWN.values()]
        found["bars"] = [counts_of(each)["python_calls"] for each in bars]
        found["bars with tqdm"] = [entries_with_tqdm(each) for each in bars]
        for collected in (False, True):
            found[f"beside garbage, {collected}"] = [
                entries_beside_garbage(call, garbage, collected=collected) for garbage in (0, 100)
            ]
    return found


def in_fresh_process(device: str, number: int) -> dict[str, Any]:
    """Measure in a fresh process with a hash seed of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--device", device, "--process", str(number)],
        env=os.environ | {"PYTHONHASHSEED": str(number)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"process {number} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def checks(device: str, found: list[dict[str, Any]]) -> Iterator[tuple[str, bool]]:
    """Yield each check, and whether it holds."""
    names = COUNTS if device == "cuda" else ON_PROCESSOR
    for workload in ("decode", "pipeline"):
        for name in names:
            values = [each[workload][name] for each in found]
            same = len(set(values)) == 1 and isinstance(values[0], float)
            shown = f"{values[0]:,.0f}" if same else f"{values}"
            yield f"{workload}: {name} of {len(found)} processes: {shown}", same
    whole = found[0]
    modules = LAYERS * TOKENS
    for name in names:
        none, one, two = (whole[each][name] for each in ("decode", "one more", "two more"))
        expected = {
            "python_calls": ENTRIES_OF_A_MODULE * modules,
            "launches": modules,
            "kernels": modules,
            "host_copies": 0,
            "host_waits": 0,
            "allocations": 0,
        }.get(name, one - none)
        seen = one - none == two - one == expected and not (one - none) % modules
        added = f"{one - none:+,.0f}, {two - one:+,.0f}"
        yield f"{name}: {modules} more module calls, and as many again, count {added}", seen
    how = " and ".join(DRAWN)
    each_step, once = whole["bars"]
    yield (
        f"python_calls with a bar drawn {how}: {each_step:,.0f} and {once:,.0f}",
        each_step == once,
    )
    each_step, once = whole["bars with tqdm"]
    yield (
        f"control: with what tqdm calls, {each_step:,.0f} and {once:,.0f} differ",
        each_step != once,
    )
    none, some = whole["beside garbage, False"]
    yield f"python_calls beside garbage of earlier code: {none:,} and {some:,}", none == some
    none, some = whole["beside garbage, True"]
    yield f"control: with what its collection runs, {none:,} and {some:,} differ", none != some


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--process", type=int, help="measure in this process, print JSON")
    options = parser.parse_args()
    if options.process is not None:
        print(json.dumps(measured(options.device, whole=options.process == 0)))
        return
    began_s = time.monotonic()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        numbers = range(PROCESSES)
        found = list(pool.map(lambda number: in_fresh_process(options.device, number), numbers))
    results = list(checks(options.device, found))
    for text, holds in results:
        print("ok  " if holds else "FAIL", text)
    print(f"{time.monotonic() - began_s:.0f} s, torch {torch.__version__}")
    sys.exit(not all(holds for _, holds in results))


if __name__ == "__main__":
    main()
