"""Traces in the format that ``torch.profiler`` exports, of events that a test adds."""

import itertools
import json
from typing import Any

from pytest_pareto.measure.trace import CALL, END, FIRST_ITEM, MODULE
from pytest_pareto.model.attribution import Breakdown


class ChromeTrace:
    """Chrome's format: calls of the host and work of the GPU, linked by correlation ids."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = [
            {"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "python"}},
            {"ph": "X", "cat": "user_annotation", "name": "ProfilerStep#1", "dur": 9e6, "ts": 0.0},
        ]
        self._ids = itertools.count(100)
        self._times_us = itertools.count(1)

    def launch(self, *kernels_us: float, by: str = "cudaLaunchKernel", name: str = "gemm") -> None:
        """Launch kernels by one call of the host; without kernels the launch counts as lost."""
        number = self.call(by, cat="cuda_runtime" if by.startswith("cuda") else "cuda_driver")
        for kernel_us in kernels_us:
            self.work("kernel", f"void {name}<float>(float*)", kernel_us, number)

    def copy(self, way: str, duration_us: float) -> None:
        """Add a copy: ``HtoD``, ``DtoH`` or ``DtoD``."""
        number = self.call("cudaMemcpyAsync")
        self.work("gpu_memcpy", f"Memcpy {way} (Pinned -> Device)", duration_us, number)

    def memset(self, duration_us: float) -> None:
        self.work("gpu_memset", "Memset (Device)", duration_us, self.call("cudaMemsetAsync"))

    def call(self, name: str, *, cat: str = "cuda_runtime") -> int:
        """Call the runtime or the driver from the host; return the correlation id."""
        number = next(self._ids)
        self._add(cat, name, 5.0, number)
        self.events.append({"ph": "s", "id": number, "cat": "ac2g", "name": "ac2g", "ts": 1.0})
        return number

    def work(self, cat: str, name: str, duration_us: float, number: int) -> None:
        self._add(cat, name, duration_us, number)

    def json(self) -> bytes:
        properties = [{"id": 0, "name": "NVIDIA H200"}]
        trace = {"schemaVersion": 1, "deviceProperties": properties, "traceEvents": self.events}
        return json.dumps(trace).encode()

    def _add(self, cat: str, name: str, duration_us: float, number: int) -> None:
        arguments = {"External id": 7, "correlation": number, "stream": 7}
        event = {"ph": "X", "cat": cat, "name": name, "ts": next(self._times_us)}
        self.events.append({**event, "dur": duration_us, "args": arguments})


class Timeline:
    """A trace of named calls, whose events have the times (µs) that a test gives them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)

    def span(self, name: str, start: float, stop: float, **other: Any) -> None:
        """Add an operation, or what the category ``cat`` says; ``tid`` is its thread."""
        event = {"ph": "X", "cat": "cpu_op", "tid": 1, "name": name, "ts": start}
        self.events.append({**event, "dur": stop - start, **other})

    def named_call(self, start: float, stop: float, end: float, first: float | None = None) -> None:
        """Add the scopes of a call, of the wait after it, and of that for the first item."""
        self.span(CALL, start, stop, cat="user_annotation")
        self.span(END, stop, end, cat="user_annotation")
        if first is not None:
            self.span(FIRST_ITEM, first - 2, first, cat="user_annotation")

    def module(self, path: str, start: float, stop: float) -> None:
        self.span(f"{MODULE}{path}", start, stop, cat="user_annotation")

    def cuda(self, name: str, start: float, stop: float, **other: Any) -> int:
        """Add a call of the runtime; return its correlation id."""
        number = next(self._numbers)
        found = {"cat": "cuda_runtime", "args": {"correlation": number}}
        self.span(name, start, stop, **{**found, **other})
        return number

    def work(self, name: str, start: float, stop: float, number: int, **other: Any) -> None:
        """Add a kernel that was launched by the call with this correlation id."""
        arguments = {"correlation": number}
        self.span(name, start, stop, **{"cat": "kernel", "tid": 7, "args": arguments, **other})

    def memory(self, moment: float, address: int, size: int, *, device: int = 0) -> None:
        """Add an allocation, or a free of ``-size`` bytes."""
        arguments = {"Device Type": device, "Addr": address, "Bytes": size}
        arguments["Ev Idx"] = next(self._numbers)
        event = {"ph": "i", "cat": "cpu_instant_event", "name": "[memory]", "tid": 1}
        self.events.append({**event, "ts": moment, "args": arguments})

    def json(self) -> bytes:
        return json.dumps({"traceEvents": self.events}).encode()


def micro(found: Breakdown) -> dict[str, float]:
    """Return the parts of a time in microseconds, by name."""
    return {part.name: round(part.value * 1e6, 6) for part in found.parts}


def values(found: Breakdown) -> dict[str, float]:
    return {part.name: part.value for part in found.parts}


def counts(found: Breakdown) -> dict[str, float | None]:
    return {part.name: part.count for part in found.parts}
