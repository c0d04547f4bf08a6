"""The pipeline: labels and seeds in, images out."""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import DDIMScheduler, DiffusionPipeline, SchedulerMixin, UNet2DModel

WEIGHTS = Path(__file__).parents[1] / "weights"


class DigitPipeline(DiffusionPipeline):  # type: ignore[misc]  # diffusers is untyped
    """Draws digits. Each image has a seed of its own, so that a batch is no part of it."""

    model_cpu_offload_seq = "unet"

    def __init__(self, unet: UNet2DModel, scheduler: SchedulerMixin) -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)
        self.set_progress_bar_config(disable=True)

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # as torch is
    def __call__(
        self, labels: Sequence[int], seeds: Sequence[int], *, num_inference_steps: int = 10
    ) -> torch.Tensor:
        """Draw one image per label and seed: shape (n, 1, 8, 8), values of -1 to 1, on the CPU."""
        classes = torch.as_tensor(labels, device=self.device)
        images = noise(seeds, self.unet).to(self.device, self.unet.dtype)
        self.scheduler.set_timesteps(num_inference_steps, device=self.device)
        for step in self.progress_bar(self.scheduler.timesteps):
            model_input = self.scheduler.scale_model_input(images, step)
            predicted = self.unet(model_input, step, class_labels=classes).sample
            images = self.scheduler.step(predicted, step, images).prev_sample
        return images.clamp(-1, 1).float().cpu()


def noise(seeds: Sequence[int], unet: UNet2DModel) -> torch.Tensor:
    """Return the starting noise, one CPU generator per image: (n, channels, size, size)."""
    shape = (unet.config.in_channels, unet.config.sample_size, unet.config.sample_size)
    generators = (torch.Generator("cpu").manual_seed(seed) for seed in seeds)
    return torch.stack([torch.randn(shape, generator=g) for g in generators])


def load_pipeline(folder: Path = WEIGHTS) -> DigitPipeline:
    """Load the trained weights from this folder; never from a hub."""
    unet = UNet2DModel.from_pretrained(
        folder,
        subfolder="unet",
        local_files_only=True,
        use_safetensors=True,
        low_cpu_mem_usage=False,  # true needs another package, and saves nothing at this size
    )
    scheduler = DDIMScheduler.from_pretrained(folder, subfolder="scheduler", local_files_only=True)
    unet.eval().requires_grad_(requires_grad=False)
    return DigitPipeline(unet, scheduler)
