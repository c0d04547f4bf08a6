"""Scores per sample over the runs of a session: one mean each, of the samples that all scored."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pytest_pareto.model.baseline import Samples
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import round_samples
from pytest_pareto.model.run import Measurement


def cut_to_one_look(found: Sequence[Measurement]) -> Sequence[Measurement]:
    """Cut the scores of runs that stopped at different looks to those of the earliest.

    A claim at a look holds whatever chose the look (see `looks`), the haste of one run included.
    Raises ParetoError where the runs did not plan the same looks.
    """
    plans = {m.looks and replace(m.looks, at=1) for m in found}
    if len(plans) > 1:
        raise ParetoError(
            "the runs of this session planned different looks at their samples; stop='decided' "
            "must not depend on time or chance"
        )
    earliest = min(found, key=lambda m: len(m.values))
    if earliest.looks is None:
        return found
    kept = set(earliest.ids)
    return [_cut(m, kept, earliest) for m in found]


def _cut(measurement: Measurement, kept: set[str], earliest: Measurement) -> Measurement:
    scores = {
        name: score
        for name, score in zip(measurement.ids, measurement.values, strict=True)
        if name in kept
    }
    if len(scores) < len(kept):
        raise _other_samples()
    return replace(
        measurement, ids=tuple(scores), values=tuple(scores.values()), looks=earliest.looks
    )


def mean_scores(found: Sequence[Measurement]) -> Samples:
    """Average each sample over the runs: runs are not further samples.

    Raises ParetoError where they scored different samples.
    """
    ids = found[0].ids
    if any(set(measurement.ids) != set(ids) for measurement in found[1:]):
        raise _other_samples()
    means = np.mean([_in_order(measurement, ids) for measurement in found], axis=0)
    # Rounded as the baseline keeps them: rounding alone must not look like a change.
    return Samples(ids, round_samples(means.tolist()))


def _other_samples() -> ParetoError:
    return ParetoError(
        "the runs of this session scored different samples; sample ids must not "
        "depend on time or chance"
    )


def _in_order(measurement: Measurement, ids: tuple[str, ...]) -> tuple[float, ...]:
    if measurement.ids == ids:
        return measurement.values
    scores = dict(zip(measurement.ids, measurement.values, strict=True))
    return tuple(scores[name] for name in ids)
