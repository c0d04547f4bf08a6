"""Two judges of an image: one made for the task, one generic. Both are independent of the model."""

import torch
from sklearn.svm import SVC

from digits_diffusion.data import CLASSES, load_halves


class Reader:
    """Reads digits. A support vector machine that learned from digits the model never saw."""

    def __init__(self) -> None:
        _, digits = load_halves()
        self._machine = SVC(C=10.0, gamma="scale")
        self._machine.fit(digits.images.flatten(1).numpy(), digits.labels.numpy())

    def correct(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Say of each image, shape (n, 1, 8, 8), whether it reads as its label: n times 0 or 1."""
        read = self._machine.predict(images.flatten(1).numpy())
        return (torch.from_numpy(read) == labels).float()


class Similarity:
    """How much an image looks like one real digit of its kind, as generic scores ask.

    A reference each, in turn: that is the noise. There are many ways of writing a seven.
    """

    def __init__(self) -> None:
        _, digits = load_halves()
        self._kinds = [digits.images[digits.labels == c].flatten(1) for c in range(CLASSES)]

    def similarity(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the cosine of each image, shape (n, 1, 8, 8), with a real one of its label."""
        seen = [0] * CLASSES
        references = []
        for label in labels.tolist():
            kind = self._kinds[label]
            references.append(kind[seen[label] % len(kind)])
            seen[label] += 1
        return torch.cosine_similarity(images.flatten(1), torch.stack(references))
