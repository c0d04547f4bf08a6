"""Record live processes of the same code that take turns on one GPU, for the interleaved test.

    python benchmarks/gpu/record_turns.py FILE --placement shared --seconds 200

A line of FILE is one visit of one process: ``round``, ``proc``, ``t`` (seconds since the first
visit), ``core``, and the seconds of each call of each workload. ``placement`` is where the main
threads of the processes run: ``shared`` pins all of them to one core, and all to another one every
``--dwell`` rounds; ``own`` pins each to a core of its own; ``free`` leaves it to the scheduler. One
process works at a time, and the others wait on a pipe. Needs torch and transformers; nothing is
downloaded.
"""

import argparse
import ctypes
import json
import multiprocessing as mp
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

LONG = {"decode": 4, "mlp": 3, "launches": 2, "python": 1}
SHORT = {"decode": 1}
"""How often a visit makes the call of each workload."""


def workloads() -> dict[str, Callable[[], object]]:
    """Build a 1.1 B Llama that decodes four tokens, a small MLP, and two loops of the host."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=2048,
        intermediate_size=5632,
        num_hidden_layers=22,
        num_attention_heads=32,
        num_key_value_heads=4,
        vocab_size=32000,
    )
    with torch.device("cuda"):
        torch.set_default_dtype(torch.float16)
        llama = LlamaForCausalLM(config).eval()
        torch.set_default_dtype(torch.float32)
        prompt = torch.arange(16)[None]
        mlp = torch.nn.Sequential(
            *(layer for _ in range(8) for layer in (torch.nn.Linear(256, 256), torch.nn.GELU()))
        ).half()
        x = torch.ones(8, 256, dtype=torch.float16)
        small = torch.zeros(8)

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is not read by mypy
    def decode() -> object:
        given, past = prompt, None
        for _ in range(4):
            out = llama(given, past_key_values=past, use_cache=True)
            given, past = out.logits[:, -1:].argmax(-1), out.past_key_values
        return given

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is not read by mypy
    def forwards() -> object:
        for _ in range(20):
            mlp(x)
        return None

    def launches() -> object:
        for _ in range(300):
            small.add_(1)
        return None

    def python() -> object:
        return sum(number * number for number in range(30_000))

    return {"decode": decode, "mlp": forwards, "launches": launches, "python": python}


def serve(connection: Connection, counts: dict[str, int]) -> None:
    """Build the workloads, then make the calls of a visit for each core that arrives."""
    import torch

    current_core = ctypes.CDLL(None).sched_getcpu
    calls = workloads()

    def timed(call: Callable[[], object]) -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    for call in calls.values():
        for _ in range(10):
            timed(call)
    connection.send(None)
    pinned = None
    while (core := connection.recv()) is not None:
        if core >= 0 and core != pinned:
            os.sched_setaffinity(0, {core})
            pinned = core
        before, cpu = resource.getrusage(resource.RUSAGE_THREAD), time.thread_time()
        start = time.perf_counter()
        visit: dict[str, Any] = {
            name: [float(f"{timed(calls[name]):.5g}") for _ in range(count)]
            for name, count in counts.items()
        }
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_THREAD)
        visit["cpu_share"] = round((time.thread_time() - cpu) / wall, 4)
        visit["preempted"] = after.ru_nivcsw - before.ru_nivcsw
        visit["core"] = current_core()
        connection.send(visit)


def main() -> None:
    """Start the processes, and let them take turns for so many seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--placement", choices=("shared", "own", "free"), required=True)
    parser.add_argument("--seconds", type=float, default=200.0)
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--dwell", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="one decode a visit, and no more")
    arguments = parser.parse_args()
    rng = random.Random(0)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores.pop()})  # this process wakes for a moment between visits
    context = mp.get_context("spawn")
    connections: list[Connection] = []
    for _ in range(arguments.processes):
        here, there = context.Pipe()
        process = context.Process(
            target=_unpinned, args=(there, cores, SHORT if arguments.short else LONG), daemon=True
        )
        process.start()
        connections.append(here)
    for connection in connections:
        connection.recv()
    start, number, shared, queue = time.perf_counter(), 0, -1, list[int]()
    with Path(arguments.file).open("a", encoding="utf-8") as file:
        while time.perf_counter() - start < arguments.seconds:
            if number % arguments.dwell == 0:
                queue = queue or rng.sample(cores, len(cores))
                shared = queue.pop()
            for proc in rng.sample(range(len(connections)), len(connections)):
                core = {"shared": shared, "own": cores[proc], "free": -1}[arguments.placement]
                began = time.perf_counter() - start
                connections[proc].send(core)
                visit = connections[proc].recv()
                line = {"placement": arguments.placement, "round": number, "proc": proc}
                json.dump(line | {"t": round(began, 3)} | visit, file)
                file.write("\n")
            number += 1
    for connection in connections:
        connection.send(None)
    print(f"{number} rounds of {len(connections)} processes, {len(cores)} cores", file=sys.stderr)


def _unpinned(connection: Connection, cores: list[int], counts: dict[str, int]) -> None:
    os.sched_setaffinity(0, set(cores))
    serve(connection, counts)


if __name__ == "__main__":
    main()
