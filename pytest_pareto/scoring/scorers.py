"""The metrics of an evaluation, each read into what it measures and how."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.scoring.raters import ByBatch, ByFunction, ByUpdate
from pytest_pareto.scoring.score import Score, updates
from pytest_pareto.scoring.set_metrics import OfFeatures, OfSet, OfUpdates

Rater = ByFunction | ByBatch | ByUpdate | OfSet


@dataclass(frozen=True, slots=True)
class Scorer:
    """One metric, and what scores the outputs for it: an `OfSet` where it is of a set."""

    metric: Metric
    rater: Rater

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.metric.name

    def under(self, policy: Callable[[Metric], Metric]) -> "Scorer":
        """Return this scorer with the metric under a test's policy."""
        return replace(self, metric=policy(self.metric))


def read_scorers(metrics: object) -> tuple[Scorer, ...]:
    """Read the mapping from names to metrics.

    Raises ParetoError where a metric cannot be used, or says nothing of its direction.
    """
    if not isinstance(metrics, Mapping) or not metrics:
        raise ParetoError(
            "evaluate(metrics=...) takes a mapping from names to metrics, such as "
            f"{{'accuracy': Score(fn, better='higher')}}, not {metrics!r}"
        )
    return tuple(_read(name, given) for name, given in metrics.items())


def _read(name: object, given: object) -> Scorer:
    if not isinstance(name, str) or not name:
        raise ParetoError(f"metrics are named by strings, not {name!r}")
    if not isinstance(given, Score) and not callable(given) and not updates(given):
        raise ParetoError(
            f"metric {name!r} is {given!r}; give a function (output, target), an object with "
            "update, compute and reset (torchmetrics), or a Score of one of these"
        )
    score = given if isinstance(given, Score) else Score(given)
    metric = Metric(
        name,
        score.unit,
        _direction(name, score),
        _kind(score),
        Scope(score.scope),
        0.0 if score.tolerance is None else float(score.tolerance),
        relative=False,
        gates=score.gate,
    )
    return Scorer(metric, _rater(name, score))


def _direction(name: str, score: Score) -> Better:
    if score.better is not None:
        return Better(score.better)
    higher = getattr(score.fn, "higher_is_better", None)
    if not isinstance(higher, bool):
        raise ParetoError(
            f"metric {name!r} does not say whether higher or lower is better; write "
            f"metrics={{{name!r}: Score(..., better='higher')}}, or better='lower' "
            "(Score is in pytest_pareto)"
        )
    return Better.HIGHER if higher else Better.LOWER


def _kind(score: Score) -> Kind:
    if score.over == "set":
        return Kind.SET
    return Kind.ORDINAL if score.ordinal else Kind.PAIRED


def _rater(name: str, score: Score) -> Rater:
    if score.over == "batch":
        return ByBatch(name, score.fn)
    if not updates(score.fn):
        if score.features is not None:
            return OfFeatures(name, score.fn, score.features)
        return ByFunction(name, score.fn)
    _refuse_two_sets(name, score.fn)
    return OfUpdates(name, score.fn) if score.over == "set" else ByUpdate(name, score.fn)


def _refuse_two_sets(name: str, metric: Any) -> None:
    """Refuse what compares a set with real data: its second argument is no target."""
    try:
        parameters = inspect.signature(metric.update).parameters
    except (TypeError, ValueError):  # functions written in C may not tell
        return
    if "real" in parameters:
        raise ParetoError(
            f"metric {name!r} ({type(metric).__name__}) is updated with real and generated data "
            "apart; give its statistic instead: Score(statistic, better='lower', over='set', "
            "features=f), where f(output, target) returns a vector and statistic takes them all"
        )
