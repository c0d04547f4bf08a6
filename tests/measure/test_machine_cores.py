import os
from pathlib import Path

import pytest

from pytest_pareto.measure.machine import free_memory_b, memory_in_use_b, usable_cores


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def _cgroup(root: Path, membership: str, **quotas: str) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(membership)
    for folder, quota in quotas.items():
        place = root / "sys/fs/cgroup" / ("" if folder == "top" else folder.replace("_", "/"))
        place.mkdir(parents=True, exist_ok=True)
        (place / "cpu.max").write_text(quota)
    return root


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("3200000 100000\n", 8),
        ("garbage\n", 8),
        ("200000 0\n", 8),
    ],
)
def test_a_quota_lowers_the_cores_and_never_raises_them(
    tmp_path: Path, quota: str, cores: int
) -> None:
    assert usable_cores(_cgroup(tmp_path, "0::/\n", top=quota)) == cores


@pytest.mark.usefixtures("eight_cores")
def test_the_tightest_quota_on_the_way_up_holds(tmp_path: Path) -> None:
    root = _cgroup(
        tmp_path,
        "12:cpu:/elsewhere\n0::/build/job\n",
        build="300000 100000",
        build_job="max 100000",
        elsewhere="100000 100000",
    )
    assert usable_cores(root) == 3


@pytest.mark.usefixtures("eight_cores")
def test_without_cgroups_the_scheduler_decides(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == 8


def test_without_affinity_all_cores_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert usable_cores(tmp_path) == 12


def test_this_machine_has_a_core() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def _memory(root: Path, membership: str = "0::/\n", **limits: tuple[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(membership)
    (root / "proc/self/status").write_text("Name:\tpython\nVmRSS:\t    2048 kB\nThreads:\t1\n")
    (root / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    8192 kB\n")
    for folder, (limit, used) in limits.items():
        place = root / "sys/fs/cgroup" / ("" if folder == "top" else folder.replace("_", "/"))
        place.mkdir(parents=True, exist_ok=True)
        (place / "memory.max").write_text(limit)
        (place / "memory.current").write_text(used)
    return root


def test_free_memory_is_what_the_system_has(tmp_path: Path) -> None:
    root = _memory(tmp_path, top=("max\n", "1000\n"))
    assert free_memory_b(root) == 8192 * 1024
    assert memory_in_use_b(root) == 2048 * 1024


def test_a_limit_of_a_cgroup_on_the_way_up_holds(tmp_path: Path) -> None:
    limits = {"build": ("5000\n", "3000\n"), "build_job": ("max\n", "10\n")}
    assert free_memory_b(_memory(tmp_path, "0::/build/job\n", **limits)) == 2000


def test_a_cgroup_that_is_full_leaves_nothing(tmp_path: Path) -> None:
    assert free_memory_b(_memory(tmp_path, top=("1000", "1200"))) == 0


def test_files_that_a_cgroup_has_cached_are_free(tmp_path: Path) -> None:
    root = _memory(tmp_path, top=("5000\n", "4900\n"))
    (root / "sys/fs/cgroup/memory.stat").write_text("anon 1900\ninactive_file 2500\nshmem 0\n")
    assert free_memory_b(root) == 2600
    (root / "sys/fs/cgroup/memory.stat").write_text("anon 1900\n")
    assert free_memory_b(root) == 100


def test_where_no_memory_is_told_none_is_known(tmp_path: Path) -> None:
    assert free_memory_b(tmp_path) is None
    assert memory_in_use_b(tmp_path) is None
