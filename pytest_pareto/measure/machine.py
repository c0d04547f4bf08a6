"""Environment of a measurement: processor, usable cores, GPUs and software versions.

`probe_environment` describes the machine as the process that measured sees it; `usable_cores`
respects affinity and cgroup quotas, and `free_memory_b` the limits of cgroups; `visible_gpus`
combines torch with NVML, which knows power limits and the driver.
"""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pytest_pareto.measure.device import initialized_cuda, loaded_torch
from pytest_pareto.measure.nvml import NvmlError, board_name, open_nvml
from pytest_pareto.model.environment import Environment

_LIBRARIES = ("torch", "numpy", "diffusers", "transformers")
_MIG_PROFILE = re.compile(r"\s*\bMIG (\S+)")


def probe_environment(software: Mapping[str, str] | None = None) -> Environment:
    """Return a description of the machine; call it in the process that measured, afterwards.

    The GPUs are those that this process sees, and none where it has not used CUDA: an idle
    GPU of the machine does not matter to what was measured. Versions are those of the imported
    libraries; ``software`` adds or overrides entries.
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
    """Return the processor's model name as its maker gives it, or else its architecture."""
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
        completed = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return completed.stdout.strip()


def _imported_versions() -> dict[str, str]:
    versions = {}
    for name in _LIBRARIES:
        if name not in sys.modules:
            continue
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            # Imported from a source tree: the module's own version is better than none.
            versions[name] = str(getattr(sys.modules[name], "__version__", "unknown"))
    return versions


def usable_cores(root: Path = Path("/")) -> int:
    """Return the number of cores that the scheduler allows, or fewer if a quota limits their time.

    A container with a quota of two cores' time sees all cores of its host, but the threads of a
    library are limited by the quota (cgroup v2 `cpu.max`, rounded down, at least one).
    """
    return within_quota(_allowed_cores(), root)


def within_quota(cores: int, root: Path = Path("/")) -> int:
    """Return how many of these cores the quotas of the process's cgroups allow, at least one."""
    quotas = (quota for folder in cgroup_folders(root) for quota in _read_quota(folder / "cpu.max"))
    return min(cores, max(1, int(min(quotas, default=cores))))


def _allowed_cores() -> int:
    # Only Linux and some BSDs have CPU affinity.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cgroup_folders(root: Path = Path("/")) -> Iterator[Path]:
    """Yield the folder of every ancestor of this process's cgroup, and last its own (version 2)."""
    mount = root / "sys/fs/cgroup"
    try:
        memberships = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    own_cgroup = next(
        (line.removeprefix("0::/") for line in memberships if line.startswith("0::/")), ""
    )
    path_parts = [part for part in own_cgroup.split("/") if part not in {"", ".", ".."}]
    for depth in range(len(path_parts) + 1):
        yield mount.joinpath(*path_parts[:depth])


def memory_in_use_b(root: Path = Path("/")) -> int | None:
    """Return the bytes of this process that are in memory; None where Linux does not tell them."""
    return _read_kilobytes(root / "proc/self/status", "VmRSS")


def free_memory_b(root: Path = Path("/")) -> int | None:
    """Return the bytes that new processes can have, within the limits of this one's cgroups.

    None where Linux does not tell them.
    """
    available_b = _read_kilobytes(root / "proc/meminfo", "MemAvailable")
    if available_b is None:
        return None
    return max(0, min((available_b, *_free_in_cgroups(root))))


def _free_in_cgroups(root: Path) -> Iterator[int]:
    for folder in cgroup_folders(root):
        try:
            limit, used = ((folder / f"memory.{each}").read_text() for each in ("max", "current"))
            yield int(limit) - int(used) + _reclaimable_b(folder)
        except (OSError, ValueError):
            continue  # no such file, or "max": no limit


def _reclaimable_b(cgroup: Path) -> int:
    """Return the bytes of files that a cgroup has cached, and has not used lately.

    They count as used, and fill a container that has read much; the kernel frees them on demand.
    """
    try:
        lines = (cgroup / "memory.stat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    (size,) = [line.split()[1] for line in lines if line.startswith("inactive_file ")] or ["0"]
    return int(size)


def _read_kilobytes(file: Path, name: str) -> int | None:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        value = next(line.split()[1] for line in lines if line.startswith(f"{name}:"))
        return 1024 * int(value)
    except (OSError, StopIteration, IndexError, ValueError):
        return None


def _read_quota(file: Path) -> Iterator[float]:
    try:
        allowed_us, period_us = file.read_text(encoding="utf-8").split()
        yield float(allowed_us) / float(period_us)
    except (OSError, ValueError, ZeroDivisionError):
        return  # no such file, or "max": no quota


@dataclass(frozen=True, slots=True)
class Gpus:
    """The visible CUDA devices, in torch's order; empty where CUDA was not used.

    ``boards`` are short hashes of UUIDs. Unknown values are left empty.
    """

    product: str | None = None
    count: int = 0
    mig_profile: str | None = None
    power_limits_w: tuple[float, ...] = ()
    boards: tuple[str, ...] = ()
    driver: str | None = None


def visible_gpus() -> Gpus:
    """Return a description of the GPUs that this process sees, if it has initialised CUDA."""
    cuda = initialized_cuda()
    if cuda is None:
        return Gpus()
    names = [str(cuda.get_device_name(index)) for index in range(cuda.device_count())]
    migs = [found[1] for name in names if (found := _MIG_PROFILE.search(name))]
    uuids = device_uuids(cuda, range(cuda.device_count()))
    power_limits_w, driver = _query_nvml(uuids)
    return Gpus(
        product=" + ".join(dict.fromkeys(_MIG_PROFILE.sub("", name) for name in names)) or None,
        count=len(names),
        mig_profile=" + ".join(dict.fromkeys(migs)) or None,
        power_limits_w=power_limits_w,
        boards=tuple(board_name(uuid) for uuid in uuids),
        driver=driver,
    )


def gpu_software() -> dict[str, str]:
    """Return the versions of CUDA (or HIP) and cuDNN that torch uses; {} without CUDA."""
    torch = loaded_torch()
    if torch is None or initialized_cuda() is None:
        return {}
    versions = {
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "cudnn": torch.backends.cudnn.version(),
    }
    return {name: str(version) for name, version in versions.items() if version is not None}


def device_uuids(cuda: Any, indexes: Iterable[int]) -> tuple[str, ...]:
    """Return the UUIDs of these torch devices, or () if any of them has none."""
    uuids = [getattr(cuda.get_device_properties(index), "uuid", None) for index in indexes]
    if any(uuid is None for uuid in uuids):
        return ()
    return tuple(str(uuid).lower().removeprefix("gpu-") for uuid in uuids)


def _query_nvml(uuids: Sequence[str]) -> tuple[tuple[float, ...], str | None]:
    """Return the power limits (W) of the boards with these UUIDs, and the driver's version."""
    driver: str | None = None
    try:
        with open_nvml() as nvml:
            driver = nvml.driver()
            return tuple(nvml.board(uuid).power_limit_w() for uuid in uuids), driver
    except NvmlError:  # unknown values are left empty
        return (), driver
