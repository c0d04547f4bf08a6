"""Scikit-learn's handwritten digits, which come with the package: nothing is downloaded."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SIZE = 8
CLASSES = 10


@dataclass(frozen=True, slots=True)
class Digits:
    """Images of shape (n, 1, 8, 8) with values of -1 (paper) to 1 (ink), and their labels."""

    images: torch.Tensor
    labels: torch.Tensor


def load_halves() -> tuple[Digits, Digits]:
    """Return the digits that the model learns from, and those that its judges learn from.

    Two thirds and one third, so that no judge has seen what the model has seen.
    """
    data, target = load_digits(return_X_y=True)
    images = (data.reshape(-1, 1, SIZE, SIZE) / 8 - 1).astype(np.float32)
    halves = train_test_split(images, target, test_size=1 / 3, random_state=0, stratify=target)
    shown, kept, shown_labels, kept_labels = halves
    return (
        Digits(torch.from_numpy(shown), torch.from_numpy(shown_labels)),
        Digits(torch.from_numpy(kept), torch.from_numpy(kept_labels)),
    )
