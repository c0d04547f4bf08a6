"""Rendering of the HTML page with Jinja2, which escapes all values.

`render_page` is the entry point. Jinja2 is imported with this module, and not before. `data_json`
is the data of the page's script: levels of plots, sort keys, and texts of axes and labels.
"""

import base64
import hashlib
import json
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.report.html.axis import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Span,
    level,
    level_interval,
)
from pytest_pareto.report.html.case_rows import MARK_WORDS, Section
from pytest_pareto.report.html.content import BAR_WIDTH, anchor, build_page, why_tables
from pytest_pareto.report.html.evidence import (
    CELL,
    COURSE_HEIGHT,
    MAP_COLUMNS,
    MAP_LEFT,
    ROW,
    STRIP_WIDTH,
    CaseMap,
    map_cases,
)
from pytest_pareto.report.html.picture import (
    ARROW_GAP,
    LABEL_OFFSETS,
    LETTER_WIDTH,
    LINE_HEIGHT,
    MIN_ARROW_LENGTH,
    POINT_RADIUS,
    draw,
    front_cases,
    has_label,
    label_text,
    shows_intervals,
)
from pytest_pareto.report.text import clean, display_width

_EARLY_SCRIPT = 'document.documentElement.className="js"'
"""Runs in the head, so that details are hidden before the page is first painted."""
_SCRIPTS = ("page.js", "page_tables.js", "page_labels.js", "page_pictures.js")
"""Joined in this order within one function: each uses definitions of those before it."""

_DIGITS = 4
_MAX_DIGITS = 15
_MAX_POWER = 300
# Only these can end a script element, open another within it, or confuse old parsers.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_SPACED = re.compile(
    r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`)| *([=(){}\[\],;:?<>*&|]+) *"""
)
"""A string of a script, or punctuation with the spaces around it, which mean nothing there."""


@dataclass(frozen=True, slots=True)
class Image:
    """One of the worst samples, baseline and candidate side by side; ``data`` is the image file."""

    case_id: str
    metric: str
    sample: str
    media_type: str
    data: bytes

    @property
    def uri(self) -> str:
        """The image as a data URI, which needs no request."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"


def render_page(report: SessionReport, images: Sequence[Image] = (), left_out: str = "") -> str:
    """Render a session as one HTML document in UTF-8 that makes no request.

    ``left_out`` is which images are not in it, and why.
    """
    environment = Environment(
        loader=PackageLoader("pytest_pareto.report", "html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clean"] = clean
    environment.filters["why_tables"] = why_tables
    page = build_page(report)
    style = _read_source(environment, "page.css")
    parts = Markup("\n").join(_read_source(environment, name) for name in _SCRIPTS)
    script = Markup('"use strict";\n(() => {\n') + parts + Markup("\n})();")
    drawings = {section.number: draw(section) for section in page.sections if section.axes}
    case_map = map_cases(page.sections)
    return environment.get_template("page.html").render(
        page=page,
        case_map=case_map,
        map_width=MAP_LEFT + CELL * MAP_COLUMNS,
        cell=CELL,
        row=ROW,
        drawings=drawings,
        images=_group_by_case(images),
        left_out=left_out,
        data_json=Markup(data_json(page.sections, case_map)),  # noqa: S704 - JSON escaped for a script element
        style=style,
        early_script=Markup(_EARLY_SCRIPT),  # noqa: S704 - our own
        script=script,
        policy=_policy(style, _EARLY_SCRIPT, script),
        anchor=anchor,
        marks=MARK_WORDS,
        bar_width=BAR_WIDTH,
        strip_width=STRIP_WIDTH,
        course_height=COURSE_HEIGHT,
        size={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT,
              "top": TOP, "bottom": HEIGHT - BOTTOM},
    )  # fmt: skip


def _read_source(environment: Environment, name: str) -> Markup:
    """Return a file of this package without indentation, comments and the spaces of its script.

    It holds nothing of a session, so it is safe to insert unescaped.
    """
    assert environment.loader is not None
    lines = environment.loader.get_source(environment, name)[0].splitlines()
    kept = (line.strip() for line in lines)
    packed = "\n".join(line for line in kept if line and not line.startswith("//"))
    if name.endswith(".js"):
        packed = _SPACED.sub(lambda found: found[1] or found[2], packed)
    return Markup(packed)  # noqa: S704 - ours


def _policy(style: str, *scripts: str) -> str:
    """Return a Content-Security-Policy that allows this style, these scripts and data: images."""
    allowed = " ".join(map(_source_hash, scripts))
    return (
        f"default-src 'none'; style-src {_source_hash(style)}; script-src {allowed}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _source_hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _group_by_case(images: Sequence[Image]) -> dict[tuple[str, str], list[Image]]:
    found: dict[tuple[str, str], list[Image]] = {}
    for image in images:
        found.setdefault((image.case_id, image.metric), []).append(image)
    return found


def data_json(sections: Sequence[Section], case_map: CaseMap | None = None) -> str:
    """Return the data of the script as JSON that is safe within a script element."""
    box = [LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM]
    data = {
        "box": box,
        "width": WIDTH,
        "labels": {
            "tries": LABEL_OFFSETS,
            "line": LINE_HEIGHT,
            "point": POINT_RADIUS,
            "letter": LETTER_WIDTH,
        },
        "arrows": {"gap": ARROW_GAP, "shortest": MIN_ARROW_LENGTH},
        "sections": [_section_data(section) for section in sections],
    }
    if case_map is not None:
        at = {"left": MAP_LEFT, "cell": CELL, "across": MAP_COLUMNS, "band": case_map.band}
        data["map"] = at | {"columns": _map_columns(case_map)}
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return text.translate(_ESCAPES)


def _map_columns(case_map: CaseMap) -> list[list[int]]:
    """Return the cases of the map's columns, a list for each section from the first one on."""
    found: dict[int, list[int]] = {}
    for section, number in case_map.columns:
        found.setdefault(section, []).append(number)
    return [numbers for _, numbers in sorted(found.items())]


def _section_data(section: Section) -> dict[str, Any]:
    """Return the data of a section: its axes, fronts, labels and the sort keys of columns."""
    both = {
        f"{a},{b}": [front_cases(section, side, a, b) for side in ("baseline", "candidate")]
        for a, b in combinations(range(len(section.axes)), 2)
    }
    once = {number for old, _ in both.values() for number in old}
    lines = {axes: [old] if old == new else [old, new] for axes, (old, new) in both.items()}
    return {
        "axes": [_axis_data(section, axis, once) for axis in section.axes],
        "start": list(section.start),
        "lines": lines,
        "named": [
            [n, display_width(text := label_text(case)), text]
            for n, case in enumerate(section.cases)
            if has_label(section, case)
        ],
        "columns": [_column_data(section, place) for place in range(len(section.columns))],
    }


def _axis_data(section: Section, axis: Axis, once: Collection[int]) -> dict[str, Any]:
    """Return the data of an axis.

    ``once`` are the cases on an old front. Old levels are those of other cases that the script
    draws: with an arrow, or gone.
    """
    results = [c.verdict.comparison.metric(axis.metric.name) for c in section.cases]
    encode = _NumberFormat.along(axis.linear)
    drawn = [
        level_interval(r) if shows_intervals(section, c) else None
        for c, r in zip(section.cases, results, strict=True)
    ]
    bars = {n: [encode(end) for end in ends] for n, ends in enumerate(drawn) if ends}
    old, new = (
        [encode(level(r, axis.metric, side)) for r in results] for side in ("baseline", "candidate")
    )
    placed = {
        n
        for n, (case, now) in enumerate(zip(section.cases, new, strict=True))
        if n in once or case.block.changed or now is None
    }
    moved = {n: then for n, (then, now) in enumerate(zip(old, new, strict=True)) if then != now}
    return {
        "label": axis.label,
        "higher": axis.metric.harm_sign < 0,
        "linear": _span_data(axis.linear, encode),
        "log": None if axis.log is None else _span_data(axis.log, encode),
        "startsLog": axis.starts_log,
        "power": encode.power,
        "new": new,
        "old": {n: then for n, then in moved.items() if n in placed},
        "bars": bars,
    }


def _column_data(section: Section, place: int) -> dict[str, Any]:
    """Return the sort keys of a column: ranks of the harm of changes, and of levels.

    If an axis has the levels, its number is returned in their place.
    """
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
    # Changes that are all equal, such as of memory, sort nothing.
    ranks = _ranks(harm) if len(set(harm)) > 1 else None
    if name in at:
        return {"axis": at.index(name), "harm": ranks}
    return {"now": _ranks(now), "harm": ranks}


def _ranks(values: Sequence[float | None]) -> list[int | None]:
    """Return the rank of each value, 0 for the least; equal values share a rank."""
    finite = [value if value is not None and math.isfinite(value) else None for value in values]
    order = {v: n for n, v in enumerate(sorted({v for v in finite if v is not None}))}
    return [None if value is None else order[value] for value in finite]


@dataclass(frozen=True, slots=True)
class _NumberFormat:
    """Encodes levels as short numbers, in units of a power of ten.

    The power is chosen so that significant digits remain and zeros do not.
    """

    power: int
    digits: int

    @classmethod
    def along(cls, span: Span) -> "_NumberFormat":
        """Return the format for a span; its digits distinguish points a thousandth of it apart."""
        largest = max(abs(span.low), abs(span.high))
        finest = math.ceil(math.log10(largest / (span.high - span.low)))
        digits = min(_MAX_DIGITS, _DIGITS + finest)
        return cls(max(-_MAX_POWER, math.floor(math.log10(largest)) + 1 - digits), digits)

    def __call__(self, value: float | None) -> float | None:
        if value is None or not math.isfinite(value):
            return None
        rounded = float(f"{value:.{self.digits}g}")
        # Through text, because a division would add digits.
        mantissa, _, power = f"{rounded:.{self.digits - 1}e}".partition("e")
        moved = float(f"{mantissa}e{int(power) - self.power}")
        return int(moved) if moved.is_integer() and abs(moved) < 1e15 else moved


def _span_data(span: Span, encode: _NumberFormat) -> dict[str, Any]:
    ticks = [[encode(value), text] for value, text in span.ticks]
    return {"ends": [encode(span.low), encode(span.high)], "ticks": ticks}
