"""An evaluation within a test: under its marker, with its progress, into its measurements.

What lets an evaluation stop early: the baseline, where this process may look at it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from pytest_pareto.model.metric import Metric
from pytest_pareto.model.run import CaseRun, Looks, Measurement
from pytest_pareto.plugin.progress import rest_in_words, standing_of
from pytest_pareto.plugin.recorder import METERS, Recorder
from pytest_pareto.scoring.evaluation import (
    Decide,
    Evaluation,
    EvaluationPlan,
    Progress,
    run_evaluation,
)


def evaluate_case(recorder: Recorder, name: str | None, plan: EvaluationPlan) -> Evaluation:
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


def _decide(recorder: Recorder, name: str | None, plan: EvaluationPlan) -> Decide | None:
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


_WANTS_ALL = ("--pareto-update", "--pareto-against", "--pareto-noise")
"""Options under which every sample is wanted: recorded, beside other code, or beside itself."""

_DECIDING = pytest.StashKey["Deciding"]()


@dataclass(frozen=True, slots=True)
class Deciding:
    """Says of a case, scored so far, whether its baseline decides about it.

    Beside the case it takes the metrics that the case has besides.
    """

    decide: Callable[[CaseRun, Sequence[Metric]], bool]


def decider(config: pytest.Config) -> Deciding | None:
    """Return what decides, or None where no evaluation may stop early.

    The baseline is read once in a process, when the first evaluation asks.
    """
    if any(config.getoption(option) for option in _WANTS_ALL):
        return None
    if _DECIDING not in config.stash:
        config.stash[_DECIDING] = _deciding(config)
    return config.stash[_DECIDING]


def _deciding(config: pytest.Config) -> Deciding:
    from pytest_pareto.compare.early_stop import Grounds, is_decided
    from pytest_pareto.measure.machine import probe_environment
    from pytest_pareto.plugin.settings import load_past, read_settings

    settings = read_settings(config)
    now = probe_environment({})
    past = load_past(settings, now.hardware_key)
    # Scores are never measured again: what decides about them is unconfirmed.
    grounds = Grounds(past, now, replace(settings.policy, confirming=0))
    return Deciding(lambda scored, others: is_decided(scored, grounds, others))
