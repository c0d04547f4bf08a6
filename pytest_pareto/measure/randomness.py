"""Global random state, kept so that the number of measured calls never changes a result."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from pytest_pareto.measure.device import loaded_torch


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Put the global random state back at the end to what it is at the start.

    Kept are Python's ``random``, NumPy's legacy global generator, and torch's default
    generators of the CPU and of every accelerator in use; of these, those whose library
    the process has imported. Generator objects that the test holds itself are not.
    """
    python: Callable[[], object] = partial(random.setstate, random.getstate())
    restorers = [python, *_numpy(), *_torch()]
    try:
        yield
    finally:
        for restore in restorers:
            restore()


def _numpy() -> Iterator[Callable[[], object]]:
    # NumPy 2 imports numpy.random when it is first used.
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        yield partial(numpy_random.set_state, numpy_random.get_state(legacy=False))


def _torch() -> Iterator[Callable[[], object]]:
    torch = loaded_torch()
    if torch is None:
        return
    yield partial(torch.set_rng_state, torch.get_rng_state())
    for name in ("cuda", "xpu"):
        device = getattr(torch, name, None)
        if device is not None and device.is_initialized():
            yield partial(device.set_rng_state_all, device.get_rng_state_all())
    mps = getattr(getattr(torch, "backends", None), "mps", None)
    if mps is not None and mps.is_available():
        yield partial(torch.mps.set_rng_state, torch.mps.get_rng_state())
