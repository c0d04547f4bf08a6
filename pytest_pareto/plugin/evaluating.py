"""An evaluation within a test: under its marker, with its progress, into its measurements."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from pytest_pareto.model.run import Looks, Measurement
from pytest_pareto.plugin.deciding import decider
from pytest_pareto.plugin.progress import rest_in_words, standing_of
from pytest_pareto.plugin.recording import METERS, Recorder
from pytest_pareto.scoring.evaluation import Decide, Evaluation, Plan, Progress, run_evaluation


def evaluate_case(recorder: Recorder, name: str | None, plan: Plan) -> Evaluation:
    """Evaluate, and record the case's measurements; ``name`` is the one given by `configure`.

    Metrics that failed are recorded as broken. Where nothing is recorded they raise ParetoError,
    from its cause, since nothing else would tell.
    """
    __tracebackhide__ = True
    # Refused before hours are spent, if it could not be recorded afterwards.
    plan = plan.under(lambda metric: recorder.expect(name, metric))
    with _progress(recorder.item) as progress:
        decide = _decide(recorder, name, plan) if plan.stops else None
        keep = recorder.keeper(name, [metric.name for metric in plan.metrics])
        evaluation = run_evaluation(plan, decide=decide, keep=keep, progress=progress)
    if METERS not in recorder.item.config.stash:
        evaluation.check()
    for measurement in evaluation.measurements:
        recorder.add(name, measurement)
    return evaluation


def _decide(recorder: Recorder, name: str | None, plan: Plan) -> Decide | None:
    """Return what stops an evaluation once its baseline decides about it, or None.

    A test that only runs, beside others that measure, stops where it stopped when it measured.
    """
    config = recorder.item.config
    deciding = decider(config) if METERS in config.stash else None
    metrics = {metric.name: metric for metric in plan.metrics}
    if deciding is None or plan.needs_all(recorder.names.budgeted):
        return None
    others = recorder.recorded(name)

    def decide(looks: Looks, scores: Mapping[str, Mapping[str, float]]) -> bool:
        measurements = [
            Measurement(metrics[metric], tuple(found.values()), tuple(found), looks=looks)
            for metric, found in scores.items()
        ]
        return deciding.decide(recorder.names.case_run(name, measurements), others)

    return decide


@contextmanager
def _progress(item: pytest.Item) -> Iterator[Progress]:
    with standing_of(item) as told:
        yield lambda done, total, elapsed_s: told(
            f"{done} of {total} samples{rest_in_words(done, total, elapsed_s)}"
        )
