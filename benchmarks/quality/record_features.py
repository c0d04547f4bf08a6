"""Draw a pool of images with variants of the example, and keep their features.

    PYTHONPATH=.:example_project python -m benchmarks.quality.record_features

Needs torch, diffusers and scikit-learn, and takes a minute on two cores. The features of an image
are its first 16 principal components, by the axes of the real digits that the example's judges
learned from; those digits' own are kept beside them. Every variant draws from the same seeds.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

FILE = Path(__file__).parent / "data" / "digit_features.npz"
POOL, FEATURES, BATCH = 4_000, 16, 400
NAMES = ("ddim-4", "bf16-4", "cached-4", "ddim-2")


def main() -> None:
    """Write the file."""
    import torch

    from digits_diffusion.data import CLASSES, load_halves
    from digits_diffusion.variants import VARIANTS

    _, judged = load_halves()
    real = judged.images.flatten(1).numpy().astype(np.float64)
    _, _, axes = np.linalg.svd(real - real.mean(0), full_matrices=False)

    def features(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float16]:
        kept = (pixels - real.mean(0)) @ axes[:FEATURES].T
        return np.asarray(kept, dtype=np.float16)

    pools = {}
    for variant in VARIANTS:
        if variant.name not in NAMES:
            continue
        pipeline, drawn = variant.build(), []
        for start in range(0, POOL, BATCH):
            seeds = range(start, start + BATCH)
            labels = torch.arange(start, start + BATCH) % CLASSES
            drawn.append(pipeline(labels, seeds, num_inference_steps=variant.steps).flatten(1))
        pools[variant.name] = features(torch.cat(drawn).numpy().astype(np.float64))
    pools["real"] = features(real)
    np.savez_compressed(FILE, **pools)  # type: ignore[arg-type]  # numpy means no array by it


if __name__ == "__main__":
    main()
