"""One call of a test's function, made once or with every meter of this process."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from threading import Lock

from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meter import Meter
from pytest_pareto.measure.plan import LoopPlan, Tell
from pytest_pareto.measure.work.flops import measure_work
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import STREAMED
from pytest_pareto.model.run import Measurement
from pytest_pareto.plugin.case_names import CaseNames
from pytest_pareto.plugin.options import MeasureOptions
from pytest_pareto.plugin.vocabulary import Vocabulary

_MEASURING = Lock()
"""Held while this process measures a call: a second beside it would be in its every figure."""


@dataclass(frozen=True, slots=True)
class MeasuredCall:
    """How a call is to be measured. Without ``meters`` it is made once, and nothing is kept."""

    names: CaseNames
    vocabulary: Vocabulary
    meters: Sequence[Meter] | None
    options: MeasureOptions
    tell: Tell | None = None

    def make(
        self,
        fn: Callable[..., object],
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
    ) -> tuple[object, tuple[Measurement, ...]]:
        """Return what the first call returned, and what was measured."""
        __tracebackhide__ = True
        marked = self.names.options
        plain = self.meters is None and not marked.work_only
        with nullcontext() if plain else self._alone():
            if marked.work_only:
                # Without --pareto too: the test then meets the same tensors, without data, and
                # a model that is too large for this machine stays cheap.
                return measure_work(fn, args, kwargs, setup=self.options.setup, skip=self._skipped)
            return measure_call(
                fn,
                args,
                kwargs,
                setup=self.options.setup,
                meters=self.meters or (),
                plan=self._plan,
                skip=self._skipped,
                case_id=self.names.case_id(self.options.name),
                tell=self.tell,
            )

    @property
    def _plan(self) -> LoopPlan:
        own, marked = self.options, self.names.options
        return LoopPlan(
            rounds=own.rounds or marked.rounds,
            warmup=own.warmup if own.warmup is not None else marked.warmup,
        )

    @property
    def _skipped(self) -> frozenset[str]:
        skipped, wanted = self.names.options.skip_metrics, self.options.metrics
        return skipped if wanted is None else skipped | (self.vocabulary.built_in - wanted)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not _MEASURING.acquire(blocking=False):
            raise ParetoError(
                f"{self.names.case_id(self.options.name)} was to be measured while another "
                "measurement was under way, and each would be in the other's figures; measure one "
                "after the other, or measure one coroutine that makes many calls"
            )
        try:
            yield
        finally:
            _MEASURING.release()


def check_call(verb: str, fn: object, options: MeasureOptions) -> bool:
    """Return whether ``pareto.<verb>`` measures a stream.

    Raises ParetoError where it can measure no such function, or not with such options.
    """
    streams = verb.endswith("stream")
    if not callable(fn):
        fresh = ", which makes a new stream for each call" if streams else ""
        raise ParetoError(f"pareto.{verb} takes a function to call{fresh}, not {fn!r}")
    if streams:
        _refuse_of_calls(verb, options)
    else:
        _refuse_of_streams(verb, options)
    return streams


def _refuse_of_calls(verb: str, options: MeasureOptions) -> None:
    """Refuse options that only a whole call has."""
    if options.items is not None:
        raise ParetoError(
            f"items says how many one call works through, and pareto.{verb} counts a stream's own; "
            "leave items= away, or end the stream with max_items="
        )


def _refuse_of_streams(verb: str, options: MeasureOptions) -> None:
    """Refuse options that only a stream has."""
    named = sorted(STREAMED & (options.metrics or frozenset()))
    if named:
        raise ParetoError(
            f"metrics names {', '.join(named)}, which only streams have, and pareto.{verb} "
            "measures whole calls; use pareto.stream, or `await pareto.astream`"
        )
    if options.max_items is not None:
        raise ParetoError(
            f"max_items ends a stream, and pareto.{verb} measures whole calls; use pareto.stream "
            "or `await pareto.astream`, or say items= for how many one call works through"
        )
