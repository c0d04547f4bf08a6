"""What counting the work of a full-size model costs on a machine without a GPU.

Counts one call of the UNet of Stable Diffusion 1.5 (batch 2, latents of 64 x 64, text states
of 77 x 768) on the meta device, in a fresh process. Prints GFLOP, operations, seconds to import
what it takes, to build the model and to count, and the most memory that the process had.

    python benchmarks/count_work.py

Needs torch and diffusers.
"""

import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def timed(what: str, do: Callable[[], T]) -> T:
    started = time.perf_counter()
    result = do()
    print(f"{what:<12}{time.perf_counter() - started:7.2f} s   {peak_mb():6.0f} MB at most so far")
    return result


def peak_mb() -> float:
    # Linux counts it in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def load() -> None:
    import diffusers  # noqa: F401
    from diffusers import UNet2DConditionModel  # noqa: F401


def build() -> tuple[object, tuple[object, ...]]:
    import torch
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        # The sizes of Stable Diffusion 1.5; diffusers calls its 8 heads a "head dim".
        unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
        inputs = torch.empty(2, 4, 64, 64), torch.tensor(500), torch.empty(2, 77, 768)
    return unet, inputs


def main() -> None:
    from pytest_pareto import count_work

    timed("import", load)
    unet, inputs = timed("build", build)
    assert callable(unet)
    work = timed("count", lambda: count_work(unet, *inputs))
    print(f"{work.flops / 1e9:.1f} GFLOP in {work.operations} operations")
    if work.uncounted:
        print(f"not counted: {', '.join(work.uncounted)}")


if __name__ == "__main__":
    main()
