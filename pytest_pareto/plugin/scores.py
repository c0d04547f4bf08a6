"""The part of the ``pareto`` fixture that scores: what a test says of a quality."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.plugin.options import MeasureOptions
from pytest_pareto.plugin.recorded import score_measurement
from pytest_pareto.plugin.recording import Recorder
from pytest_pareto.plugin.score import read_outputs

if TYPE_CHECKING:
    from pytest_pareto.scoring.batches import Executor
    from pytest_pareto.scoring.evaluation import Evaluation


class Scores:
    """Records scores for one test, of the case that the options name."""

    def __init__(self, recorder: Recorder, options: MeasureOptions | None = None) -> None:
        self._recorder = recorder
        self._options = options or MeasureOptions()

    def record(  # noqa: PLR0913  (each says one thing about the score)
        self,
        name: str,
        value: object,
        *,
        ids: Sequence[object] | None = None,
        better: str | None = None,
        tolerance: float | None = None,
        unit: str = "",
        scope: str = "gpu",
        gate: bool = True,
        ordinal: bool = False,
    ) -> None:
        """Record a score of this case: a number, one per sample with ``ids``, or a metric.

        ``value`` may be a number, a vector with ids, a mapping from ids, or an object with
        ``update`` and ``compute`` such as those of torchmetrics, which may know its own
        direction. ``tolerance`` is absolute, in the metric's unit; without one (here or
        in the marker) any significant loss is a regression. ``scope`` says where else the
        score would be the same: "gpu" (the same hardware), "host", or "anywhere", which is
        the author's claim. ``gate=False`` makes it a diagnostic. ``ordinal`` says that of the
        scores only the order means something, as of grades and of preferences; then the
        tolerance is a share: how many more of the samples may get worse than get better.
        """
        __tracebackhide__ = True
        try:
            measurement = score_measurement(
                name,
                value,
                ids=ids,
                better=better,
                tolerance=tolerance,
                unit=unit,
                scope=scope,
                gate=gate,
                ordinal=ordinal,
            )
            self._recorder.add(self._options.name, measurement)
        except ParetoError as error:
            raise error.with_traceback(None) from None

    def evaluate(  # noqa: PLR0913  (each is one thing that users say)
        self,
        generate: Callable[..., object],
        samples: Any,
        *,
        metrics: Mapping[str, object],
        ids: Any = None,
        targets: Any = None,
        batch_size: int = 1,
        seeds: Any = None,
        executor: "Executor | None" = None,
        stop: str | None = None,
        keep_outputs: bool = False,
    ) -> "Evaluation":
        """Generate from samples in batches, score each output, and record the scores.

        ``generate(batch)`` returns an output per sample; a parameter ``generator`` gets a list
        of torch generators, one per sample, a parameter ``seeds`` a list of ints, so that the
        batch size changes no pair. ``metrics`` maps names to functions ``(output, target)``,
        to torchmetrics objects, or to a `Score` of one of these, which says the rest. ``ids``
        name samples that do not name themselves, ``targets`` are what outputs are scored
        against (default: the samples). ``seeds`` is a number of seeds per sample, whose scores
        are averaged, or the seeds themselves. ``executor`` runs batches elsewhere.
        ``stop="decided"`` ends the evaluation as soon as its verdict is decided.

        Raises ParetoError, before anything is generated, where arguments cannot be used. A
        metric that fails is recorded as broken, and raises where nothing is recorded.
        """
        __tracebackhide__ = True
        from pytest_pareto.plugin.evaluating import evaluate_case
        from pytest_pareto.scoring.evaluation import plan_evaluation

        try:
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
            return evaluate_case(self._recorder, self._options.name, plan)
        except ParetoError as error:
            raise error.with_traceback(None) from error.__cause__

    def keep(self, outputs: object, *, ids: Iterable[object] | None = None) -> None:
        """Keep the outputs whose scores are recorded, so that the worst of them can be shown.

        ``outputs`` is a mapping from sample ids, or a sequence with ``ids``: images of Pillow,
        arrays or tensors. Nothing is kept without ``--pareto``; what is no image is left out.
        """
        __tracebackhide__ = True
        try:
            pairs = read_outputs(outputs, ids)
        except ParetoError as error:
            raise error.with_traceback(None) from None
        keep = self._recorder.keeper(self._options.name)
        if keep is not None:
            for label, output in pairs:
                keep(label, output)
