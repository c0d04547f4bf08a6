"""Train the model and write its weights: ``python -m digits_diffusion.train``.

Takes some ten minutes on two cores. The weights in the repository came from here; train again
only to change the model, and record a new baseline afterwards.
"""

import argparse
import copy
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DModel
from torch.nn import functional

from digits_diffusion.data import CLASSES, SIZE, load_halves
from digits_diffusion.pipeline import WEIGHTS, DigitPipeline

BATCH = 128
DECAY = 0.998  # of the running mean of the weights


def build_unet() -> UNet2DModel:
    """Build the untrained model."""
    return UNet2DModel(
        sample_size=SIZE,
        in_channels=1,
        out_channels=1,
        layers_per_block=1,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=16,
        norm_num_groups=8,
        num_class_embeds=CLASSES,
    )


def build_scheduler() -> DDIMScheduler:
    """Build the noise schedule."""
    return DDIMScheduler(beta_schedule="squaredcos_cap_v2")


def train(steps: int, seed: int) -> DigitPipeline:
    """Train from scratch and return a pipeline with the running mean of the weights."""
    torch.manual_seed(seed)
    digits, _ = load_halves()
    unet, scheduler = build_unet(), build_scheduler()
    mean = copy.deepcopy(unet).requires_grad_(requires_grad=False)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    for step in range(steps):
        chosen = torch.randint(len(digits.labels), (BATCH,))
        images, labels = digits.images[chosen], digits.labels[chosen]
        noise = torch.randn_like(images)
        times = torch.randint(scheduler.config.num_train_timesteps, (BATCH,))
        noisy = scheduler.add_noise(images, noise, times)
        loss = functional.mse_loss(unet(noisy, times, class_labels=labels).sample, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        for kept, new in zip(mean.parameters(), unet.parameters(), strict=True):
            kept.lerp_(new.detach(), 1 - min(DECAY, (step + 1) / (step + 10)))
        if step % 200 == 0:
            print(f"step {step:>5} of {steps}: loss {loss.item():.4f}", flush=True)
    return DigitPipeline(mean.eval(), scheduler)


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    train(options.steps, options.seed).save_pretrained(options.out)
    print(f"written to {options.out}")


if __name__ == "__main__":
    main()
