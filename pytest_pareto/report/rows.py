"""The content of every report, built once: rows of metrics, as formatted text."""

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.run import Looks
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.report.bill import energy_text, per_thousand
from pytest_pareto.report.changes import Figure
from pytest_pareto.report.figures import (
    caught_text,
    change_figure,
    on_scale_of,
    resolution_text,
    sides_of,
)
from pytest_pareto.report.text import clean
from pytest_pareto.report.units import Scale, levels
from pytest_pareto.report.words import outcome_word

DIAGNOSTIC = "a diagnostic: it decides nothing"
_SAID_IN_BRIEF = {Outcome.UNCHANGED, Outcome.NOT_WORSE, Outcome.ABSENT}


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one case, as text; a part that does not apply is "".

    ``change`` and ``interval`` follow the metric itself: a score that fell has a minus.
    ``limit`` and ``resolution`` are in the harmful direction, as tolerances are written.
    ``facts`` explain the outcome, ``details`` and ``statistics`` are for who asks for more.
    A ``remarkable`` row is shown wherever its case is.
    """

    metric: str
    outcome: Outcome
    word: str
    gates: bool
    remarkable: bool
    baseline: str
    candidate: str
    unit: str
    change: str = ""
    interval: str = ""
    level: str = ""
    limit: str = ""
    resolution: str = ""
    facts: tuple[str, ...] = ()
    worst: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    statistics: str = ""


def build_row(result: MetricResult, *, traded: bool = False) -> Row:
    """Write one metric of a case; ``traded`` adds what a trade may give up of it."""
    metric, change, outcome = result.metric, result.change, result.outcome
    sides = sides_of(result)
    scale = sides.scale
    figure = change_figure(change, metric, sides) if change else Figure("")
    busy = outcome in {Outcome.WORSE, Outcome.BETTER} if not metric.gates else True
    return Row(
        metric=clean(metric.name),
        outcome=outcome,
        word=outcome_word(outcome, metric),
        gates=metric.gates,
        remarkable=outcome not in _SAID_IN_BRIEF and busy,
        baseline=sides.texts[0],
        candidate=sides.texts[1],
        unit=clean(sides.scale.unit),
        change=clean(figure.text),
        interval=figure.interval,
        level=f"{100 * (1 - 2 * change.alpha):g} %" if change and figure.interval else "",
        limit=on_scale_of(metric, change.tolerance, scale=scale) if change and metric.gates else "",
        resolution=resolution_text(metric, change.resolution, scale) if change else "",
        facts=tuple(map(clean, _facts(result, scale, traded=traded and outcome is Outcome.WORSE))),
        worst=tuple(map(clean, change.worst_ids)) if change else (),
        details=tuple(map(clean, _details(result, scale))),
        statistics=_statistics(change) if change else "",
    )


def _facts(result: MetricResult, scale: Scale, *, traded: bool) -> Iterator[str]:
    change, metric = result.change, result.metric
    if not metric.gates and result.outcome is not Outcome.ABSENT:
        yield DIAGNOSTIC
    if change is not None and change.pairs is not None:
        yield f"{change.pairs} pairs"
    if result.outcome is Outcome.INCONCLUSIVE and change is not None:
        if change.suspected:
            yield "suspected: alone it would be WORSE, among all that was tested it is not proven"
        yield caught_text(resolution_text(metric, change.resolution, scale))
    if traded:
        yield f"a trade may give up {on_scale_of(metric, metric.trade_bound, scale=scale)}"
    if change is not None and change.reason:
        yield change.reason
    if result.reason and _reason_is_its_own(result):
        yield result.reason


def _reason_is_its_own(result: MetricResult) -> bool:
    """Whether no failure or notice of the case spells out the reason: then the row does."""
    return result.change is not None or result.outcome is Outcome.ABSENT


def _details(result: MetricResult, scale: Scale) -> Iterator[str]:
    if result.change is not None and result.outcome is not Outcome.INCONCLUSIVE:
        yield caught_text(resolution_text(result.metric, result.change.resolution, scale))
    if result.reason and not _reason_is_its_own(result):
        yield result.reason
    if result.candidate is not None:
        yield from _each(result.candidate, result.metric, result.items)
    if result.first is not None:
        first = levels((result.first,), result.metric.unit)
        yield f"first call {first.texts[0]} {first.scale.unit}".rstrip()
    if result.looks is not None and result.looks.planned > 1:
        yield _where_it_stopped(result.looks)
    yield from result.notes


def _where_it_stopped(looks: Looks) -> str:
    if looks.complete:
        return f"undecided until the last of {looks.planned} looks: all {looks.samples} samples"
    return (
        f"decided with {looks.used} of {looks.samples} samples, at look {looks.at} of "
        f"{looks.planned} ({looks.saved} saved; order of seed {looks.seed})"
    )


def _each(value: float, metric: Metric, items: int | None) -> Iterator[str]:
    """Tell what one item takes of what a call takes, and of energy what the meter charges."""
    if items is not None and items > 1:
        each = levels((value / items,), metric.unit)
        yield f"{each.texts[0]} {each.scale.unit} per item ({items} items)"
    if metric.unit == "J":
        yield energy_text(per_thousand(value, items), items)


def _statistics(change: Change) -> str:
    parts = [f"p(worse) {_p_value(change.p_worse)}"]
    if change.p_convicting is not None:
        parts.append(f"corrected {_p_value(change.p_convicting)}")
    parts.append(f"p(better) {_p_value(change.p_better)}")
    if change.df is not None:
        parts.append(f"{change.df:.3g} degrees of freedom")
    return ", ".join([*parts, f"alpha {change.alpha:g}"])


def _p_value(p: float) -> str:
    if 0 < p < 1e-4:
        return "< 0.0001"
    return "> 0.999" if 0.999 < p < 1 else f"{p:.2g}"
