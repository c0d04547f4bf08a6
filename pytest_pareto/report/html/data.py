"""What the page's script knows of the pictures: numbers, and the texts of axes and labels."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from pytest_pareto.report.html.axis import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Span,
    around_now,
    level,
)
from pytest_pareto.report.html.case_rows import Section
from pytest_pareto.report.html.picture import (
    GAP,
    LETTER,
    LINE,
    POINT,
    SHORTEST,
    TRIES,
    has_bars,
    is_named,
    label_text,
    lines_of,
)
from pytest_pareto.report.text import display_width

_DIGITS = 4
_MOST_DIGITS = 15
_MOST_POWER = 300
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
    """Give the levels of each axis in units of its power of ten, and what columns sort by."""
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
    number = _Numbers.along(axis.linear)
    drawn = [
        around_now(r) if has_bars(section, c) else None
        for c, r in zip(section.cases, results, strict=True)
    ]
    bars = {n: [number(end) for end in ends] for n, ends in enumerate(drawn) if ends}
    old, new = (
        [number(level(r, axis.metric, side)) for r in results] for side in ("baseline", "candidate")
    )
    return {
        "label": axis.label,
        "higher": axis.metric.harm_sign < 0,
        "linear": _span(axis.linear, number),
        "log": None if axis.log is None else _span(axis.log, number),
        "startsLog": axis.starts_log,
        "power": number.power,
        "new": new,
        "old": None if old == new else old,
        "bars": bars,
    }


def _column(section: Section, place: int) -> dict[str, Any]:
    """Give what a column is sorted by: levels, unless an axis has them, and the changes' harm."""
    at = [axis.metric.name for axis in section.axes]
    name = section.names[place]
    now: list[float | None] = []
    harm: list[float | None] = []
    for case in section.cases:
        results = {r.metric.name: r for r in case.verdict.comparison.metrics if r.metric.gates}
        result = results.get(name)
        change = None if result is None else result.change
        now.append(None if result is None else result.candidate)
        harm.append(None if change is None else change.estimate)
    if name in at:
        return {"axis": at.index(name), "harm": _ranks(harm)}
    return {"now": _ranks(now), "harm": _ranks(harm)}


def _ranks(values: Sequence[float | None]) -> list[int | None]:
    """Number values by their order, the least 0, those that are the same alike."""
    finite = [value if value is not None and math.isfinite(value) else None for value in values]
    order = {v: n for n, v in enumerate(sorted({v for v in finite if v is not None}))}
    return [None if value is None else order[value] for value in finite]


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Writes levels in units of a power of ten that leaves their digits and no zeros."""

    power: int
    digits: int

    @classmethod
    def along(cls, span: Span) -> "_Numbers":
        """Keep as many digits as tell points apart that are a thousandth of a span apart."""
        largest = max(abs(span.low), abs(span.high))
        finest = math.ceil(math.log10(largest / (span.high - span.low)))
        digits = min(_MOST_DIGITS, _DIGITS + finest)
        return cls(max(-_MOST_POWER, math.floor(math.log10(largest)) + 1 - digits), digits)

    def __call__(self, value: float | None) -> float | None:
        if value is None or not math.isfinite(value):
            return None
        rounded = float(f"{value:.{self.digits}g}")
        # By way of text, since a division would add digits.
        mantissa, _, power = f"{rounded:.{self.digits - 1}e}".partition("e")
        moved = float(f"{mantissa}e{int(power) - self.power}")
        return int(moved) if moved.is_integer() and abs(moved) < 1e15 else moved


def _span(span: Span, number: _Numbers) -> dict[str, Any]:
    ticks = [[number(value), text] for value, text in span.ticks]
    return {"ends": [number(span.low), number(span.high)], "ticks": ticks}
