"""What an evaluation was given, checked before anything is generated."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.scoring.batches import Executor
from pytest_pareto.scoring.generating import Generate, read_generate
from pytest_pareto.scoring.samples import Samples, read_samples
from pytest_pareto.scoring.scorers import Scorer, read_scorers

DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class Plan:
    """An evaluation that was checked and can begin."""

    generate: Generate
    samples: Samples
    scorers: tuple[Scorer, ...]
    batch_size: int
    executor: Executor | None
    stops: bool
    keeps_outputs: bool

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What will be measured."""
        return tuple(scorer.metric for scorer in self.scorers)

    def needs_all(self, budgeted: Container[str] = ()) -> bool:
        """Whether a number of the whole set decides: by its change, or by a budget of its name."""
        return any(
            metric.kind is Kind.SET and (metric.gates or metric.name in budgeted)
            for metric in self.metrics
        )

    def under(self, policy: Callable[[Metric], Metric]) -> "Plan":
        """Return this plan with every metric under a test's policy."""
        return replace(self, scorers=tuple(scorer.under(policy) for scorer in self.scorers))


def plan_evaluation(  # noqa: PLR0913  (each is one thing that users say)
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
) -> Plan:
    """Check what `evaluate` was given, before anything is generated.

    Raises ParetoError where something of it cannot be used, or does not belong together.
    """
    _check_batch_size(batch_size)
    if stop not in (None, DECIDED):
        raise ParetoError(f"stop takes None or {DECIDED!r}, not {stop!r}")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise ParetoError(
            "executor takes an object with submit, such as those of concurrent.futures or "
            f"dask's client.get_executor(), not {executor!r}"
        )
    return Plan(
        read_generate(generate, seeds=seeds),
        read_samples(samples, ids=ids, targets=targets, seeds=seeds),
        read_scorers(metrics),
        batch_size,
        executor,
        stop is not None,
        keep_outputs,
    )


def _check_batch_size(given: object) -> None:
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise ParetoError(f"batch_size takes a whole number from 1 on, not {given!r}")
