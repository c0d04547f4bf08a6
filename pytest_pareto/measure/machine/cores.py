"""How many processor cores this process may really use."""

import os
from collections.abc import Iterator
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Return the cores that the scheduler allows, or fewer where a quota limits their time.

    A container with a quota of two cores' time sees all of its host's; it is the quota
    (cgroup v2 `cpu.max`, rounded down, at least one) that a library's threads feel.
    """
    quota = min(_quotas(root), default=None)
    allowed = _allowed_cores()
    return allowed if quota is None else min(allowed, max(1, int(quota)))


def _allowed_cores() -> int:
    # Only Linux and some BSDs can pin a process to cores.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quota, in cores, of this process's cgroup and of each one above it."""
    mount = root / "sys/fs/cgroup"
    try:
        memberships = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    own = next((line.removeprefix("0::/") for line in memberships if line.startswith("0::/")), "")
    below = [part for part in own.split("/") if part not in {"", ".", ".."}]
    for depth in range(len(below) + 1):
        yield from _quota(mount.joinpath(*below[:depth], "cpu.max"))


def _quota(file: Path) -> Iterator[float]:
    try:
        allowed_us, period_us = file.read_text(encoding="utf-8").split()
        yield float(allowed_us) / float(period_us)
    except (OSError, ValueError, ZeroDivisionError):
        return  # no such file, or "max": no quota here
