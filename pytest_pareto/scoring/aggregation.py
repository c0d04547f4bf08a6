"""Keeps what has been scored so far, of every metric and every sample.

Whether the mean of a metric's scores per sample is its value over all samples.

It is not where a metric weighs samples or takes a logarithm last: the mean of the accuracy of each
sample is no macro-averaged accuracy, and the mean of each image's PSNR is not that of all pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from statistics import fmean
from typing import Any

from pytest_pareto.model.metric import Kind
from pytest_pareto.scoring.batches import Failure, Scored
from pytest_pareto.scoring.generation import is_image
from pytest_pareto.scoring.raters import ByUpdate, Pair, said, value_over
from pytest_pareto.scoring.samples import Job, Samples
from pytest_pareto.scoring.score import as_number
from pytest_pareto.scoring.scorers import Scorer
from pytest_pareto.scoring.set_metrics import together

Keep = Callable[[str, object], None]


class Tally:
    """Takes in batch after batch; a metric that failed once is scored no more."""

    def __init__(
        self, samples: Samples, scorers: Sequence[Scorer], *, keep: Keep | None, outputs: bool
    ) -> None:
        self._samples = samples
        self._scorers = {scorer.name: scorer for scorer in scorers}
        self._keep = keep
        self._rated: dict[str, dict[int, list[Any]]] = {name: {} for name in self._scorers}
        self._outputs: dict[int, list[Any]] | None = {} if outputs else None
        self._generated: dict[int, int] = {}
        self._each = len(samples.seeds[0])
        self.done = 0
        """How many samples are scored, with all of their seeds."""
        self.failures: dict[str, Failure] = {}
        self.agreement = Agreement(scorers)

    @property
    def working(self) -> tuple[Scorer, ...]:
        """The metrics that did not fail."""
        return tuple(s for name, s in self._scorers.items() if name not in self.failures)

    @property
    def wants_outputs(self) -> bool:
        """Whether the outputs of the next batch are needed, not only their scores."""
        return self._keep is not None or self._outputs is not None or self.agreement.open

    def add(self, jobs: Sequence[Job], scored: Scored) -> None:
        """Take in a batch."""
        for name, failure in scored.broken.items():
            self.failures.setdefault(name, failure)
        for name, values in scored.values.items():
            for job, value in zip(jobs, values, strict=True):
                self._rated[name].setdefault(job.position, []).append(value)
        for job in jobs:
            self._generated[job.position] = self._generated.get(job.position, 0) + 1
            self.done += self._generated[job.position] == self._each
        if scored.outputs is not None:
            self._see(jobs, scored)

    def _see(self, jobs: Sequence[Job], scored: Scored) -> None:
        targets = self._samples.targets_of(jobs)
        self.agreement.add(scored, targets)
        for job, output in zip(jobs, scored.outputs, strict=True):
            first = job.seed == self._samples.seeds[job.position][0]
            if self._keep is not None and first and is_image(output):
                self._keep(self._samples.ids[job.position], output)
            if self._outputs is not None:
                self._outputs.setdefault(job.position, []).append(output)

    def fail_all(self, failure: Failure) -> None:
        """Take in that generation ended: every metric lacks samples."""
        for name in self._scorers:
            self.failures.setdefault(name, failure)

    def scores(self) -> dict[str, dict[str, float]]:
        """Return the scores of samples, in the order in which the samples were given."""
        return {
            name: {
                self._samples.ids[at]: fsum(rated[at]) / self._each
                for at in sorted(rated)
                if len(rated[at]) == self._each
            }
            for name, rated in self._rated.items()
            if self._scorers[name].metric.kind is not Kind.SET
        }

    def items(self, name: str) -> tuple[list[Any], list[str]]:
        """Return what a metric of the set gathered, and of which sample each item is."""
        rated = self._rated[name]
        pairs = [(item, self._samples.ids[at]) for at in sorted(rated) for item in rated[at]]
        return [item for item, _ in pairs], [label for _, label in pairs]

    def outputs(self) -> Mapping[str, Any] | None:
        """Return what was generated, by sample id, if it was kept."""
        if self._outputs is None:
            return None
        several = self._samples.several_seeds
        return {
            self._samples.ids[at]: list(made) if several else made[0]
            for at, made in sorted(self._outputs.items())
        }


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
