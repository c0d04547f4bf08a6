"""The content of every report, built once: rows of metrics, as formatted text."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.looks import Looks
from pytest_pareto.model.metric import Better, Kind, Metric
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.report.bill import energy_text, per_thousand
from pytest_pareto.report.changes import Ends, Figure, absolute_change, relative_change
from pytest_pareto.report.text import clean
from pytest_pareto.report.units import Levels, amount, fraction, levels
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
    exact = metric.kind is Kind.EXACT
    sides = levels((result.baseline, result.candidate), metric.unit, exact=exact)
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
        limit=clean(on_scale_of(metric, change.tolerance)) if change and metric.gates else "",
        resolution=resolution_text(metric, change.resolution) if change else "",
        facts=tuple(map(clean, _facts(result, traded=traded and outcome is Outcome.WORSE))),
        worst=tuple(map(clean, change.worst_ids)) if change else (),
        details=tuple(map(clean, _details(result))),
        statistics=_statistics(change) if change else "",
    )


def on_scale_of(metric: Metric, value: float, digits: int = 3) -> str:
    """Write a tolerance as its author would: in percent, or in the metric's unit."""
    write = fraction(value, digits) if metric.relative else amount(value, metric.unit, digits)
    return clean(write)


def resolution_text(metric: Metric, value: float) -> str:
    """Write the smallest regression that would have been caught, in two digits."""
    return on_scale_of(metric, value, 2) if value else "any change"


def caught_text(resolution: str) -> str:
    """Say the resolution where no column says it."""
    return f"would have caught {resolution}"


def change_figure(change: Change, metric: Metric, sides: Levels) -> Figure:
    """Write what happened to a metric, on the scale of its ``sides`` where it is absolute."""
    unbounded = math.isinf(change.low) and math.isinf(change.high)
    estimate, ends = own_direction(change, metric)
    shown = None if unbounded or metric.kind is Kind.EXACT else ends
    if change.relative:
        return relative_change(estimate, shown)
    return absolute_change(estimate, shown, sides.scale)


def own_direction(change: Change, metric: Metric) -> tuple[float, Ends]:
    """Turn a change in the harmful direction into what happened to the metric itself."""
    if metric.better is Better.LOWER:
        return change.estimate, (change.low, change.high)
    turn = _inverse if change.relative else float.__neg__
    return turn(change.estimate), (turn(change.high), turn(change.low))


def _inverse(harm: float) -> float:
    return 1 / (1 + harm) - 1 if harm > -1 else math.inf


def _facts(result: MetricResult, *, traded: bool) -> Iterator[str]:
    change, metric = result.change, result.metric
    if not metric.gates and result.outcome is not Outcome.ABSENT:
        yield DIAGNOSTIC
    if change is not None and change.pairs is not None:
        yield f"{change.pairs} pairs"
    if result.outcome is Outcome.INCONCLUSIVE and change is not None:
        if change.suspected:
            yield "suspected: alone it would be WORSE, among all that was tested it is not proven"
        yield caught_text(resolution_text(metric, change.resolution))
    if traded:
        yield f"a trade may give up {on_scale_of(metric, metric.trade_bound)}"
    if change is not None and change.reason:
        yield change.reason
    if result.reason and _reason_is_its_own(result):
        yield result.reason


def _reason_is_its_own(result: MetricResult) -> bool:
    """Whether no failure or notice of the case spells out the reason: then the row does."""
    return result.change is not None or result.outcome is Outcome.ABSENT


def _details(result: MetricResult) -> Iterator[str]:
    if result.change is not None and result.outcome is not Outcome.INCONCLUSIVE:
        yield caught_text(resolution_text(result.metric, result.change.resolution))
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
