import os
from pathlib import Path

import pytest

from pytest_pareto.measure.machine import usable_cores


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
