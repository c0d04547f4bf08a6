"""Traces in the format that ``torch.profiler`` exports, of events that a test adds."""

import itertools
import json
from typing import Any


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
