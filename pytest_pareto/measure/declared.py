"""What a meter declares, and whether what it returns is that."""

from collections.abc import Iterator, Sequence

from pytest_pareto.model.metric import Metric
from pytest_pareto.model.run import Measurement

_UNITS = ("s", "J", "B", "count", "")


def declaration_problems(meter: object) -> Iterator[str]:
    """Say what keeps an object from being asked at all."""
    if isinstance(meter, type):
        yield f"this is a class; give a meter made of it: {meter.__name__}(...)"
        return
    for name in ("absence", "measure"):
        if not callable(getattr(meter, name, None)):
            yield f"it has no method {name!r}"
    metrics = getattr(meter, "metrics", None)
    if not isinstance(metrics, tuple) or not all(isinstance(each, Metric) for each in metrics):
        yield f"metrics is {metrics!r}; it is a tuple of Metric, such as (ENERGY,)"
        return
    if not metrics:
        yield "metrics is empty, so nothing would be measured"
    names = [metric.name for metric in metrics]
    yield from (f"{name!r} is declared more than once" for name in names if names.count(name) > 1)


def unit_problems(metrics: Sequence[Metric]) -> Iterator[str]:
    """Say which metrics are not in a unit that reports can scale."""
    for metric in metrics:
        if metric.unit not in _UNITS:
            yield (
                f"{metric.name!r} is in {metric.unit!r}; units are SI: s, J, B, count, or '' for "
                "a bare score, and reports scale them"
            )


def answer_problems(
    found: Sequence[Measurement], declared: Sequence[Metric], wanted: Sequence[Metric]
) -> Iterator[str]:
    """Say where the measurements are not one of each metric that was asked for."""
    by_name = {metric.name: metric for metric in declared}
    names = [each.metric.name for each in found]
    yield from (f"{n!r} is measured more than once" for n in names if names.count(n) > 1)
    yield from (f"{m.name!r} is declared, and not measured" for m in wanted if m.name not in names)
    for each in found:
        metric = by_name.get(each.metric.name)
        if metric is None:
            yield f"{each.metric.name!r} is measured, and not declared in metrics"
        elif metric != each.metric:
            yield f"{metric.name!r} is declared as {metric}, and measured as {each.metric}"
