"""The evidence for a failing case on the first screen: runs, and the parts that moved its metrics.

`build_evidence` draws the worst metrics of a case, each as a `Strip`: a point for the level of each
run, old above new, with the limit. `why_tables` has the parts of each metric that moved.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.verdict import CaseVerdict, ComparedRuns, MetricResult
from pytest_pareto.report.html.axis import Span
from pytest_pareto.report.numbers import levels, to_metric_direction
from pytest_pareto.report.text import clean
from pytest_pareto.report.wording import AttributionRow, attribution_rows, sort_by_severity

BAR_WIDTH = 120
"""Of the largest level of a part, in pixels."""
_OPEN_PARTS = 10
_WORST_PARTS = 3
STRIP_WIDTH = 480
_LABELS = 66
"""The width of the words at the left of a strip, in pixels."""
_TOP, _LANE, _GAP = 18, 8, 16
_MAX_LANES = 6
"""Older sessions of the baseline share the first lane."""
_MARGIN = 0.06


@dataclass(frozen=True, slots=True)
class PartLine:
    """A part of a metric that moved, with the lengths of its bars before and now, in pixels."""

    row: AttributionRow
    bars: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class WhyTable:
    """Why a metric moved: its parts, the largest change first.

    ``rest`` is what the parts leave of the change, and ``more`` smaller parts, which unfold.
    """

    metric: str
    parts: tuple[PartLine, ...]
    rest: tuple[PartLine, ...]
    more: tuple[PartLine, ...]


@dataclass(frozen=True, slots=True)
class Strip:
    """The levels of the runs of one metric along an axis, in pixels.

    ``text`` says the same in words. ``lanes`` are the words at the left with their heights.
    ``before``, ``now`` and ``screen`` are paths of points, ``marks`` one of both levels,
    ``interval`` that of the change; each is "" where there is none. ``limit`` is how far the metric
    may get worse, and ``allowed`` the ground on this side of it.
    """

    metric: str
    text: str
    height: int
    lanes: tuple[tuple[str, int], ...]
    before: str
    now: str
    screen: str
    marks: str
    interval: str
    limit: float
    allowed: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the first screen shows of a failing case: its worst metrics, and why they moved."""

    strips: tuple[Strip, ...] = ()
    why: tuple[WhyTable, ...] = ()


def build_evidence(case: CaseVerdict, most: int) -> Evidence:
    """Return the evidence for the worst metrics of a failing case, at most so many of them."""
    worst = [
        result
        for result in sort_by_severity(case.comparison.metrics)
        if result.metric.gates and result.outcome in {Outcome.WORSE, Outcome.INCONCLUSIVE}
    ][:most]
    strips = (strip for result in worst if (strip := build_strip(result)) is not None)
    shown = {clean(result.metric.name) for result in worst}
    tables = (table for table in why_tables(case) if table.metric in shown)
    return Evidence(tuple(strips), tuple(_short(table) for table in tables))


def _short(table: WhyTable) -> WhyTable:
    return replace(table, parts=table.parts[:_WORST_PARTS], rest=(), more=())


def why_tables(case: CaseVerdict) -> Iterator[WhyTable]:
    """Yield a table for each metric of a case whose parts are known to have moved."""
    for result in sort_by_severity(case.comparison.metrics):
        rows = attribution_rows(result)
        if rows:
            parts = _part_lines(rows, result)
            rest = tuple(PartLine(row, None) for row in rows if not row.is_part)
            open_parts, more = parts[:_OPEN_PARTS], parts[_OPEN_PARTS:]
            yield WhyTable(clean(result.metric.name), open_parts, rest, more)


def _part_lines(rows: Sequence[AttributionRow], result: MetricResult) -> tuple[PartLine, ...]:
    """Return the parts with their bars, all on one scale: the rows begin with them."""
    assert result.attribution is not None
    found = result.attribution.contributions
    sides = [(abs(each.baseline), abs(each.candidate)) for each in found]
    pixel = (max(map(max, sides)) or 1.0) / BAR_WIDTH
    return tuple(
        PartLine(row, (round(then / pixel), round(now / pixel)))
        for row, (then, now) in zip(rows, sides, strict=False)
    )


def build_strip(result: MetricResult) -> Strip | None:
    """Return the strip of a metric; None where its runs are not known or cannot be drawn."""
    runs, change, then = result.runs, result.change, result.baseline
    if runs is None or change is None or then is None:
        return None
    limit, now, low, high = (
        _level_after(result, harm)
        for harm in (change.tolerance, change.estimate, change.low, change.high)
    )
    levels_of_runs = [*(x for runs_of in runs.sessions for x in runs_of), *runs.candidate]
    drawn = [*levels_of_runs, *runs.screen, then, limit, now]
    if not all(map(math.isfinite, drawn)):
        return None
    interval = sorted((low, high)) if math.isfinite(low) and math.isfinite(high) else [now, now]
    span = _span([*drawn, *interval])
    lanes = runs.sessions[-_MAX_LANES:]
    older = tuple(x for session in runs.sessions[:-_MAX_LANES] for x in session)
    lanes = (older + lanes[0], *lanes[1:])
    heights = [_TOP + _LANE * place for place in range(len(lanes))]
    first, last = heights[0], heights[-1]
    screen = last + _GAP if runs.screen else last
    new = screen + _GAP
    height = new + 10
    allowed = _LABELS if result.metric.harm_sign > 0 else STRIP_WIDTH
    return Strip(
        clean(result.metric.name),
        _strip_text(result, runs, limit),
        height,
        (
            ("before", (first + last) // 2 + 4),
            *([("flagged", screen + 4)] if runs.screen else []),
            ("now", new + 4),
        ),
        "".join(_points(span, xs, y) for xs, y in zip(lanes, heights, strict=True)),
        _points(span, runs.candidate, new),
        _points(span, runs.screen, screen),
        f"M{_pixel(span, then)} {first - 5}V{last + 5}M{_pixel(span, now)} {new - 8}v16",
        ""
        if interval[0] == interval[1]
        else f"M{_pixel(span, interval[0])} {new}H{_pixel(span, interval[1])}",
        _pixel(span, limit),
        f"M{_pixel(span, limit)} 12H{allowed}V{height}H{_pixel(span, limit)}z",
    )


def _level_after(result: MetricResult, harm: float) -> float:
    """Return the level to which a change in the harmful direction leads from the baseline's."""
    assert result.change is not None
    assert result.baseline is not None
    change, _ = to_metric_direction(replace(result.change, estimate=harm), result.metric)
    return result.baseline * (1 + change) if result.change.relative else result.baseline + change


def _span(values: Sequence[float]) -> Span:
    low, high = min(values), max(values)
    margin = _MARGIN * (high - low) or abs(high) or 1.0
    return Span(low - margin, high + margin, ())


def _pixel(span: Span, value: float) -> int:
    return round(_LABELS + span.share(value) * (STRIP_WIDTH - _LABELS))


def _points(span: Span, values: Sequence[float], y: int) -> str:
    """Return a path of points; those in one place are one."""
    places = dict.fromkeys(_pixel(span, value) for value in values)
    return "".join(f"M{x} {y}h0" for x in places)


def _strip_text(result: MetricResult, runs: ComparedRuns, limit: float) -> str:
    """Return the levels of the runs in words: how many, from which to which, and the limit."""
    sessions = [x for session in runs.sessions for x in session]
    sides = [side for side in (sessions, runs.screen, runs.candidate) if side]
    ends = [end for side in sides for end in (min(side), max(side))]
    shown = levels([*ends, limit], result.metric.unit)
    texts = iter(shown.texts)
    ranges = [
        low if low == high else f"{low} to {high}"
        for low, high in ((next(texts), next(texts)) for _ in sides)
    ]
    unit = f" {clean(shown.scale.unit)}".rstrip()
    of = f" of {plural(len(runs.sessions), 'session')}" if len(runs.sessions) > 1 else ""
    parts = [f"before {ranges[0]}{unit} in {plural(len(sessions), 'run')}{of}"]
    if runs.screen:
        parts.append(f"flagged by {ranges[1]}{unit} in {plural(len(runs.screen), 'run')}")
    parts.append(f"now {ranges[-1]}{unit} in {plural(len(runs.candidate), 'run')}")
    return "; ".join([*parts, f"limit {shown.texts[-1]}{unit}"])
