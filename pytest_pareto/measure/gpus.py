"""The GPUs that this process can use, by torch, and by NVML what torch does not know."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_pareto.measure.device import initialized_cuda, loaded_torch

_MIG = re.compile(r"\s*\bMIG (\S+)")


@dataclass(frozen=True, slots=True)
class Gpus:
    """The visible CUDA devices, in torch's order; empty where CUDA was not used.

    ``boards`` are short hashes of UUIDs. What could not be found out is left empty.
    """

    product: str | None = None
    count: int = 0
    mig_profile: str | None = None
    power_limits_w: tuple[float, ...] = ()
    boards: tuple[str, ...] = ()
    driver: str | None = None


def visible_gpus() -> Gpus:
    """Describe the GPUs that this process sees, if it has started CUDA."""
    cuda = initialized_cuda()
    if cuda is None:
        return Gpus()
    names = [str(cuda.get_device_name(index)) for index in range(cuda.device_count())]
    migs = [found[1] for name in names if (found := _MIG.search(name))]
    uuids = _uuids(cuda)
    power_limits_w, driver = _ask_nvml(uuids)
    return Gpus(
        product=" + ".join(dict.fromkeys(_MIG.sub("", name) for name in names)) or None,
        count=len(names),
        mig_profile=" + ".join(dict.fromkeys(migs)) or None,
        power_limits_w=power_limits_w,
        boards=tuple(hashlib.sha256(uuid.encode()).hexdigest()[:8] for uuid in uuids),
        driver=driver,
    )


def gpu_software() -> dict[str, str]:
    """Return the versions of CUDA (or HIP) and cuDNN that torch uses, if it uses them."""
    torch = loaded_torch()
    if torch is None or initialized_cuda() is None:
        return {}
    versions = {
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "cudnn": torch.backends.cudnn.version(),
    }
    return {name: str(version) for name, version in versions.items() if version is not None}


def _uuids(cuda: Any) -> tuple[str, ...]:
    properties = [cuda.get_device_properties(index) for index in range(cuda.device_count())]
    found = [getattr(device, "uuid", None) for device in properties]
    if any(uuid is None for uuid in found):
        return ()
    return tuple(str(uuid).lower().removeprefix("gpu-") for uuid in found)


def _ask_nvml(uuids: Sequence[str]) -> tuple[tuple[float, ...], str | None]:
    """Return the power limits (W) of the boards with these UUIDs, and the driver's version.

    Boards are found by UUID because NVML numbers them by itself and sees hidden ones too.
    """
    driver: str | None = None
    try:
        import pynvml as nvml

        nvml.nvmlInit()
    except Exception:  # no NVML here: no library, no driver, no permission, ...
        return (), driver
    try:
        driver = str(nvml.nvmlSystemGetDriverVersion())
        return tuple(_power_limit_w(nvml, uuid) for uuid in uuids), driver
    except Exception:  # as above, for one question: what is not known is left empty
        return (), driver
    finally:
        nvml.nvmlShutdown()


def _power_limit_w(nvml: Any, uuid: str) -> float:
    try:
        board = nvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except nvml.NVMLError:
        # A slice of a board has a UUID of its own; the limit is its board's.
        part = nvml.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}")
        board = nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(part)
    return float(nvml.nvmlDeviceGetPowerManagementLimit(board)) / 1e3
