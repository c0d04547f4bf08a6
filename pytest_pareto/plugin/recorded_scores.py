"""Scores of a test: what ``pareto.record`` and ``pareto.evaluate`` make measurements of.

A recorded score is a number, one number per sample with ids, or an object that computes one of
these: `score_measurement` reads the arguments of ``pareto.record``, `read_outputs` those of
``pareto.keep``. `evaluate_case` runs an evaluation and records its measurements.
`early_stop_decider` returns what stops it early: a comparison with the baseline, in sessions in
which that may be read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, SupportsFloat

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.run import CaseRun, Looks, Measurement
from pytest_pareto.plugin.progress import remaining_text, report_test_progress
from pytest_pareto.plugin.recorder import METERS, Recorder

if TYPE_CHECKING:
    from pytest_pareto.scoring.evaluation import Decide, Evaluation, EvaluationPlan, Progress

_WANTS_ALL_SAMPLES = ("--pareto-update", "--pareto-against", "--pareto-noise")
"""Options that need every sample: to record it, or to compare other code or repeated runs."""

_DECIDER = pytest.StashKey["EarlyStopDecider"]()


@dataclass(frozen=True, slots=True)
class Score:
    """A recorded value in plain Python; ``ids`` is empty for a single number."""

    values: tuple[float, ...]
    ids: tuple[str, ...] = ()


def read_score(name: str, value: object, ids: Iterable[object] | None) -> Score:
    """Return a recorded value as floats; raise ParetoError where it cannot be converted."""
    if isinstance(value, Mapping):
        if ids is not None:
            raise ParetoError(f"{name!r}: a mapping has its ids already; leave ids= away")
        ids, value = list(value), list(value.values())
    plain = _to_plain(value)
    if not isinstance(plain, list | tuple):
        if ids is not None:
            raise ParetoError(
                f"{name!r} is a single number but ids were given; pass one score per id"
            )
        return Score((_number(name, plain, None),))
    if not plain:
        raise ParetoError(f"{name!r} has no scores at all; record at least one")
    if ids is None:
        raise ParetoError(
            f"{name!r} has {len(plain)} scores but no ids: pass ids= (prompt names, or "
            "range(n) if the order never changes) so that each is compared with itself"
        )
    labels = tuple(str(label) for label in _label_list(ids))
    return Score(
        tuple(
            _number(name, v, labels[i] if i < len(labels) else None) for i, v in enumerate(plain)
        ),
        labels,
    )


def read_outputs(outputs: object, ids: Iterable[object] | None) -> list[tuple[str, object]]:
    """Return outputs paired with their ids; raise ParetoError where they do not match."""
    if isinstance(outputs, Mapping):
        if ids is not None:
            raise ParetoError("pareto.keep: a mapping has its ids already; leave ids= away")
        ids, outputs = list(outputs), list(outputs.values())
    if ids is None or not isinstance(outputs, Iterable):
        raise ParetoError(
            "pareto.keep takes a mapping from sample ids to outputs, or a sequence of outputs "
            "with ids="
        )
    output_list, labels = list(outputs), [str(label) for label in _label_list(ids)]
    if len(output_list) != len(labels):
        raise ParetoError(
            f"pareto.keep: there are {len(output_list)} outputs and {len(labels)} ids; give one id "
            "for each output"
        )
    return list(zip(labels, output_list, strict=True))


def _label_list(ids: Iterable[object]) -> list[object]:
    plain = _to_plain(ids)
    return list(plain) if isinstance(plain, Iterable) else [plain]


def _to_plain(value: object) -> object:
    """Convert an array or tensor of any library to a number or a list."""
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        return to_list()
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | list | tuple):
        return list(value)
    return value


def _number(name: str, value: object, label: str | None) -> float:
    plain = _to_plain(value)
    where = f" at sample {label!r}" if label is not None else ""
    if isinstance(plain, SupportsFloat):
        try:
            return float(plain)
        except OverflowError:
            raise ParetoError(f"{name!r} is too large a number{where}: no float holds it") from None
    raise ParetoError(
        f"{name!r} is {plain!r}{where}; a number, or one number per sample, is needed"
    )


def read_direction(name: str, value: object, better: str | None) -> tuple[object, Better]:
    """Return a value, computed if need be, and its direction.

    An object that computes its value (torchmetrics) may declare the direction, which is never
    guessed: raises ParetoError where it is missing.
    """
    compute = getattr(value, "compute", None)
    if callable(compute) and callable(getattr(value, "update", None)):
        higher = getattr(value, "higher_is_better", None)
        if better is None and higher is not None:
            better = "higher" if higher else "lower"
        value = compute()
    if better not in ("lower", "higher"):
        problem = "is missing" if better is None else f"is {better!r}"
        raise ParetoError(
            f"the direction of {name!r} {problem}; pass better='higher' or better='lower'"
        )
    return value, Better(better)


def score_measurement(  # noqa: PLR0913  (as `record`)
    name: str,
    value: object,
    *,
    ids: Sequence[object] | None,
    better: str | None,
    tolerance: float | None,
    unit: str,
    scope: str,
    gate: bool,
    ordinal: bool,
) -> Measurement:
    """Return the measurement of a recorded score; see `Pareto.record` for the parameters.

    Raises ParetoError where one of them cannot be used.
    """
    value, direction = read_direction(name, value, better)
    score = read_score(name, value, ids)
    if scope not in tuple(Scope):
        raise ParetoError(f"scope of {name!r} is {scope!r}; it is one of {', '.join(Scope)}")
    if ordinal and not score.ids:
        raise ParetoError(f"{name!r} is a single number; ordinal=True is for one grade per sample")
    kind = Kind.ORDINAL if ordinal else Kind.PAIRED if score.ids else Kind.RUN
    metric = Metric(
        name,
        unit,
        direction,
        kind,
        Scope(scope),
        0.0 if tolerance is None else tolerance,
        relative=False,
        gates=gate,
    )
    return Measurement(metric, score.values, score.ids)


@dataclass(frozen=True, slots=True)
class EarlyStopDecider:
    """Decides whether an evaluation may stop early, by its baseline.

    ``decide`` takes the case with the scores so far, and the other metrics that the case has.
    """

    decide: Callable[[CaseRun, Sequence[Metric]], bool]


def evaluate_case(recorder: Recorder, name: str | None, plan: "EvaluationPlan") -> "Evaluation":
    """Run an evaluation and record its measurements; ``name`` is the one given by `configure`.

    Metrics that fail are recorded as broken. Where nothing is recorded they raise ParetoError,
    from its cause, since nothing else would report the failure.
    """
    __tracebackhide__ = True
    from pytest_pareto.scoring.evaluation import run_evaluation

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


def _early_stop(recorder: Recorder, name: str | None, plan: "EvaluationPlan") -> "Decide | None":
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
def _progress(item: pytest.Item) -> "Iterator[Progress]":
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
