"""What should be the same in every run, and whether it was."""

from collections.abc import Sequence

import numpy as np

from pytest_pareto.compare.measured import Measured
from pytest_pareto.model.formatting import round_samples
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.noise import Repetition
from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.stats.scale import all_same


def is_repeatable(found: Measured) -> bool:
    """Whether a metric is one that should repeat: exact, scored per sample, or a number that did.

    A recorded number may be noisy; it is not if it came out the same in every run.
    """
    if found.metric.kind is Kind.RUN:
        return not found.metric.relative and all_same(found.runs)
    return True


def repetition_of(runs: Sequence[CaseRun], found: Measured) -> Repetition:
    """Say how many values of a repeatable metric were not the same in every run."""
    case_id, metric = runs[-1].case_id, found.metric
    if metric.kind.sampled:
        measured = (run.measurement(metric.name) for run in runs)
        return _scores(case_id, [m for m in measured if m is not None and m.values])
    low, high = min(found.runs), max(found.runs)
    # A recorded number is here because it repeated, but for rounding.
    others = (value for value in found.runs if value != found.runs[0])
    differing = sum(1 for _ in others) if metric.kind is Kind.EXACT else 0
    return Repetition(case_id, metric, len(found.runs), differing, low, high)


def _scores(case_id: str, measured: Sequence[Measurement]) -> Repetition:
    """Compare scores per sample to the digits that a baseline keeps."""
    ids = measured[0].ids
    table = np.array([_rounded(m, ids) for m in measured])
    low, high = table.min(axis=0), table.max(axis=0)
    widest = int(np.argmax(high - low))
    return Repetition(
        case_id,
        measured[0].metric,
        values=len(ids),
        differing=int(np.count_nonzero(high > low)),
        low=float(low[widest]),
        high=float(high[widest]),
        sample=ids[widest],
    )


def _rounded(measurement: Measurement, ids: Sequence[str]) -> tuple[float, ...]:
    scores = dict(zip(measurement.ids, round_samples(measurement.values), strict=True))
    return tuple(scores[name] for name in ids)
