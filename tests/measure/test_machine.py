import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pareto.measure.machine import cpu_model, probe_environment, usable_cores
from pytest_pareto.model.metric import Scope


@pytest.mark.usefixtures("without_torch")
def test_a_process_without_torch_has_no_gpu_and_as_many_threads_as_cores() -> None:
    found = probe_environment()
    assert found.gpu_product is None
    assert (found.gpu_count, found.power_limits_w, found.boards) == (0, (), ())
    assert found.threads == found.usable_cores == usable_cores()
    assert found.software["python"] == platform.python_version()
    assert "torch" not in found.software
    assert found.hardware_key.startswith("cpu-")


def test_a_process_with_cuda_is_described(fake_torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # not installed
    fake_torch.__version__ = "2.13.0"
    found = probe_environment()
    assert found.hardware_key == "nvidia-h200x3"
    assert found.threads == 7
    assert len(found.boards) == 3
    assert found.software["cuda"] == "13.0"
    assert "driver" not in found.software
    assert found.mismatch(probe_environment(), Scope.HOST) is None


def test_imported_libraries_and_the_callers_software_are_recorded(
    monkeypatch: pytest.MonkeyPatch, fake_torch: Any
) -> None:
    versions = {"numpy": "2.4.6", "torch": "2.13.0"}
    monkeypatch.setitem(sys.modules, "numpy", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "diffusers", SimpleNamespace(__version__="0.42.dev0"))
    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    monkeypatch.setattr("importlib.metadata.version", lambda name: _version(versions, name))
    software = probe_environment({"pytest": "9.2.0", "python": "pypy"}).software
    assert software["numpy"] == "2.4.6"
    assert software["torch"] == "2.13.0"
    assert software["diffusers"] == "0.42.dev0"  # run from its source tree
    assert "transformers" not in software
    assert software["pytest"] == "9.2.0"
    assert software["python"] == "pypy"


def _version(versions: dict[str, str], name: str) -> str:
    from importlib.metadata import PackageNotFoundError

    if name not in versions:
        raise PackageNotFoundError(name)
    return versions[name]


class TestCpuModel:
    @pytest.fixture(autouse=True)
    def _on_linux(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(platform, "processor", lambda: "")
        monkeypatch.setattr(platform, "machine", lambda: "aarch64")

    def test_linux_has_its_makers_name(self, tmp_path: Path) -> None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc/cpuinfo").write_text(
            "processor\t: 0\nmodel\t\t: 143\nmodel name\t: Intel(R) Xeon(R) Platinum 8468\n"
        )
        assert cpu_model(tmp_path) == "Intel(R) Xeon(R) Platinum 8468"

    def test_a_processor_without_a_name_is_its_architecture(self, tmp_path: Path) -> None:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nCPU implementer\t: 0x41\n")
        assert cpu_model(tmp_path) == "aarch64"

    def test_so_is_a_system_without_cpuinfo(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(platform, "processor", lambda: "AMD64 Family 25")
        assert cpu_model(tmp_path) == "AMD64 Family 25"

    def test_a_mac_is_queried_by_sysctl(self, monkeypatch: pytest.MonkeyPatch) -> None:
        commands = []

        def run(command: list[str], **options: object) -> SimpleNamespace:
            commands.append(command)
            return SimpleNamespace(stdout="Apple M3 Max\n")

        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setattr(subprocess, "run", run)
        assert cpu_model() == "Apple M3 Max"
        assert commands == [["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]]

    def test_a_mac_without_sysctl_is_its_architecture(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def run(command: list[str], **options: object) -> SimpleNamespace:
            raise FileNotFoundError(command[0])

        monkeypatch.setattr(sys, "platform", "darwin")
        monkeypatch.setattr(subprocess, "run", run)
        assert cpu_model() == "aarch64"
