"""Contention for the processor: what this process asked for in a window of calls and did not get.

`HostSnapshot.now` reads what the kernel has counted until now, and `HostConditions.between` returns
what two snapshots show. The kernel counts how long each thread waited for a core although it could
have run. That, unlike CPU time over wall time, differs between a process that was kept from running
and one that waits for a GPU.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pytest_pareto.measure.machine import cgroup_folders, within_quota
from pytest_pareto.model.formatting import percent

_NS_PER_S = 1e9
_US_PER_S = 1e6
_ROOT = Path("/")
_MIN_SHARE = 0.01
"""Shares of a window below this matter to no tolerance, and are not reported."""


class ThreadTimes(NamedTuple):
    """How long a thread ran and waited for a core, in seconds, and the cores that it may use."""

    ran_s: float
    waited_s: float
    cores: frozenset[int]


class CoreTimes(NamedTuple):
    """How long a core was used, was idle, and was stolen by the hypervisor, in seconds."""

    used_s: float = 0.0
    idle_s: float = 0.0
    stolen_s: float = 0.0


class GroupTimes(NamedTuple):
    """How long a control group was throttled by a quota, and how long it ran, in seconds."""

    throttled_s: float
    ran_s: float


def _allowed_cores(thread: int) -> Collection[int]:
    try:
        return os.sched_getaffinity(thread)
    except (AttributeError, OSError):  # another system, or a thread that has ended
        return ()


@dataclass(frozen=True, slots=True)
class HostSnapshot:
    """What was counted until one moment; None or empty where the system does not count it.

    ``threads`` are those of this process by their id, ``cores`` those of the machine by number.
    ``groups`` are the control groups that this process is in, by folder, from the root downwards.
    ``core_limit`` is the number of cores that quotas allow. ``pressure_s`` is how long some task
    waited for a core, in the process's control group or else on the machine. ``preemptions`` are
    the involuntary context switches of this process.
    """

    wall_s: float
    cpu_s: float
    threads: Mapping[str, ThreadTimes]
    cores: Mapping[int, CoreTimes]
    groups: Mapping[str, GroupTimes]
    core_limit: int
    pressure_s: float | None = None
    preemptions: int | None = None

    @classmethod
    def now(
        cls, root: Path = _ROOT, allowed_cores: Callable[[int], Collection[int]] = _allowed_cores
    ) -> "HostSnapshot":
        """Return the present counters, from the files of the kernel below ``root``."""
        groups = tuple(cgroup_folders(root))
        cores = dict(_core_times(_read(root / "proc/stat")))
        return cls(
            wall_s=time.perf_counter(),
            cpu_s=time.process_time(),
            threads=dict(_thread_times(root / "proc/self/task", allowed_cores)),
            cores=cores,
            groups=dict(_group_times(groups)),
            core_limit=within_quota(len(cores), root),
            pressure_s=_pressure_s(
                (*(folder / "cpu.pressure" for folder in reversed(groups)), root / _PRESSURE)
            ),
            preemptions=_preemptions(),
        )


_PRESSURE = "proc/pressure/cpu"


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _numbers(words: Sequence[str]) -> list[int]:
    """Return the words as counts, or nothing where one of them is none."""
    return [int(word) for word in words] if all(word.isdigit() for word in words) else []


def _thread_times(
    folder: Path, allowed_cores: Callable[[int], Collection[int]]
) -> Iterator[tuple[str, ThreadTimes]]:
    for thread in folder.iterdir() if folder.is_dir() else ():
        match _numbers(_read(thread / "schedstat").split()):
            case [ran_ns, waited_ns, _]:
                cores = frozenset(allowed_cores(int(thread.name)))
                yield thread.name, ThreadTimes(ran_ns / _NS_PER_S, waited_ns / _NS_PER_S, cores)


def _core_times(stat: str) -> Iterator[tuple[int, CoreTimes]]:
    """Yield the times of each core from the text of ``/proc/stat``."""
    ticks_per_s = os.sysconf("SC_CLK_TCK") if stat else 1
    for line in stat.splitlines():
        name, _, rest = line.partition(" ")
        number = name.removeprefix("cpu")
        match _numbers(rest.split()):
            case [user, nice, system, idle, iowait, irq, softirq, steal, *_] if number.isdigit():
                ticks = user + nice + system + irq + softirq, idle + iowait, steal
                yield int(number), CoreTimes(*(each / ticks_per_s for each in ticks))


def _group_times(folders: Collection[Path]) -> Iterator[tuple[str, GroupTimes]]:
    for folder in folders:
        lines = (line.partition(" ") for line in _read(folder / "cpu.stat").splitlines())
        counts = {name: _numbers([count]) for name, _, count in lines}
        match counts.get("throttled_usec"), counts.get("usage_usec"):
            case [throttled_us], [ran_us]:
                yield str(folder), GroupTimes(throttled_us / _US_PER_S, ran_us / _US_PER_S)


def _pressure_s(files: Collection[Path]) -> float | None:
    for file in files:
        some, _, total = _read(file).partition("\n")[0].rpartition(" total=")
        if some.startswith("some") and total.isdigit():
            return int(total) / _US_PER_S
    return None


def _preemptions() -> int | None:
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


@dataclass(frozen=True, slots=True)
class HostConditions:
    """What this process asked of the host's cores over a window, and what it got.

    Times are in seconds, and sums over threads or cores. ``ran_s`` is its CPU time. ``waited_s`` is
    how long its threads could have run and did not, be it for another process, for a quota, or for
    each other; None where the system does not count it. ``lost_s`` is the part of that which its
    own threads do not explain, and what the hypervisor stole. ``cores`` is how many cores it could
    use, ``others_s`` how long other processes used them.
    """

    wall_s: float
    ran_s: float
    waited_s: float | None = None
    lost_s: float | None = None
    cores: int = 0
    others_s: float = 0.0
    stolen_s: float = 0.0
    throttled_s: float = 0.0
    pressure_s: float | None = None
    preemptions: float | None = None

    @classmethod
    def between(cls, before: HostSnapshot, after: HostSnapshot) -> "HostConditions":
        """Return the conditions of a window from the snapshots at its edges."""
        wall_s, ran_s = after.wall_s - before.wall_s, after.cpu_s - before.cpu_s
        pressure_s = _difference(before.pressure_s, after.pressure_s)
        switches = _difference(before.preemptions, after.preemptions)
        if not (before.threads and after.threads):
            return cls(wall_s, ran_s, pressure_s=pressure_s, preemptions=switches)
        threads = [
            _thread_change(before.threads.get(thread), times)
            for thread, times in after.threads.items()
        ]
        active = [each for each in threads if each.ran_s + each.waited_s > _MIN_SHARE * wall_s]
        usable = frozenset().union(*(each.cores for each in active)) & after.cores.keys()
        cores = _sum_of_cores(before.cores, after.cores, usable)
        group = _most_throttled(before.groups, after.groups)
        # The kernel counts by ticks: what they cannot resolve counts for nobody.
        tick_s = 1 / os.sysconf("SC_CLK_TCK")
        unresolved_s = len(usable) * tick_s
        others_s = max(0.0, cores.used_s - ran_s - unresolved_s)
        stolen_s = max(0.0, cores.stolen_s - unresolved_s)
        lost_s = waited_s = sum(each.waited_s for each in threads)
        if usable and len(active) > min(len(usable), after.core_limit):
            # More of its own threads than cores: they kept each other waiting, and others did so
            # only as long as they ran themselves.
            throttled = group.throttled_s > _MIN_SHARE * wall_s
            lost_s = min(waited_s, max(0.0, group.ran_s - ran_s) if throttled else others_s)
        ended_s = ran_s - sum(each.ran_s for each in threads) - len(active) * tick_s
        if ended_s > _MIN_SHARE * wall_s and cores.idle_s < wall_s:
            # The kernel forgets how long a thread waited that has ended.
            lost_s = max(lost_s, others_s)
        if cores.used_s:
            lost_s += stolen_s * min(1.0, ran_s / cores.used_s)
        return cls(
            wall_s,
            ran_s,
            waited_s,
            lost_s,
            len(usable),
            others_s,
            stolen_s,
            group.throttled_s,
            pressure_s,
            switches,
        )

    @property
    def waited(self) -> float | None:
        """The largest share of the window that waiting can have cost its calls, None if unknown.

        Waits of several threads count as if they were one after another, so that it may exceed 1.
        """
        return None if self.lost_s is None else self.lost_s / self.wall_s

    @property
    def note(self) -> str:
        """The conditions as a note of a measurement."""
        running = f"on average {self.ran_s / self.wall_s:.2f} threads ran"
        if self.waited_s is None or self.lost_s is None:
            return f"{running}; how many waited for a core is not known here"
        waiting = f"{running} and {self.waited_s / self.wall_s:.2f} waited for a core"
        if self.waited_s < _MIN_SHARE * self.wall_s and self.lost_s < _MIN_SHARE * self.wall_s:
            return waiting
        return f"{waiting} ({', '.join(self._causes())})"

    def _causes(self) -> Iterator[str]:
        assert self.waited_s is not None
        assert self.lost_s is not None
        own_s = self.waited_s - self.lost_s
        if own_s > _MIN_SHARE * self.wall_s:
            yield f"{own_s / self.wall_s:.2f} of them for each other"
        yield f"others used {self.others_s / self.wall_s:.2f} of {self.cores} cores"
        for name, seconds in (("stolen", self.stolen_s), ("throttled", self.throttled_s)):
            if seconds >= _MIN_SHARE * self.wall_s:
                yield f"{name} {percent(seconds / self.wall_s)} of the time"
        if self.pressure_s is not None:
            yield f"pressure {percent(min(1.0, self.pressure_s / self.wall_s))}"
        if self.preemptions is not None:
            yield f"{self.preemptions / self.wall_s:.0f} preemptions a second"


def _thread_change(before: ThreadTimes | None, after: ThreadTimes) -> ThreadTimes:
    if before is None:  # it began in the window
        return after
    ran_s, waited_s = after.ran_s - before.ran_s, after.waited_s - before.waited_s
    return ThreadTimes(ran_s, waited_s, after.cores)


def _sum_of_cores(
    before: Mapping[int, CoreTimes], after: Mapping[int, CoreTimes], cores: Collection[int]
) -> CoreTimes:
    """Return the times of ``cores`` together over a window; of one that went online in it none."""
    changes = [
        [later - earlier for earlier, later in zip(before[core], after[core], strict=True)]
        for core in cores
        if core in before
    ]
    return CoreTimes(*map(sum, zip(*changes, strict=True)))


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _most_throttled(
    before: Mapping[str, GroupTimes], after: Mapping[str, GroupTimes]
) -> GroupTimes:
    """Return the times over a window of the control group that was throttled longest."""
    changes = [
        GroupTimes(now.throttled_s - then.throttled_s, now.ran_s - then.ran_s)
        for folder, now in after.items()
        if (then := before.get(folder)) is not None
    ]
    return max(changes, default=GroupTimes(0.0, 0.0))
