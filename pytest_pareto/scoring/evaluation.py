"""Evaluation of a generating function: from samples and metrics to scores and measurements.

`plan_evaluation` checks all arguments before anything is generated, `run_evaluation` generates
and scores, and `evaluate` does both. An `Evaluation` holds the scores, and a measurement per
metric, also for metrics that failed.
"""

import time
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any, Required, TypedDict, Unpack, cast

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.run import Looks, Measurement
from pytest_pareto.scoring.aggregation import Keep, ScoreTally
from pytest_pareto.scoring.batches import Batches, Executor, Failure, GenerationError, Jobs, Task
from pytest_pareto.scoring.generation import Generate, read_generate
from pytest_pareto.scoring.raters import ScoringError
from pytest_pareto.scoring.samples import Samples, read_samples, stages
from pytest_pareto.scoring.scorers import Scorer, read_scorers
from pytest_pareto.scoring.set_metrics import SetRater

DECIDED = "decided"
"""The value of ``stop`` with which an evaluation may stop early."""

Decide = Callable[[Looks, Mapping[str, Mapping[str, float]]], bool]
"""Returns at a look whether the verdict is decided by the scores so far.

Scores are by metric name and sample id.
"""
Progress = Callable[[int, int, float], None]
"""Takes the number of samples done, the number of samples, and the seconds elapsed."""


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """Scores per sample, and values over the whole set.

    ``scores`` maps metric name and sample id to a score, the mean over the sample's seeds where
    it has several; for a metric that failed, it holds the scores until then. ``whole`` maps
    metric name to the value over the set. ``used`` of ``planned`` samples were scored.
    ``outputs`` maps sample id to the output (a list where there are several seeds), if outputs
    were kept. ``measurements`` are recorded for the case, one per metric.
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

        Raises ParetoError for a metric that failed, or that has no scores per sample.
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
        """Raise ParetoError, from its cause, if one of ``names`` failed; by default any metric."""
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


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """The checked arguments of an evaluation that can start."""

    generate: Generate
    samples: Samples
    scorers: tuple[Scorer, ...]
    batch_size: int
    executor: Executor | None
    stops: bool
    keeps_outputs: bool

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that will be measured."""
        return tuple(scorer.metric for scorer in self.scorers)

    def needs_all(self, budgeted: Container[str] = ()) -> bool:
        """Whether a set metric gates, by its change or by a budget, and so needs all samples."""
        return any(
            metric.kind is Kind.SET and (metric.gates or metric.name in budgeted)
            for metric in self.metrics
        )

    def under(self, policy: Callable[[Metric], Metric]) -> "EvaluationPlan":
        """Return this plan with a test's policy applied to every metric."""
        return replace(self, scorers=tuple(scorer.under(policy) for scorer in self.scorers))


class EvaluationRequest(TypedDict, total=False):
    """The keyword arguments of an evaluation.

    ``metrics`` maps names to functions ``(output, target)``, to torchmetrics objects, or to a
    `Score` of one of these. ``ids`` name samples that do not name themselves, ``targets`` are what
    outputs are scored against (default: the samples). ``batch_size`` is 1 unless given. ``seeds``
    is a number of seeds per sample, whose scores are averaged, or the seeds themselves.
    ``executor`` runs batches elsewhere. ``stop="decided"`` ends the evaluation as soon as its
    verdict is decided. ``keep_outputs`` keeps every output in the result.
    """

    metrics: Required[Mapping[str, object]]
    ids: Any
    targets: Any
    batch_size: int
    seeds: Any
    executor: Executor | None
    stop: str | None
    keep_outputs: bool


def evaluate(
    generate: Callable[..., object],
    samples: Any,
    *,
    decide: Decide | None = None,
    keep: Keep | None = None,
    progress: Progress | None = None,
    **request: Unpack[EvaluationRequest],
) -> Evaluation:
    """Generate from samples and score the outputs, without pytest.

    ``decide``, ``keep`` and ``progress`` are those of `run_evaluation`, the ``request`` is that
    of `EvaluationRequest`. Metrics that fail do not raise: they are in ``failures``, and
    `Evaluation.check` raises for them. Raises ParetoError, before anything is generated, where
    the arguments cannot be used.
    """
    plan = plan_evaluation(generate, samples, request)
    return run_evaluation(plan, decide=decide, keep=keep, progress=progress)


def plan_evaluation(
    generate: Callable[..., object], samples: Any, request: EvaluationRequest
) -> EvaluationPlan:
    """Check a request before anything is generated, and return the plan of its evaluation.

    Raises ParetoError where an argument cannot be used, or where arguments do not match, and
    TypeError for an argument that there is not.
    """
    unknown = sorted(request.keys() - EvaluationRequest.__annotations__.keys())
    if unknown or "metrics" not in request:
        what = f"takes no argument {unknown[0]!r}" if unknown else "needs the argument 'metrics'"
        raise TypeError(f"evaluate {what}")
    seeds, executor, stop = request.get("seeds"), request.get("executor"), request.get("stop")
    batch_size = request.get("batch_size", 1)
    _check_batch_size(batch_size)
    if stop not in (None, DECIDED):
        raise ParetoError(f"stop takes None or {DECIDED!r}, not {stop!r}")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ParetoError(
            "executor takes an object with submit, such as those of concurrent.futures or "
            f"dask's client.get_executor(), not {executor!r}"
        )
    return EvaluationPlan(
        read_generate(generate, seeds=seeds),
        read_samples(samples, ids=request.get("ids"), targets=request.get("targets"), seeds=seeds),
        read_scorers(request["metrics"]),
        batch_size,
        executor,
        stop is not None,
        request.get("keep_outputs", False),
    )


def _check_batch_size(given: object) -> None:
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise ParetoError(f"batch_size takes a whole number from 1 on, not {given!r}")


def run_evaluation(
    plan: EvaluationPlan,
    *,
    decide: Decide | None = None,
    keep: Keep | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Evaluation:
    """Generate and score; return an evaluation whose ``failures`` holds the metrics that failed.

    ``decide`` is called at every look of an evaluation that may stop early, unless a set metric
    gates, since that needs all samples. ``keep`` is called with the id and the first output of
    each sample whose output looks like an image, ``progress`` after each batch.
    """
    tally = ScoreTally(plan.samples, plan.scorers, keep=keep, outputs=plan.keeps_outputs)
    batches = Batches(_tasks(plan, tally), plan.batch_size, plan.executor)
    if plan.needs_all():
        decide = None
    started_s = clock()
    reached: Looks | None = None
    for stage in stages(plan.samples.ids, sequential=plan.stops):
        jobs = plan.samples.jobs(stage.positions)
        try:
            with closing(batches.run(jobs)) as results:  # Ctrl-C too cancels waiting batches
                for batch, scored in results:
                    tally.add(batch, scored)
                    if progress is not None:
                        progress(tally.done, len(plan.samples), clock() - started_s)
                    if not tally.active:
                        break
        except GenerationError as error:
            tally.fail_all(Failure(str(error), error.__cause__ or error))
        # Without ``decide`` no look is taken, and none may cost significance level.
        reached = stage.looks if decide is not None else None
        if not tally.active or _decided(decide, reached, tally):
            break
    return _evaluation(plan, tally, reached, batches.note)


def _tasks(plan: EvaluationPlan, tally: ScoreTally) -> Callable[[Jobs], Task]:
    samples = plan.samples

    def task_of(jobs: Jobs) -> Task:
        return Task(
            plan.generate,
            samples.inputs_of(jobs),
            samples.targets_of(jobs),
            tuple(job.seed for job in jobs),
            tuple(job.label for job in jobs),
            tally.active,
            tally.needs_outputs,
        )

    return task_of


def _decided(decide: Decide | None, looks: Looks | None, tally: ScoreTally) -> bool:
    if decide is None or looks is None:
        return False
    active = {scorer.name for scorer in tally.active}
    scores = {name: found for name, found in tally.scores().items() if name in active}
    return decide(looks, scores)


def _evaluation(
    plan: EvaluationPlan, tally: ScoreTally, looks: Looks | None, note: str | None
) -> Evaluation:
    measurements = _measurements(plan.scorers, tally, looks, note)
    return Evaluation(
        scores=tally.scores(),
        whole={m.metric.name: m.whole for m in measurements if m.whole is not None},
        used=tally.done,
        planned=len(plan.samples),
        measurements=measurements,
        outputs=tally.outputs(),
        failures=dict(tally.failures),
    )


def _measurements(
    scorers: Sequence[Scorer], tally: ScoreTally, looks: Looks | None, note: str | None
) -> tuple[Measurement, ...]:
    """Return one measurement per metric, and add set metrics that fail now to the tally's failures.

    ``looks`` is how far an evaluation that may stop early came; ``note`` is added to every metric.
    """
    scores = tally.scores()
    measurements = []
    for scorer in scorers:
        metric = scorer.metric
        notes = tuple(text for text in (note, tally.mean_check.note(metric.name)) if text)
        if metric.kind is Kind.SET:
            measurements.append(_set_measurement(scorer, tally, looks, notes))
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


def _set_measurement(
    scorer: Scorer, tally: ScoreTally, looks: Looks | None, notes: tuple[str, ...]
) -> Measurement:
    metric = scorer.metric
    if metric.name not in tally.failures:
        if looks is not None and not looks.complete:
            reason = f"the evaluation stopped after {looks.used} of {looks.samples} samples"
            return Measurement(metric, absent=reason)
        try:
            whole = cast(SetRater, scorer.rater).compute(*tally.items(metric.name))
            return Measurement(metric, whole.values, whole.blocks, notes=notes, whole=whole.value)
        except ScoringError as error:
            tally.failures[metric.name] = Failure(str(error), error.__cause__ or error)
    return Measurement(metric, absent=tally.failures[metric.name].reason, broken=True)
