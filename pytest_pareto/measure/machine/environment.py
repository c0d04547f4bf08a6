"""The machine as the process that measured saw it."""

import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from pytest_pareto.measure.device import loaded_torch
from pytest_pareto.measure.machine.cores import usable_cores
from pytest_pareto.measure.machine.gpus import gpu_software, visible_gpus
from pytest_pareto.model.environment import Environment

_LIBRARIES = ("torch", "numpy", "diffusers", "transformers")


def probe_environment(software: Mapping[str, str] | None = None) -> Environment:
    """Describe the machine, for the process that measured and after it has.

    The GPUs are those that this process sees, and none where it has not used CUDA: a
    machine's idle GPU says nothing about what was measured. Versions are of the libraries
    that are imported; ``software`` adds the caller's own, and wins.
    """
    gpus = visible_gpus()
    cores = usable_cores()
    torch = loaded_torch()
    return Environment(
        cpu_model=cpu_model(),
        usable_cores=cores,
        threads=cores if torch is None else int(torch.get_num_threads()),
        gpu_product=gpus.product,
        gpu_count=gpus.count,
        mig_profile=gpus.mig_profile,
        power_limits_w=gpus.power_limits_w,
        boards=gpus.boards,
        software={
            "python": platform.python_version(),
            **_imported_versions(),
            **gpu_software(),
            **({} if gpus.driver is None else {"driver": gpus.driver}),
            **(software or {}),
        },
    )


def cpu_model(root: Path = Path("/")) -> str:
    """Return the processor's name as its maker gives it, or else its architecture."""
    if sys.platform == "darwin":
        return _mac_cpu_model() or platform.machine()
    try:
        lines = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        label, _, value = line.partition(":")
        if label.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine() or "unknown"


def _mac_cpu_model() -> str:
    try:
        asked = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return asked.stdout.strip()


def _imported_versions() -> dict[str, str]:
    versions = {}
    for name in _LIBRARIES:
        if name not in sys.modules:
            continue
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            # Run from its source tree: a version of its own is better than none.
            versions[name] = str(getattr(sys.modules[name], "__version__", "unknown"))
    return versions
