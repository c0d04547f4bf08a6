"""An evaluation from its samples to its scores."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from pytest_pareto.model.run import Looks
from pytest_pareto.scoring.batches import Batches, Executor, GenerationError, Jobs
from pytest_pareto.scoring.evaluation import Evaluation
from pytest_pareto.scoring.measured import measurements_of
from pytest_pareto.scoring.order import stretches
from pytest_pareto.scoring.planning import Plan, plan_evaluation
from pytest_pareto.scoring.tally import Keep, Tally
from pytest_pareto.scoring.work import Failure, Task

Decide = Callable[[Looks, Mapping[str, Mapping[str, float]]], bool]
"""Says at a look, by the scores so far (by metric and sample id), whether the verdict stands."""
Progress = Callable[[int, int, float], None]
"""Hears how many samples of how many are done, after how many seconds."""


def run_evaluation(
    plan: Plan,
    *,
    decide: Decide | None = None,
    keep: Keep | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Evaluation:
    """Generate and score; metrics that fail are in the evaluation's ``failures``.

    ``decide`` is asked at every look of an evaluation that may stop early, unless a metric of the
    whole set gates: that needs the whole. ``keep`` is called with the id and the first output of
    each sample that looks like an image, ``progress`` after each batch.
    """
    tally = Tally(plan.samples, plan.scorers, keep=keep, outputs=plan.keeps_outputs)
    batches = Batches(_tasks(plan, tally), plan.batch_size, plan.executor)
    if plan.needs_all():
        decide = None
    began_s = clock()
    reached: Looks | None = None
    for stretch in stretches(plan.samples.ids, looking=plan.stops):
        jobs = plan.samples.jobs(stretch.positions)
        try:
            with closing(batches.over(jobs)) as done:  # also Ctrl-C cancels what waits
                for batch, scored in done:
                    tally.add(batch, scored)
                    if progress is not None:
                        progress(tally.done, len(plan.samples), clock() - began_s)
                    if not tally.working:
                        break
        except GenerationError as error:
            tally.fail_all(Failure(str(error), error.__cause__ or error))
        # Nobody pays for looks that nobody took.
        reached = stretch.looks if decide is not None else None
        if not tally.working or _decided(decide, reached, tally):
            break
    return _concluded(plan, tally, reached, batches.note)


def evaluate(  # noqa: PLR0913  (each is one thing that users say)
    generate: Callable[..., object],
    samples: Any,
    *,
    metrics: Mapping[str, object],
    ids: Any = None,
    targets: Any = None,
    batch_size: int = 1,
    seeds: Any = None,
    executor: Executor | None = None,
    stop: str | None = None,
    keep_outputs: bool = False,
    decide: Decide | None = None,
    keep: Keep | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Generate from samples and score the outputs, without pytest.

    ``decide``, ``keep`` and ``progress`` are those of `run_evaluation`; all else is what
    ``pareto.evaluate`` takes. Metrics that fail do not raise: they are in ``failures``, and
    `Evaluation.check` raises for them. Raises ParetoError, before anything is generated, where
    the arguments cannot be used.
    """
    plan = plan_evaluation(
        generate,
        samples,
        metrics=metrics,
        ids=ids,
        targets=targets,
        batch_size=batch_size,
        seeds=seeds,
        executor=executor,
        stop=stop,
        keep_outputs=keep_outputs,
    )
    return run_evaluation(plan, decide=decide, keep=keep, progress=progress)


def _tasks(plan: Plan, tally: Tally) -> Callable[[Jobs], Task]:
    samples = plan.samples

    def task_of(jobs: Jobs) -> Task:
        return Task(
            plan.generate,
            samples.inputs_of(jobs),
            samples.targets_of(jobs),
            tuple(job.seed for job in jobs),
            tuple(job.label for job in jobs),
            tally.working,
            tally.wants_outputs,
        )

    return task_of


def _decided(decide: Decide | None, looks: Looks | None, tally: Tally) -> bool:
    if decide is None or looks is None:
        return False
    working = {scorer.name for scorer in tally.working}
    scores = {name: found for name, found in tally.scores().items() if name in working}
    return decide(looks, scores)


def _concluded(plan: Plan, tally: Tally, looks: Looks | None, note: str | None) -> Evaluation:
    measurements = measurements_of(plan.scorers, tally, looks, note)
    return Evaluation(
        scores=tally.scores(),
        whole={m.metric.name: m.whole for m in measurements if m.whole is not None},
        used=tally.done,
        planned=len(plan.samples),
        measurements=measurements,
        outputs=tally.outputs(),
        failures=dict(tally.failures),
    )
