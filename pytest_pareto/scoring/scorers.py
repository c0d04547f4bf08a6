"""The metrics of an evaluation, each read into a `Scorer`: its metric model and its rater."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.scoring.raters import BatchRater, FunctionRater, UpdateRater
from pytest_pareto.scoring.score import Score, is_stateful
from pytest_pareto.scoring.set_metrics import FeatureSetRater, SetRater, UpdateSetRater

Rater = FunctionRater | BatchRater | UpdateRater | SetRater


@dataclass(frozen=True, slots=True)
class Scorer:
    """One metric with its rater, which is a `SetRater` where the metric is over the set."""

    metric: Metric
    rater: Rater

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.metric.name

    def under(self, policy: Callable[[Metric], Metric]) -> "Scorer":
        """Return this scorer with a test's policy applied to its metric."""
        return replace(self, metric=policy(self.metric))


def read_scorers(metrics: object) -> tuple[Scorer, ...]:
    """Return a scorer for each entry of a mapping from names to metrics.

    Raises ParetoError where a metric cannot be used, or where its direction is unknown.
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
    if not isinstance(given, Score) and not callable(given) and not is_stateful(given):
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
        return BatchRater(name, score.fn)
    if not is_stateful(score.fn):
        if score.features is not None:
            return FeatureSetRater(name, score.fn, score.features)
        return FunctionRater(name, score.fn)
    _check_one_set(name, score.fn)
    return UpdateSetRater(name, score.fn) if score.over == "set" else UpdateRater(name, score.fn)


def _check_one_set(name: str, metric: Any) -> None:
    """Raise ParetoError for a metric that compares generated with real data.

    The second argument of its ``update`` is no target.
    """
    try:
        parameters = inspect.signature(metric.update).parameters
    except (TypeError, ValueError):  # functions written in C may have no signature
        return
    if "real" in parameters:
        raise ParetoError(
            f"metric {name!r} ({type(metric).__name__}) is updated with real and generated data "
            "apart; give its statistic instead: Score(statistic, better='lower', over='set', "
            "features=f), where f(output, target) returns a vector and statistic takes them all"
        )
