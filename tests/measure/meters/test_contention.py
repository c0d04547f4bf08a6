"""Tests of what a window of calls asked of the host: on texts of the kernel, and on the kernel."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meters.contention import HostConditions, HostSnapshot, ThreadTimes
from pytest_pareto.measure.meters.latency import SteadyMeter, StreamMeter
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.measure.streams import Stream
from pytest_pareto.model.run import Measurement
from tests.busy import needs_wait_times, one_core

TWO_CORES = frozenset({0, 1})
Threads = Mapping[int, tuple[float, float]]


@dataclass(frozen=True)
class Kernel:
    """The files of a kernel, in seconds of what was counted until now.

    ``threads`` ran and waited, ``cores`` were used, idle and stolen; ``group`` was throttled and
    ran.
    """

    threads: Threads
    cores: Sequence[tuple[float, float, float]] = ((0, 0, 0), (0, 0, 0))
    group: tuple[float, float] | None = None
    pressure_s: float | None = None

    def write(self, root: Path) -> None:
        for thread, (ran_s, waited_s) in self.threads.items():
            folder = root / "proc/self/task" / str(thread)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "schedstat").write_text(f"{round(1e9 * ran_s)} {round(1e9 * waited_s)} 7\n")
        lines = ["cpu  1 2 3 4 5 6 7 8 0 0"]
        for number, times in enumerate(self.cores):
            used, idle, stolen = (round(s * os.sysconf("SC_CLK_TCK")) for s in times)
            lines.append(f"cpu{number} {used} 0 0 {idle} 0 0 0 {stolen} 0 0")
        (root / "proc/stat").write_text("\n".join([*lines, "intr 1 2", "ctxt 9"]) + "\n")
        (root / "proc/self/cgroup").write_text("0::/job\n")
        folder = root / "sys/fs/cgroup/job"
        folder.mkdir(parents=True, exist_ok=True)
        if self.group is not None:
            throttled_us, ran_us = (round(1e6 * seconds) for seconds in self.group)
            text = f"usage_usec {ran_us}\nnr_throttled 3\nthrottled_usec {throttled_us}\n"
            (folder / "cpu.stat").write_text(text)
        if self.pressure_s is not None:
            total = f"some avg10=1.00 avg60=0.50 avg300=0.10 total={round(1e6 * self.pressure_s)}"
            (folder / "cpu.pressure").write_text(f"{total}\nfull avg10=0.00 total=0\n")


@pytest.fixture
def window(tmp_path: Path) -> "Window":
    return Window(tmp_path)


@dataclass(frozen=True)
class Window:
    """A window of ten seconds in which the kernel counted what it is given."""

    root: Path

    def __call__(
        self, kernel: Kernel, *, cpu_s: float | None = None, quota: str | None = None
    ) -> HostConditions:
        """Return the conditions; ``cpu_s`` is what the process ran, by default its threads."""
        Kernel(
            dict.fromkeys(kernel.threads, (3.0, 2.0)),
            [(40.0, 30.0, 5.0)] * len(kernel.cores),
            None if kernel.group is None else (1.0, 9.0),
            None if kernel.pressure_s is None else 6.0,
        ).write(self.root)
        if quota is not None:
            (self.root / "sys/fs/cgroup/job/cpu.max").write_text(quota)
        before = self._now()
        Kernel(
            {thread: (3.0 + ran, 2.0 + waited) for thread, (ran, waited) in kernel.threads.items()},
            [(40.0 + used, 30.0 + idle, 5.0 + stolen) for used, idle, stolen in kernel.cores],
            None if kernel.group is None else (1.0 + kernel.group[0], 9.0 + kernel.group[1]),
            None if kernel.pressure_s is None else 6.0 + kernel.pressure_s,
        ).write(self.root)
        ran_s = sum(ran for ran, _ in kernel.threads.values()) if cpu_s is None else cpu_s
        after = replace(
            self._now(), wall_s=before.wall_s + 10, cpu_s=before.cpu_s + ran_s, preemptions=1200
        )
        return HostConditions.between(replace(before, preemptions=0), after)

    def _now(self) -> HostSnapshot:
        return HostSnapshot.now(self.root, lambda _: TWO_CORES)


def waited(conditions: HostConditions) -> float:
    assert conditions.waited is not None
    return conditions.waited


def test_a_process_that_could_have_run_and_did_not(window: Window) -> None:
    busy = [(10.0, 0.0, 0.0)] * 2
    found = window(Kernel({1: (4.0, 6.0), 2: (0.0, 0.001)}, busy, pressure_s=8.8))
    assert waited(found) == pytest.approx(0.6, abs=0.001)
    assert found.note == (
        "on average 0.40 threads ran and 0.60 waited for a core (others used 1.60 of 2 cores, "
        "pressure 88 %, 120 preemptions a second)"
    )


def test_a_process_that_waits_for_a_gpu_is_not_kept_from_running(window: Window) -> None:
    # By CPU time over wall time the two would be alike.
    found = window(Kernel({1: (4.0, 0.01)}, [(10.0, 0.0, 0.0)] * 2, pressure_s=8.8))
    assert waited(found) == pytest.approx(0.001)
    assert found.note == "on average 0.40 threads ran and 0.00 waited for a core"


def test_waits_of_threads_add_up(window: Window) -> None:
    found = window(Kernel({1: (4.0, 6.0), 2: (4.0, 6.0)}, [(10.0, 0.0, 0.0)] * 2))
    assert waited(found) == pytest.approx(1.2)


class TestItsOwnThreads:
    def test_more_threads_than_cores_keep_each_other_waiting(self, window: Window) -> None:
        alone = Kernel(dict.fromkeys(range(1, 9), (2.5, 7.5)), [(10.0, 0.0, 0.0)] * 2)
        found = window(alone)
        assert waited(found) == 0.0
        assert "and 6.00 waited for a core (6.00 of them for each other" in found.note

    def test_others_took_no_more_than_they_used(self, window: Window) -> None:
        beside = Kernel(dict.fromkeys(range(1, 9), (2.0, 8.0)), [(10.0, 0.0, 0.0)] * 2)
        ticks = 2 / os.sysconf("SC_CLK_TCK")
        assert waited(window(beside)) == pytest.approx((20 - 16 - ticks) / 10)

    def test_as_many_threads_as_cores_can_only_have_waited_for_others(self, window: Window) -> None:
        # Even where nothing of the others is seen: some containers see their own use alone.
        found = window(Kernel({1: (5.0, 5.0), 2: (5.0, 5.0)}, [(5.0, 0.0, 0.0)] * 2))
        assert waited(found) == pytest.approx(1.0)

    def test_threads_that_hardly_ran_are_no_rivals(self, window: Window) -> None:
        threads = {1: (4.0, 6.0), 2: (0.05, 0.0), 3: (0.05, 0.0), 4: (0.05, 0.0)}
        assert waited(window(Kernel(threads, [(4.15, 5.85, 0.0)] * 2))) == pytest.approx(0.6)

    def test_threads_that_ended_may_have_waited_as_long_as_others_ran(self, window: Window) -> None:
        found = window(Kernel({1: (0.1, 0.0)}, [(10.0, 0.0, 0.0)] * 2), cpu_s=8.0)
        assert waited(found) == pytest.approx(1.2, abs=0.01)

    def test_a_thread_that_runs_is_counted_up_to_its_last_tick(self, window: Window) -> None:
        busy = [(10.0, 0.0, 0.0)] * 2
        tick_s = 1 / os.sysconf("SC_CLK_TCK")
        assert waited(window(Kernel({1: (4.0, 0.0)}, busy), cpu_s=4.09 + tick_s)) == 0.0
        assert waited(window(Kernel({1: (4.0, 0.0)}, busy), cpu_s=4.11 + tick_s)) > 1.0

    def test_but_did_not_wait_while_a_core_was_idle(self, window: Window) -> None:
        found = window(Kernel({1: (0.1, 0.0)}, [(9.0, 1.0, 0.0), (1.0, 9.0, 0.0)]), cpu_s=8.0)
        assert waited(found) == 0.0


class TestQuotas:
    threads: Threads = dict.fromkeys(range(1, 5), (2.5, 7.5))
    host = ((10.0, 0.0, 0.0),) * 2

    def test_throttling_by_its_own_use_is_its_own_doing(self, window: Window) -> None:
        found = window(Kernel(self.threads, self.host, group=(7.0, 10.0)), quota="100000 100000")
        assert waited(found) == pytest.approx(0.0, abs=1e-9)
        assert "throttled 70 % of the time" in found.note

    def test_others_in_the_control_group_use_up_the_quota(self, window: Window) -> None:
        found = window(Kernel(self.threads, self.host, group=(7.0, 14.0)), quota="100000 100000")
        assert waited(found) == pytest.approx(0.4)

    def test_a_single_thread_is_throttled_by_the_machine(self, window: Window) -> None:
        kernel = Kernel({1: (5.0, 5.0)}, self.host, group=(5.0, 5.0))
        assert waited(window(kernel, quota="50000 100000")) == pytest.approx(0.5)

    def test_a_quota_makes_threads_rivals_on_idle_cores(self, window: Window) -> None:
        kernel = Kernel({1: (5.0, 5.0), 2: (5.0, 5.0)}, [(5.0, 5.0, 0.0)] * 2, group=(5.0, 10.0))
        assert waited(window(kernel, quota="100000 100000")) == pytest.approx(0.0, abs=1e-9)
        assert waited(window(kernel, quota="max 100000")) == pytest.approx(1.0)


class TestStolenTime:
    def test_what_the_hypervisor_stole_counts_as_far_as_the_process_ran(
        self, window: Window
    ) -> None:
        found = window(Kernel({1: (8.0, 0.0)}, [(8.0, 1.0, 1.02), (0.0, 10.0, 0.0)]))
        assert waited(found) == pytest.approx(0.1)
        assert "stolen 10 % of the time" in found.note
        beside = window(Kernel({1: (4.0, 0.0)}, [(8.0, 1.0, 1.02), (0.0, 10.0, 0.0)]))
        assert waited(beside) == pytest.approx(0.05)

    def test_a_tick_is_no_theft(self, window: Window) -> None:
        assert waited(window(Kernel({1: (8.0, 0.0)}, [(8.0, 1.99, 0.01)] * 2))) == 0.0


def test_only_cores_that_the_process_may_use_count(window: Window) -> None:
    kernel = Kernel(dict.fromkeys(range(1, 9), (2.5, 7.5)), [(10.0, 0.0, 0.0)] * 16)
    assert waited(window(kernel)) == 0.0


@pytest.mark.parametrize(
    ("file", "text"),
    [("proc/stat", ""), ("proc/stat", "cpu0 1 2\n"), ("proc/stat", "\ngarbage\ncpux 1 2 3\n")],
)
def test_without_the_cores_the_waits_count_in_full(window: Window, file: str, text: str) -> None:
    kernel = Kernel({1: (4.0, 6.0)})
    window(kernel)
    (window.root / file).write_text(text)
    before = HostSnapshot.now(window.root, lambda _: TWO_CORES)
    Kernel({1: (8.0, 12.0)}).write(window.root)
    (window.root / file).write_text(text)
    after = HostSnapshot.now(window.root, lambda _: TWO_CORES)
    after = replace(after, wall_s=before.wall_s + 1, cpu_s=before.cpu_s + 1)
    assert waited(HostConditions.between(before, after)) == pytest.approx(4.0)


def test_elsewhere_cpu_time_is_all_that_is_known(tmp_path: Path) -> None:
    before = HostSnapshot.now(tmp_path)
    after = replace(before, wall_s=before.wall_s + 2, cpu_s=before.cpu_s + 1)
    found = HostConditions.between(before, after)
    assert found.waited is None
    assert found.note == "on average 0.50 threads ran; how many waited for a core is not known here"


class TestWhatTheMetersKeep:
    STARVED = (
        HostSnapshot(0.0, 0.0, {"1": ThreadTimes(0.0, 0.0, TWO_CORES)}, {}, {}, 0),
        HostSnapshot(10.0, 4.0, {"1": ThreadTimes(4.0, 6.0, TWO_CORES)}, {}, {}, 0),
    )

    def measured(self, function: Callable[..., Any], **options: Any) -> dict[str, Measurement]:
        snapshots = iter(self.STARVED)
        meters = (SteadyMeter(lambda: None, lambda: next(snapshots)), StreamMeter())
        _, found = measure_call(
            function, (), {}, meters=meters, plan=LoopPlan(rounds=3, warmup=0), **options
        )
        return {each.metric.name: each for each in found if each.values}

    def test_all_times_of_the_window_have_what_waiting_cost_and_one_says_so(self) -> None:
        found = self.measured(Stream(lambda: iter(range(3))))
        assert {name: each.waited for name, each in found.items()} == {
            "latency": 0.6, "time_to_first_item": 0.6, "time_per_item": 0.6,
            "items_per_second": 0.6, "items": None,
        }  # fmt: skip
        assert (
            found["latency"]
            .notes[-1]
            .startswith("on average 0.40 threads ran and 0.60 waited for a core")
        )

    def test_stages_are_times_of_the_window_too(self) -> None:
        class Staged:
            def __call__(self) -> None:
                pass

            def stages(self) -> dict[str, float]:
                return {"encode": 0.1}

        assert self.measured(Staged())["encode_time"].waited == 0.6

    def test_a_simulated_clock_has_no_host(self, clock: Any) -> None:
        found = self.measured(lambda: clock.advance(0.1), clock=clock)
        assert found["latency"].waited is None
        assert found["latency"].notes == ()


def conditions_of(seconds: float) -> HostConditions:
    before, until = HostSnapshot.now(), time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(1000))
    return HostConditions.between(before, HostSnapshot.now())


@needs_wait_times
def test_beside_two_busy_loops_on_one_core_most_time_is_lost() -> None:
    with one_core(rivals=2):
        found = conditions_of(0.6)
    assert waited(found) > 0.4
    assert found.ran_s < 0.6 * found.wall_s


@needs_wait_times
def test_a_process_that_sleeps_beside_them_loses_little() -> None:
    with one_core(rivals=2):
        before = HostSnapshot.now()
        time.sleep(0.6)
        found = HostConditions.between(before, HostSnapshot.now())
    assert found.ran_s < 0.1 * found.wall_s
    assert waited(found) < 0.2


@needs_wait_times
def test_threads_that_share_one_core_wait_for_each_other() -> None:
    data = bytes(2**22)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            hashlib.sha256(data)  # without the interpreter's lock

    threads = [threading.Thread(target=work) for _ in range(3)]
    with one_core(rivals=0):  # threads inherit it
        for thread in threads:
            thread.start()
        before = HostSnapshot.now()
        time.sleep(1.0)
        found = HostConditions.between(before, HostSnapshot.now())
        stop.set()
        for thread in threads:
            thread.join()
    assert found.waited_s is not None
    assert found.lost_s is not None
    # Of three threads two wait, whoever uses the core; what others use of it comes on top.
    assert found.waited_s - found.lost_s > 1.5 * found.wall_s
    assert found.lost_s < 1.1 * found.wall_s
