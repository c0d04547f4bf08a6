"""What the page's script knows of the pictures: numbers, and the texts of axes and labels."""

import json
import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from pytest_pareto.report.html.axis import Axis, Span
from pytest_pareto.report.html.drawing import GAP, SHORTEST, has_bars, lines_of
from pytest_pareto.report.html.labels import LETTER, LINE, POINT, TRIES, is_named, label_text
from pytest_pareto.report.html.levels import around_now, level
from pytest_pareto.report.html.paper import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from pytest_pareto.report.html.section import Section
from pytest_pareto.report.text import display_width

_DIGITS = 4
_MOST_DIGITS = 15
# Within a script element only these could end it, open another, or confuse old parsers.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def island_text(sections: Sequence[Section]) -> str:
    """Write what the script needs as JSON that is safe within a script element."""
    box = [LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM]
    data = {
        "box": box,
        "width": WIDTH,
        "labels": {"tries": TRIES, "line": LINE, "point": POINT, "letter": LETTER},
        "arrows": {"gap": GAP, "shortest": SHORTEST},
        "sections": [_section(section) for section in sections],
    }
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return text.translate(_ESCAPES)


def _section(section: Section) -> dict[str, Any]:
    """Give the levels of each axis, and of each column the changes that a table is sorted by."""
    return {
        "axes": [_axis(section, axis) for axis in section.axes],
        "start": list(section.start),
        "lines": {
            f"{a},{b}": [lines_of(section, side, a, b) for side in ("baseline", "candidate")]
            for a, b in combinations(range(len(section.axes)), 2)
        },
        "named": [
            [n, display_width(text := label_text(case)), text]
            for n, case in enumerate(section.cases)
            if is_named(section, case)
        ],
        "columns": [_column(section, place) for place in range(len(section.columns))],
    }


def _axis(section: Section, axis: Axis) -> dict[str, Any]:
    results = [c.verdict.comparison.metric(axis.metric.name) for c in section.cases]
    digits = _digits(axis.linear)
    drawn = [
        around_now(r) if has_bars(section, c) else None
        for c, r in zip(section.cases, results, strict=True)
    ]
    bars = {n: [_number(end, digits) for end in ends] for n, ends in enumerate(drawn) if ends}
    old, new = (
        [_number(level(r, axis.metric, side), digits) for r in results]
        for side in ("baseline", "candidate")
    )
    return {
        "label": axis.label,
        "higher": axis.metric.harm_sign < 0,
        "linear": _span(axis.linear, digits),
        "log": None if axis.log is None else _span(axis.log, digits),
        "startsLog": axis.starts_log,
        "new": new,
        "old": None if old == new else old,
        "bars": bars,
    }


def _column(section: Section, place: int) -> dict[str, Any]:
    """Give what a column is sorted by: levels, unless an axis has them, and the changes' harm."""
    at = [axis.metric.name for axis in section.axes]
    name = section.names[place]
    now, harm = [], []
    for case in section.cases:
        results = {r.metric.name: r for r in case.verdict.comparison.metrics if r.metric.gates}
        result = results.get(name)
        change = None if result is None else result.change
        now.append(None if result is None else _number(result.candidate, _DIGITS))
        harm.append(None if change is None else _number(change.estimate, _DIGITS - 1))
    return {"axis": at.index(name), "harm": harm} if name in at else {"now": now, "harm": harm}


def _digits(span: Span) -> int:
    """How many digits tell points apart that are a thousandth of the span apart."""
    largest = max(abs(span.low), abs(span.high))
    return min(_MOST_DIGITS, _DIGITS + math.ceil(math.log10(largest / (span.high - span.low))))


def _span(span: Span, digits: int) -> dict[str, Any]:
    ticks = [[_number(value, digits), text] for value, text in span.ticks]
    return {"ends": [_number(span.low, digits), _number(span.high, digits)], "ticks": ticks}


def _number(value: float | None, digits: int) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
