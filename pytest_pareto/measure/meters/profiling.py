"""A window of calls under ``torch.profiler``, which sees every kernel that a GPU ran."""

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_pareto.measure.device import NO_CUDA, initialized_cuda, loaded_torch

_DETACH = "TEARDOWN_CUPTI"
_DETACHES_SAFELY = (12, 6)


def profiling_absence() -> str | None:
    """Say why nothing can be profiled in this process, or None.

    After a profile the driver's tracing library stays attached unless told otherwise: on an
    H200 every launch of the process was 36 to 90 % slower from then on, and with it the
    latency of each later test. Detaching was unsafe beside CUDA graphs before CUDA 12.6.
    """
    torch = loaded_torch()
    if torch is None or initialized_cuda() is None:
        return NO_CUDA
    if torch.version.hip is not None:
        return "on ROCm torch's traces were never tried: their copies have no direction"
    if torch.autograd._profiler_enabled():  # noqa: SLF001  (torch offers no other way to ask)
        return "a torch profiler is active already; run without it"
    if not _can_detach(torch.version.cuda):
        chosen = os.environ.get(_DETACH)
        who = (
            f"torch built for CUDA {torch.version.cuda}"
            if chosen is None
            else f"{_DETACH}={chosen}"
        )
        return (
            f"{who} leaves the profiler attached, which would slow down the tests that follow; "
            f"use torch for CUDA 12.6 or later without {_DETACH}, or set {_DETACH}=1 if nothing "
            "here uses CUDA graphs"
        )
    return None


def _can_detach(cuda: str) -> bool:
    chosen = os.environ.get(_DETACH)  # by the user, or "0" by torch itself beside CUDA graphs
    if chosen is not None:
        return chosen == "1"
    return tuple(int(part) for part in cuda.split(".")[:2]) >= _DETACHES_SAFELY


def profile_calls(settle: Callable[[], None], window: Callable[[], None]) -> bytes:
    """Trace what the GPUs do during ``window``, and return the trace as Chrome's JSON.

    ``settle`` runs before it, traced as well but dropped, so that starting the profiler does
    not let the GPU rest before the window. Both must leave no work unfinished.
    """
    torch: Any = loaded_torch()
    profiler = torch.profiler
    os.environ.setdefault(_DETACH, "1")
    with tempfile.TemporaryDirectory(prefix="pytest-pareto-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about events of other cycles; there is one
        file = Path(folder, "trace.json")
        with profiler.profile(
            activities=[profiler.ProfilerActivity.CUDA],
            schedule=profiler.schedule(wait=0, warmup=1, active=1, repeat=1),
            on_trace_ready=lambda done: done.export_chrome_trace(str(file)),
        ) as active:
            settle()
            active.step()
            window()
            active.step()
        return file.read_bytes()


def profiles_itself(call: Callable[[], object]) -> bool:
    """Make a call, and return whether it ran a profiler of torch.

    One within another ends the process (seen with torch 2.13), and it is not to be seen before.
    """
    torch: Any = loaded_torch()
    autograd = torch.autograd.profiler
    seen = []
    enter, prepare = autograd.profile.__enter__, autograd.profile._prepare_trace  # noqa: SLF001

    def entered(profile: Any) -> object:
        seen.append(profile)
        return enter(profile)

    def prepared(profile: Any) -> object:
        seen.append(profile)
        return prepare(profile)

    autograd.profile.__enter__, autograd.profile._prepare_trace = entered, prepared  # noqa: SLF001
    try:
        call()
    finally:
        autograd.profile.__enter__, autograd.profile._prepare_trace = enter, prepare  # noqa: SLF001
    return bool(seen)
