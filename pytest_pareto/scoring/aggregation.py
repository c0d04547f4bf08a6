"""Accumulation of scores over batches, and a check of the mean over samples.

`ScoreTally` collects the values of every metric and every sample. `MeanCheck` compares the mean
of a torchmetrics-like metric's scores per sample with the metric's value over all samples. The
two differ where a metric weighs samples or takes a logarithm last: the mean of the accuracies of
single samples is no macro-averaged accuracy, and the mean of each image's PSNR is not that of
all pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from statistics import fmean
from typing import Any

from pytest_pareto.model.metric import Kind
from pytest_pareto.scoring.batches import BatchScores, Failure
from pytest_pareto.scoring.generation import is_image
from pytest_pareto.scoring.raters import OutputPair, UpdateRater, exception_text, value_over
from pytest_pareto.scoring.samples import Job, Samples
from pytest_pareto.scoring.score import as_number
from pytest_pareto.scoring.scorers import Scorer
from pytest_pareto.scoring.set_metrics import batch_pairs

Keep = Callable[[str, object], None]
"""Takes a sample's id and its output."""


class ScoreTally:
    """Accumulates the results of batches; a metric that failed once is not scored again."""

    def __init__(
        self, samples: Samples, scorers: Sequence[Scorer], *, keep: Keep | None, outputs: bool
    ) -> None:
        self._samples = samples
        self._scorers = {scorer.name: scorer for scorer in scorers}
        self._keep = keep
        self._values: dict[str, dict[int, list[Any]]] = {name: {} for name in self._scorers}
        self._outputs: dict[int, list[Any]] | None = {} if outputs else None
        self._generated: dict[int, int] = {}
        self._seeds_per_sample = len(samples.seeds[0])
        self.done = 0
        """How many samples are scored, with all of their seeds."""
        self.failures: dict[str, Failure] = {}
        self.mean_check = MeanCheck(scorers)

    @property
    def active(self) -> tuple[Scorer, ...]:
        """The metrics that have not failed."""
        return tuple(s for name, s in self._scorers.items() if name not in self.failures)

    @property
    def needs_outputs(self) -> bool:
        """Whether the outputs of the next batch are needed, not only their scores."""
        return self._keep is not None or self._outputs is not None or self.mean_check.collecting

    def add(self, jobs: Sequence[Job], scored: BatchScores) -> None:
        """Add the scores of a batch."""
        for name, failure in scored.failures.items():
            self.failures.setdefault(name, failure)
        for name, values in scored.values.items():
            for job, value in zip(jobs, values, strict=True):
                self._values[name].setdefault(job.position, []).append(value)
        for job in jobs:
            self._generated[job.position] = self._generated.get(job.position, 0) + 1
            self.done += self._generated[job.position] == self._seeds_per_sample
        if scored.outputs is not None:
            self._add_outputs(jobs, scored)

    def _add_outputs(self, jobs: Sequence[Job], scored: BatchScores) -> None:
        targets = self._samples.targets_of(jobs)
        self.mean_check.add(scored, targets)
        for job, output in zip(jobs, scored.outputs, strict=True):
            first = job.seed == self._samples.seeds[job.position][0]
            if self._keep is not None and first and is_image(output):
                self._keep(self._samples.ids[job.position], output)
            if self._outputs is not None:
                self._outputs.setdefault(job.position, []).append(output)

    def fail_all(self, failure: Failure) -> None:
        """Mark every metric as failed, because generation ended before the last sample."""
        for name in self._scorers:
            self.failures.setdefault(name, failure)

    def scores(self) -> dict[str, dict[str, float]]:
        """Return the scores by metric name and sample id, in the order of the samples given."""
        return {
            name: {
                self._samples.ids[position]: fsum(values[position]) / self._seeds_per_sample
                for position in sorted(values)
                if len(values[position]) == self._seeds_per_sample
            }
            for name, values in self._values.items()
            if self._scorers[name].metric.kind is not Kind.SET
        }

    def items(self, name: str) -> tuple[list[Any], list[str]]:
        """Return the items that a set metric collected, and the sample id of each item."""
        values = self._values[name]
        pairs = [
            (item, self._samples.ids[position])
            for position in sorted(values)
            for item in values[position]
        ]
        return [item for item, _ in pairs], [label for _, label in pairs]

    def outputs(self) -> Mapping[str, Any] | None:
        """Return the outputs by sample id, None if they were not kept."""
        if self._outputs is None:
            return None
        several = self._samples.several_seeds
        return {
            self._samples.ids[position]: list(generated) if several else generated[0]
            for position, generated in sorted(self._outputs.items())
        }


_MAX_KEPT_B = 64 * 2**20
"""Limit on the outputs kept for the check: all of a classifier's, and dozens of images."""
_ROUNDING = 1e-4
"""Sums of float32 in another order differ by less than this, as a share of the value."""


class MeanCheck:
    """Keeps the first samples and scores of every torchmetrics-like metric, to compare means."""

    def __init__(self, scorers: Sequence[Scorer]) -> None:
        self._raters = {s.name: s.rater for s in scorers if isinstance(s.rater, UpdateRater)}
        self._pairs: dict[str, list[OutputPair]] = {name: [] for name in self._raters}
        self._scores: dict[str, list[float]] = {name: [] for name in self._raters}
        self._size_b = 0

    @property
    def collecting(self) -> bool:
        """Whether further samples would be kept."""
        return bool(self._raters) and self._size_b < _MAX_KEPT_B

    def add(self, scored: BatchScores, targets: Any) -> None:
        """Keep the samples of a batch while the total size is below the limit."""
        for index, (output, target) in enumerate(zip(scored.outputs, targets, strict=True)):
            if not self.collecting:
                return
            for name, rater in self._raters.items():
                if name in scored.values:
                    pair = rater.pair(output, target)
                    self._pairs[name].append(pair)
                    self._scores[name].append(scored.values[name][index])
                    self._size_b += sum(_size_b(value) for value in pair)

    def note(self, name: str) -> str | None:
        """Return how the metric over all kept samples differs from the mean, None if it agrees."""
        pairs = self._pairs.get(name, [])
        if len(pairs) < 2:
            return None
        mean = fmean(self._scores[name])
        try:
            whole = as_number(value_over(self._raters[name].metric, batch_pairs(pairs)))
        except Exception as error:  # the check must not fail the metric that it checks
            reason = exception_text(error)
            return f"could not be computed over {len(pairs)} samples at once: {reason}"
        if whole is None or abs(whole - mean) <= _ROUNDING * max(abs(whole), abs(mean)):
            return None
        return (
            f"{whole:.4g} over {len(pairs)} samples at once, {mean:.4g} as the mean of each: "
            "two different numbers; Score(..., over='set') takes the former"
        )


def _size_b(value: Any) -> int:
    if isinstance(value, list):
        return sum(_size_b(entry) for entry in value)
    return int(getattr(value, "nbytes", 256))
