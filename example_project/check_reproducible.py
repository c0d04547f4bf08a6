"""Check that the quality of the example is the same anywhere, as its test claims.

Draws and scores every variant with other numbers of threads, other batch sizes and narrower
instruction sets, and compares with the committed baseline, sample by sample:

    python check_reproducible.py

Prints for each setting how many of the scores differ, and by how much at the most.
"""

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import torch

from digits_diffusion.scores import Reader, Similarity
from digits_diffusion.variants import VARIANTS
from pytest_pareto.baseline.store import load
from test_digits import LABELS, SEEDS

HERE = Path(__file__).parent
THREADS, BATCHES = (1, 2), (300, 100, 7)
WIDTHS: tuple[dict[str, str], ...] = (
    {},
    {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
    {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    },
)
"""Instruction sets: what this processor has, AVX2, SSE4."""


def differences(threads: int, batch: int) -> dict[str, tuple[int, float]]:
    """Score every variant; by score, how many of all differ, and the largest difference."""
    torch.set_num_threads(threads)
    recorded = load(HERE / "pareto_baselines", "no-machine").cases
    judges = {"label_accuracy": Reader().correct, "similarity": Similarity().similarity}
    found = dict.fromkeys(judges, (0, 0.0))
    for variant in VARIANTS:
        pipeline = variant.build()
        images = torch.cat(
            [
                pipeline(
                    LABELS[start : start + batch],
                    SEEDS[start : start + batch],
                    num_inference_steps=variant.steps,
                )
                for start in range(0, len(LABELS), batch)
            ]
        )
        for name, judge in judges.items():
            samples = recorded[f"test_digits.py::test_digits[{variant.name}]"].metrics[name].samples
            assert samples is not None
            apart = (judge(images, LABELS) - torch.tensor(samples.values)).abs()
            # The baseline keeps four digits.
            count, largest = found[name]
            count += int((apart > 1e-4).sum())
            found[name] = count, max(largest, float(apart.max()))
    return found


def main() -> None:
    """Go through all settings; instruction sets are chosen when a process starts."""
    if len(sys.argv) > 1:
        for threads, batch in product(THREADS, BATCHES):
            for name, (count, largest) in differences(threads, batch).items():
                total = len(LABELS) * len(VARIANTS)
                print(
                    f"{sys.argv[1]:>8}, {threads} threads, batches of {batch:>3}: {name:14} "
                    f"{count:>4} of {total} differ, by at most {largest:.4f}",
                    flush=True,
                )
        return
    for width in WIDTHS:
        name = width.get("ONEDNN_MAX_CPU_ISA", "native")
        command = (sys.executable, __file__, name)
        subprocess.run(command, cwd=HERE, env=os.environ | width, check=True)


if __name__ == "__main__":
    main()
