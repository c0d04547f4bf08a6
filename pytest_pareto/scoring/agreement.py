"""Whether the mean of a metric's scores per sample is its value over all samples.

It is not where a metric weighs samples or takes a logarithm last: the mean of the accuracy of each
sample is no macro-averaged accuracy, and the mean of each image's PSNR is not that of all pixels.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from pytest_pareto.scoring.raters import ByUpdate, said, value_over
from pytest_pareto.scoring.scorers import Scorer
from pytest_pareto.scoring.tensors import Pair
from pytest_pareto.scoring.values import as_number
from pytest_pareto.scoring.whole import together
from pytest_pareto.scoring.work import Scored

_MOST_BYTES = 64 * 2**20
"""Of outputs kept for this: all of a classifier's, and dozens of images."""
_ROUNDING = 1e-4
"""Sums of float32 in another order differ by less, as a share of the value."""


class Agreement:
    """Keeps the first samples of every torchmetrics-like metric, with their scores."""

    def __init__(self, scorers: Sequence[Scorer]) -> None:
        self._raters = {s.name: s.rater for s in scorers if isinstance(s.rater, ByUpdate)}
        self._pairs: dict[str, list[Pair]] = {name: [] for name in self._raters}
        self._scores: dict[str, list[float]] = {name: [] for name in self._raters}
        self._bytes = 0

    @property
    def open(self) -> bool:
        """Whether further samples would be kept."""
        return bool(self._raters) and self._bytes < _MOST_BYTES

    def add(self, scored: Scored, targets: Any) -> None:
        """Keep the samples of a batch, as long as they are few."""
        for at, (output, target) in enumerate(zip(scored.outputs, targets, strict=True)):
            if not self.open:
                return
            for name, rater in self._raters.items():
                if name in scored.values:
                    pair = rater.pair(output, target)
                    self._pairs[name].append(pair)
                    self._scores[name].append(scored.values[name][at])
                    self._bytes += sum(_bytes_of(value) for value in pair)

    def note(self, name: str) -> str | None:
        """Say how the metric over all kept samples differs from the mean, if it does."""
        pairs = self._pairs.get(name, [])
        if len(pairs) < 2:
            return None
        mean = fmean(self._scores[name])
        try:
            whole = as_number(value_over(self._raters[name].metric, together(pairs)))
        except Exception as error:  # a check must not fail what it checks
            return f"could not be computed over {len(pairs)} samples at once: {said(error)}"
        if whole is None or abs(whole - mean) <= _ROUNDING * max(abs(whole), abs(mean)):
            return None
        return (
            f"{whole:.4g} over {len(pairs)} samples at once, {mean:.4g} as the mean of each: "
            "two different numbers; Score(..., over='set') takes the former"
        )


def _bytes_of(value: Any) -> int:
    if isinstance(value, list):
        return sum(_bytes_of(entry) for entry in value)
    return int(getattr(value, "nbytes", 256))
