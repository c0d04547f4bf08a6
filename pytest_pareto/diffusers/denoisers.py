"""The parts of a pipeline that work in each of its steps, and where they do."""

from typing import Any

from pytest_pareto.measure.device import loaded_torch

# What runs in each step, by its name in diffusers' pipelines: the first group that is there.
# A pipeline with a `unet` may have a `decoder` that is none of the denoiser's business.
DENOISERS = (
    ("unet", "transformer", "transformer_2", "controlnet"),
    ("prior", "decoder", "model"),
)


def denoisers_of(pipeline: object) -> list[Any]:
    """Return the torch modules that denoise, none where no known name has one."""
    torch = loaded_torch()
    if torch is None:
        return []
    for names in DENOISERS:
        found = [getattr(pipeline, name, None) for name in names]
        modules = [each for each in found if isinstance(each, torch.nn.Module)]
        if modules:
            return modules
    return []


def device_of(pipeline: object, denoiser: Any) -> object:
    """Return where a pipeline says that it works, else where this denoiser's weights are."""
    # The first one also knows where models go that are kept elsewhere between their turns;
    # neither knows anything of parts that are not diffusers' own.
    for name in ("_execution_device", "device"):
        device = getattr(pipeline, name, None)
        if device is not None:
            return device
    weight = next(denoiser.parameters(), None)
    return "cpu" if weight is None else weight.device
