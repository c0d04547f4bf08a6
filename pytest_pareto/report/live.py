"""What a test measured, in a few words behind its name while others still run."""

from collections.abc import Mapping, Sequence

from pytest_pareto.model.metric import Better, Metric
from pytest_pareto.report.text import clean, display_width
from pytest_pareto.report.units import amount

_COSTS, _QUALITIES = 2, 1
_MOST = _COSTS + _QUALITIES

Levels = Sequence[tuple[Metric, float]]


def figures_text(cases: Mapping[str, Levels], room: int) -> str:
    """Write what fits into so many cells, "latency 41.2 ms · energy 12.3 J", and one in any case.

    ``cases`` are the levels of a test's gated metrics, by the name of the case ("" of its only
    one). Of each two costs are told and a quality, or else its first three; never more in all.
    """
    figures = [
        f"{clean(name)}: {figure}" if name and not number else figure
        for name, levels in cases.items()
        for number, figure in enumerate(map(_figure, _chosen(levels)))
    ][:_MOST]
    text = " · ".join(figures)
    while len(figures) > 1 and display_width(text) > room:
        figures.pop()
        text = " · ".join(figures)
    return text


def _chosen(levels: Levels) -> Levels:
    costs = [each for each in levels if each[0].better is Better.LOWER]
    qualities = [each for each in levels if each[0].better is Better.HIGHER]
    chosen = [*costs[:_COSTS], *qualities[:_QUALITIES]]
    return chosen if costs and qualities else levels[:_MOST]


def _figure(level: tuple[Metric, float]) -> str:
    metric, value = level
    return f"{clean(metric.name)} {clean(amount(value, metric.unit))}"
