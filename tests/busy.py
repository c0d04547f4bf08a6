"""A core that others keep busy, and a host of which nothing is known.

The first is for tests of what a process waits for it, the second for tests of other things: the
suite may well run on a busy host.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_pareto.measure.meters.contention import HostSnapshot

needs_wait_times = pytest.mark.skipif(
    not Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").is_file(),
    reason="this kernel does not count how long threads wait (no /proc/self/task/*/schedstat)",
)


def unknown_host() -> HostSnapshot:
    """Return the snapshot of a system that counts nothing but time."""
    return HostSnapshot(time.perf_counter(), time.process_time(), {}, {}, {}, 0)


@contextmanager
def one_core(rivals: int) -> Iterator[None]:
    """Confine this thread, and what it starts, to one core with so many busy processes on it."""
    allowed, loops = os.sched_getaffinity(0), list[subprocess.Popen[bytes]]()
    try:
        os.sched_setaffinity(0, {min(allowed)})
        command = (sys.executable, "-c", "while True: pass")
        loops = [subprocess.Popen(command) for _ in range(rivals)]
        time.sleep(0.2 * rivals)  # until they run
        yield
    finally:
        os.sched_setaffinity(0, allowed)
        for loop in loops:
            loop.kill()
            loop.wait()
