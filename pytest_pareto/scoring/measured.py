"""What is recorded of an evaluation: a measurement per metric, also of those that failed."""

from collections.abc import Sequence
from typing import cast

from pytest_pareto.model.metric import Kind
from pytest_pareto.model.run import Looks, Measurement
from pytest_pareto.scoring.raters import ScoringError
from pytest_pareto.scoring.scorers import Scorer
from pytest_pareto.scoring.tally import Tally
from pytest_pareto.scoring.whole import OfSet
from pytest_pareto.scoring.work import Failure


def measurements_of(
    scorers: Sequence[Scorer], tally: Tally, looks: Looks | None, note: str | None
) -> tuple[Measurement, ...]:
    """Return one measurement per metric. What fails only now is added to the tally's failures.

    ``looks`` is how far an evaluation came that may stop early, ``note`` what is to be known of
    every metric.
    """
    scores = tally.scores()
    measurements = []
    for scorer in scorers:
        metric = scorer.metric
        notes = tuple(said for said in (note, tally.agreement.note(metric.name)) if said)
        if metric.kind is Kind.SET:
            measurements.append(_of_set(scorer, tally, looks, notes))
            continue
        failure = tally.failures.get(metric.name)
        if failure is not None:
            measurements.append(Measurement(metric, absent=failure.reason, broken=True))
            continue
        found = scores[metric.name]
        measurements.append(
            Measurement(metric, tuple(found.values()), tuple(found), notes=notes, looks=looks)
        )
    return tuple(measurements)


def _of_set(
    scorer: Scorer, tally: Tally, looks: Looks | None, notes: tuple[str, ...]
) -> Measurement:
    metric = scorer.metric
    if metric.name not in tally.failures:
        if looks is not None and not looks.complete:
            reason = f"the evaluation stopped after {looks.used} of {looks.samples} samples"
            return Measurement(metric, absent=reason)
        try:
            whole = cast(OfSet, scorer.rater).conclude(*tally.items(metric.name))
            return Measurement(metric, whole.values, whole.blocks, notes=notes, whole=whole.value)
        except ScoringError as error:
            tally.failures[metric.name] = Failure(str(error), error.__cause__ or error)
    return Measurement(metric, absent=tally.failures[metric.name].reason, broken=True)
