"""Evaluations within a test: ``pareto.evaluate`` with policy, progress and early stopping.

`evaluate_case` runs an evaluation and records its measurements. `early_stop_decider` returns what
stops it early: a comparison with the baseline, in sessions in which that may be read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from pytest_pareto.model.metric import Metric
from pytest_pareto.model.run import CaseRun, Looks, Measurement
from pytest_pareto.plugin.progress import remaining_text, report_test_progress
from pytest_pareto.plugin.recorder import METERS, Recorder
from pytest_pareto.scoring.evaluation import (
    Decide,
    Evaluation,
    EvaluationPlan,
    Progress,
    run_evaluation,
)

_WANTS_ALL_SAMPLES = ("--pareto-update", "--pareto-against", "--pareto-noise")
"""Options that need every sample: to record it, or to compare other code or repeated runs."""

_DECIDER = pytest.StashKey["EarlyStopDecider"]()


@dataclass(frozen=True, slots=True)
class EarlyStopDecider:
    """Decides whether an evaluation may stop early, by its baseline.

    ``decide`` takes the case with the scores so far, and the other metrics that the case has.
    """

    decide: Callable[[CaseRun, Sequence[Metric]], bool]


def evaluate_case(recorder: Recorder, name: str | None, plan: EvaluationPlan) -> Evaluation:
    """Run an evaluation and record its measurements; ``name`` is the one given by `configure`.

    Metrics that fail are recorded as broken. Where nothing is recorded they raise ParetoError,
    from its cause, since nothing else would report the failure.
    """
    __tracebackhide__ = True
    # Refuse metrics that could not be recorded afterwards, before hours are spent.
    plan = plan.under(lambda metric: recorder.expect(name, metric))
    with _progress(recorder.item) as progress:
        decide = _early_stop(recorder, name, plan) if plan.stops else None
        keep = recorder.keeper(name, [metric.name for metric in plan.metrics])
        evaluation = run_evaluation(plan, decide=decide, keep=keep, progress=progress)
    if METERS not in recorder.item.config.stash:
        evaluation.check()
    for measurement in evaluation.measurements:
        recorder.add(name, measurement)
    return evaluation


def _early_stop(recorder: Recorder, name: str | None, plan: EvaluationPlan) -> Decide | None:
    """Return the function that stops an evaluation once its case is decided, or None.

    A test that only runs, beside others that measure, stops where it stopped when it measured.
    """
    config = recorder.item.config
    decider = early_stop_decider(config) if METERS in config.stash else None
    metrics = {metric.name: metric for metric in plan.metrics}
    if decider is None or plan.needs_all(recorder.names.budgeted):
        return None
    others = recorder.recorded(name)

    def decide(looks: Looks, scores: Mapping[str, Mapping[str, float]]) -> bool:
        measurements = [
            Measurement(metrics[metric], tuple(found.values()), tuple(found), looks=looks)
            for metric, found in scores.items()
        ]
        return decider.decide(recorder.names.case_run(name, measurements), others)

    return decide


@contextmanager
def _progress(item: pytest.Item) -> Iterator[Progress]:
    with report_test_progress(item) as report:
        yield lambda done, total, elapsed_s: report(
            f"{done} of {total} samples{remaining_text(done, total, elapsed_s)}"
        )


def early_stop_decider(config: pytest.Config) -> EarlyStopDecider | None:
    """Return the decider of this process, or None where no evaluation may stop early.

    The baseline is read once per process, at the first evaluation.
    """
    if any(config.getoption(option) for option in _WANTS_ALL_SAMPLES):
        return None
    if _DECIDER not in config.stash:
        config.stash[_DECIDER] = _make_decider(config)
    return config.stash[_DECIDER]


def _make_decider(config: pytest.Config) -> EarlyStopDecider:
    from pytest_pareto.compare.sample_size import EarlyStopContext, is_decided
    from pytest_pareto.measure.machine import probe_environment
    from pytest_pareto.plugin.settings import load_past, read_settings

    settings = read_settings(config)
    now = probe_environment({})
    past = load_past(settings, now.hardware_key)
    # Scores are never measured again, so the decision uses the policy without confirmation.
    grounds = EarlyStopContext(past, now, replace(settings.policy, confirming=0))
    return EarlyStopDecider(lambda scored, others: is_decided(scored, grounds, others))
