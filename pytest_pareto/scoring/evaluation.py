"""What an evaluation came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.run import Measurement
from pytest_pareto.scoring.work import Failure


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """Scores by sample, and numbers of the whole set.

    ``scores`` holds by metric name the score of each sample id, the mean over its seeds where it
    has several; of a metric that failed, those until then. ``whole`` holds the number of each
    metric over the set. ``used`` of ``planned`` samples were scored. ``outputs`` holds by sample
    id what was generated (a list where there are several seeds), if they were kept.
    ``measurements`` are what is recorded of all this.
    """

    scores: Mapping[str, Mapping[str, float]]
    whole: Mapping[str, float]
    used: int
    planned: int
    measurements: tuple[Measurement, ...]
    outputs: Mapping[str, Any] | None = None
    failures: Mapping[str, Failure] = field(default_factory=dict)

    def mean(self, name: str) -> float:
        """Return the mean score of a metric over the samples.

        Raises ParetoError for a metric that failed, or has no scores of samples.
        """
        self.check(name)
        if not self.scores.get(name):
            kind = "it is one number of the whole set" if name in self.whole else "it is not here"
            known = ", ".join(name for name in self.scores if self.scores[name]) or "none"
            raise ParetoError(
                f"{name!r} has no scores of samples: {kind}; those that have: {known}"
            )
        return fmean(self.scores[name].values())

    def check(self, *names: str) -> None:
        """Raise ParetoError, from its cause, if one of these metrics failed; by default of all."""
        failed = {n: f for n, f in self.failures.items() if not names or n in names}
        if not failed:
            return
        reasons = list(dict.fromkeys(failure.reason for failure in failed.values()))
        head = "" if len(reasons) == 1 else f"{len(failed)} metrics failed:\n  "
        cause = next((f.cause for f in failed.values() if f.cause is not None), None)
        raise ParetoError(head + "\n  ".join(reasons)) from cause

    def __repr__(self) -> str:
        part = f"{self.used} of {self.planned}" if self.used < self.planned else f"{self.used}"
        lines = [f"Evaluation of {part} samples"]
        width = max((len(m.metric.name) for m in self.measurements), default=0)
        for measurement in self.measurements:
            name = measurement.metric.name
            lines.append(f"  {name:<{width}}  {self._line(measurement)}")
            lines.extend(f"  {'':<{width}}  ({note})" for note in measurement.notes)
        return "\n".join(lines)

    def _line(self, measurement: Measurement) -> str:
        metric = measurement.metric
        unit = f" {metric.unit}" if metric.unit else ""
        if measurement.absent is not None:
            return f"{'BROKEN' if measurement.broken else 'absent'}: {measurement.absent}"
        if measurement.whole is not None:
            return f"{measurement.whole:.6g}{unit}  of the whole set, {metric.better} is better"
        values = measurement.values
        return (
            f"{fmean(values):.6g}{unit}  mean of {len(values)} from {min(values):.4g} to "
            f"{max(values):.4g}, {metric.better} is better"
        )
