"""Keeps what has been scored so far, of every metric and every sample."""

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from typing import Any

from pytest_pareto.model.metric import Kind
from pytest_pareto.scoring.agreement import Agreement
from pytest_pareto.scoring.outputs import is_image
from pytest_pareto.scoring.samples import Job, Samples
from pytest_pareto.scoring.scorers import Scorer
from pytest_pareto.scoring.work import Failure, Scored

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
