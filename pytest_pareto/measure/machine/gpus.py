"""The GPUs that this process can use, by torch, and by NVML what torch does not know."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_pareto.measure.device import initialized_cuda, loaded_torch
from pytest_pareto.measure.machine.nvml import NvmlError, board_name, open_nvml

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
    uuids = device_uuids(cuda, range(cuda.device_count()))
    power_limits_w, driver = _ask_nvml(uuids)
    return Gpus(
        product=" + ".join(dict.fromkeys(_MIG.sub("", name) for name in names)) or None,
        count=len(names),
        mig_profile=" + ".join(dict.fromkeys(migs)) or None,
        power_limits_w=power_limits_w,
        boards=tuple(board_name(uuid) for uuid in uuids),
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


def device_uuids(cuda: Any, indexes: Iterable[int]) -> tuple[str, ...]:
    """Return the UUIDs of these devices of torch, or none where one of them has none."""
    found = [getattr(cuda.get_device_properties(index), "uuid", None) for index in indexes]
    if any(uuid is None for uuid in found):
        return ()
    return tuple(str(uuid).lower().removeprefix("gpu-") for uuid in found)


def _ask_nvml(uuids: Sequence[str]) -> tuple[tuple[float, ...], str | None]:
    """Return the power limits (W) of the boards with these UUIDs, and the driver's version."""
    driver: str | None = None
    try:
        with open_nvml() as nvml:
            driver = nvml.driver()
            return tuple(nvml.board(uuid).power_limit_w() for uuid in uuids), driver
    except NvmlError:  # what is not known is left empty
        return (), driver
