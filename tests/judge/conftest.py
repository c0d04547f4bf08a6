"""Builders of what the judge is given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pytest_pareto.judge.judgement import judge
from pytest_pareto.model.baseline import Baseline, Past
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.session_record import Changes, SessionRecord
from pytest_pareto.model.verdict import CaseComparison, Failure, Judgement, MetricResult

LATENCY = Metric("latency", "s", Better.LOWER, Kind.RUN, Scope.HOST, 0.05, relative=True)
SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
MEMORY = Metric("memory", "B", Better.LOWER, Kind.EXACT, Scope.GPU, 0.01, relative=True)
FLOPS = Metric(
    "flops", "count", Better.LOWER, Kind.EXACT, Scope.ANYWHERE, 0.0, relative=True, gates=False
)
METRICS = {m.name: m for m in (LATENCY, SCORE, MEMORY, FLOPS)}

# In units of the tolerance: where the interval lies, and how sure either claim is.
_SHAPES = {
    Outcome.WORSE: (2.0, 3.0, 1e-9, 1.0),
    Outcome.BETTER: (-3.0, -2.0, 1.0, 1e-9),
    Outcome.UNCHANGED: (-0.1, 0.1, 1.0, 1.0),
    Outcome.NOT_WORSE: (-2.0, 0.5, 1.0, 0.4),
    Outcome.INCONCLUSIVE: (-2.0, 2.0, 0.4, 0.4),
}


def make_change(metric: Metric, outcome: Outcome, **fields: Any) -> Change:
    """A change that comes out as asked; ``fields`` override."""
    low, high, p_worse, p_better = _SHAPES[outcome]
    # Without a tolerance only no change at all is within it.
    unit = metric.tolerance or (0.0 if outcome is Outcome.UNCHANGED else 1.0)
    change = Change(
        estimate=unit * (low + high) / 2,
        low=unit * low,
        high=unit * high,
        tolerance=metric.tolerance,
        relative=metric.relative,
        alpha=0.05,
        p_worse=p_worse,
        p_better=p_better,
        resolution=2 * unit,
        exact=metric.kind is Kind.EXACT,
    )
    return replace(change, **fields)


def make_result(name: str, outcome: Outcome, **fields: Any) -> MetricResult:
    metric = METRICS[name]
    if outcome in _SHAPES:
        change = make_change(metric, outcome, **fields)
        assert fields or change.outcome is outcome
        return MetricResult(metric, 1.0, 1.0, change=change)
    return MetricResult(metric, state=outcome, reason="for a reason")


@dataclass(frozen=True)
class Case:
    """Builds comparisons: ``case("a", latency=Outcome.WORSE)``."""

    def __call__(self, case_id: str = "a", *, front: str = "f", **kwargs: Any) -> CaseComparison:
        known = {"gate", "budgets", "notes", "broken", "missing", "skipped"}
        about = {key: kwargs.pop(key) for key in known & set(kwargs)}
        results = tuple(
            outcome if isinstance(outcome, MetricResult) else make_result(name, outcome)
            for name, outcome in kwargs.items()
        )
        return CaseComparison(case_id, case_id, front, results, **about)


@pytest.fixture
def case() -> Case:
    return Case()


@pytest.fixture
def result() -> Callable[..., MetricResult]:
    return make_result


@dataclass(frozen=True)
class ScriptedDuels:
    """Duels by name: p is 0 where a pair is listed, None where unknown, else 1."""

    dominated_by: Mapping[str, set[str]] = field(default_factory=dict)
    ahead_of: Mapping[str, set[str]] = field(default_factory=dict)
    unknown: frozenset[tuple[str, str]] = frozenset()

    def dominated(self, point: str, rival: str) -> float | None:
        return self._answer(self.dominated_by, point, rival)

    def ahead(self, point: str, rival: str) -> float | None:
        return self._answer(self.ahead_of, point, rival)

    def _answer(self, known: Mapping[str, set[str]], point: str, rival: str) -> float | None:
        if (point, rival) in self.unknown:
            return None
        return 0.0 if rival in known.get(point, set()) else 1.0


@pytest.fixture
def duels() -> type[ScriptedDuels]:
    return ScriptedDuels


def judge_cases(
    comparisons: Sequence[CaseComparison],
    *,
    failures: tuple[str, ...] = (),
    notices: tuple[str, ...] = (),
    **found: Any,
) -> Judgement:
    """Judge cases that were compared already, in a session that measured nothing else."""
    record = SessionRecord((), Policy(), failures=tuple(map(Failure, failures)), notices=notices)
    past = Past(Baseline("key", {}, {}))
    return judge(Changes(record, past, tuple(comparisons), **found))
