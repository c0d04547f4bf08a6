"""The evidence above the fronts: the runs of failing cases, and the map of many cases.

`failing_strips` draws the worst metrics of a case, each as a `Strip`: a point for the level of each
run, old above new, with the limit; and its `Course` over the commits of the baseline. `map_cases`
shades each metric of each case by its change, where a session has many.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.model.baseline import LevelEntry, LevelHistories, LevelHistory, Revision
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import LATENCY
from pytest_pareto.model.verdict import CaseVerdict, ComparedRuns, MetricResult
from pytest_pareto.report.html.axis import Pixel, Span
from pytest_pareto.report.html.case_rows import CaseView, Section
from pytest_pareto.report.numbers import Levels, levels, to_metric_direction
from pytest_pareto.report.text import clean, shorten
from pytest_pareto.report.wording import outcome_word, sort_by_severity

STRIP_WIDTH = 480
_LABELS = 66
"""The width of the words at the left of a strip, in pixels."""
_TOP, _LANE, _GAP = 18, 8, 16
COURSE_HEIGHT = 64
_LEAST_RANGE = 4
"""In pixels; shorter ranges of runs are hidden by their point."""
_MAX_LANES = 6
"""Older sessions of the baseline share the first lane."""
_MARGIN = 0.06

MAP_FROM = 100
"""Sessions with fewer cases have no map: their tables show as much."""
CELL, ROW = 10, 14
"""The width and the height of a cell of the map."""
MAP_LEFT = 120
MAP_COLUMNS = 100
"""So many cases stand side by side; the next ones are in another band below."""
_MAP_TOP = 4
_MAP_ROWS = 8
_LETTERS = {
    Outcome.WORSE: "W",
    Outcome.BETTER: "B",
    Outcome.INCONCLUSIVE: "?",
    Outcome.BROKEN: "!",
    Outcome.MISSING: "−",
    Outcome.NOT_COMPARABLE: "~",
    Outcome.NEW: "+",
}
_SHADES = (2.0, 1.0, 0.5)
"""From which multiple of the tolerance on a cell is dark, medium or light."""
_MAP_NAME_CELLS = 18


@dataclass(frozen=True, slots=True)
class Strip:
    """The levels of the runs of one metric along an axis, in pixels.

    ``text`` says the same in words. ``lanes`` are the words at the left with their heights.
    ``before``, ``now`` and ``screen`` are paths of points, ``marks`` one of both levels,
    ``interval`` that of the change; each is "" where there is none. ``limit`` is how far the metric
    may get worse, and ``allowed`` the ground on this side of it. ``course`` is what it was before.
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
    course: "Course | None" = None


@dataclass(frozen=True, slots=True)
class Course:
    """The accepted levels of a metric over the commits of its baseline, in pixels; oldest first.

    ``text`` says the same in words. ``line`` holds each level until the next one, ``ends`` are from
    the lowest run to the highest where these are apart, ``points`` the commits that measured the
    level again. ``accepted`` are those that accepted another one, with a text, and ``now`` is this
    session. ``labels`` are the lowest and the highest run, with their heights.
    """

    text: str
    line: str
    ends: str
    points: str
    accepted: tuple[tuple[int, int, str], ...]
    now: tuple[int, int]
    limit: int
    labels: tuple[tuple[str, int], tuple[str, int]]


def failing_strips(
    case: CaseVerdict, most: int, history: LevelHistories | None = None
) -> tuple[Strip, ...]:
    """Return the strips of the worst metrics of a failing case, at most so many of them."""
    worst = [
        result
        for result in sort_by_severity(case.comparison.metrics)
        if result.metric.gates and result.outcome in {Outcome.WORSE, Outcome.INCONCLUSIVE}
    ]
    # The worst metric has its course; one for each would take more room than the runs.
    return tuple(
        replace(strip, course=None if place else _course_of(case.case_id, result, history))
        for place, result in enumerate(worst[:most])
        if (strip := build_strip(result)) is not None
    )


def _course_of(case_id: str, result: MetricResult, history: LevelHistories | None) -> Course | None:
    for found in () if history is None else history.courses:
        if (found.case_id, found.metric.name) == (case_id, result.metric.name):
            return build_course(found, history.revisions, result) if history else None
    return None


def build_course(
    history: LevelHistory, revisions: Sequence[Revision], result: MetricResult
) -> Course | None:
    """Return the course of a metric that a session found worse; None where nothing can be drawn.

    At least two commits must have a level.
    """
    entries = [e for e in history.entries if e.level is not None and math.isfinite(e.level)]
    same = (history.metric.unit, history.metric.better) == (
        result.metric.unit,
        result.metric.better,
    )
    now, change = result.candidate, result.change
    if len(entries) < 2 or not same or now is None or change is None:
        return None
    limit = _level_after(result, change.tolerance)
    values = [x for e in entries for x in (e.level, *(e.ends or ())) if x is not None]
    span = _span([*values, now, limit])
    step = (STRIP_WIDTH - _LABELS - 2 * _GAP) / len(revisions)

    def x_of(at: int) -> int:
        return round(_LABELS + step * (at + 0.5))

    def y_of(level: float | None) -> int:
        assert level is not None
        return round((1 - span.share(level)) * (COURSE_HEIGHT - 6))

    spots = [(x_of(e.at), y_of(e.level), e) for e in entries]
    line = f"M{spots[0][0]} {spots[0][1]}" + "".join(f"H{x}V{y}" for x, y, _ in spots[1:])
    ranges = [(x, y_of(e.ends[0]), y_of(e.ends[1])) for x, _, e in spots if e.ends]
    shown = levels([min(values), max(values), now], result.metric.unit)
    lowest = y_of(min(values)) + 4
    return Course(
        _course_text(entries, shown),
        f"{line}H{x_of(len(revisions) - 1)}",
        "".join(f"M{x} {low}V{high}" for x, low, high in ranges if low - high >= _LEAST_RANGE),
        "".join(f"M{x} {y}h0" for x, y, e in spots if not e.accepted),
        tuple((x, y, _acceptance_text(e)) for x, y, e in spots if e.accepted),
        (STRIP_WIDTH - _GAP // 2, y_of(now)),
        y_of(limit),
        ((shown.texts[0], lowest), (shown.texts[1], min(y_of(max(values)) + 4, lowest - 12))),
    )


def _course_text(entries: Sequence[LevelEntry], shown: Levels) -> str:
    """Return in words over how many commits a level moved from where to where, and why."""
    first, last = (clean(entry.revision.date) for entry in (entries[0], entries[-1]))
    unit = f" {clean(shown.scale.unit)}".rstrip()
    ends = f"{shown.texts[0]} to {shown.texts[1]}{unit}"
    parts = [f"{plural(len(entries), 'commit')}, {first} to {last}: {ends}"]
    accepted = [entry for entry in entries if entry.accepted]
    if accepted:
        parts.append(f"another level accepted by {_acceptance_text(accepted[-1])}")
    return "; ".join(parts)


def _acceptance_text(entry: LevelEntry) -> str:
    """Return which commit accepted another level, and why."""
    revision = entry.revision
    why = entry.reason or revision.subject
    return clean(f"{revision.short} of {revision.date}: {why}")


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


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters of one row, each in the middle of its cell."""

    xs: tuple[int, ...]
    y: int
    text: str


@dataclass(frozen=True, slots=True)
class CaseMap:
    """Cases by metrics: a column per case, by front and name, and bands where they are many.

    ``words`` say for each metric how many cases have which outcome, ``key`` what a letter means.
    ``rows`` are names and heights of the rows. ``ground`` is a path of the cells that there are,
    ``shades`` have one by class: "worse" or "better", and 1 to 3. ``columns`` are the section and
    the case of each column, ``links`` the columns with news and their upper left corners.
    """

    height: int
    band: int
    words: tuple[tuple[str, str], ...]
    key: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, int], ...]
    ground: str
    shades: Mapping[tuple[str, int], str]
    letters: tuple[Letters, ...]
    columns: tuple[tuple[int, int], ...]
    links: tuple[tuple[int, Pixel], ...]


def map_cases(sections: Sequence[Section]) -> CaseMap | None:
    """Return the map of all cases with a row on the page; None where they are few."""
    found = [
        (section.number, number, case)
        for section in sections
        for number, case in sorted(enumerate(section.cases), key=lambda each: _name_key(each[1]))
    ]
    if len(found) < MAP_FROM:
        return None
    gated = [{r.metric.name: r for r in case.verdict.comparison.gated} for _, _, case in found]
    counts = Counter(name for results in gated for name in results)
    names = [name for name, _ in counts.most_common(_MAP_ROWS)]
    band = ROW * len(names) + CELL
    corners = [
        (MAP_LEFT + CELL * (n % MAP_COLUMNS), _MAP_TOP + band * (n // MAP_COLUMNS))
        for n in range(len(found))
    ]
    cells = [
        (x, y + ROW * row, results.get(name))
        for row, name in enumerate(names)
        for (x, y), results in zip(corners, gated, strict=True)
    ]
    known = [(x, y, result) for x, y, result in cells if result is not None]
    shades: dict[tuple[str, int], list[tuple[int, int]]] = {}
    lettered: dict[int, list[tuple[int, str]]] = {}
    for x, y, result in known:
        shade = _shade(result)
        if shade is not None:
            shades.setdefault(shade, []).append((x, y))
        if result.outcome in _LETTERS:
            lettered.setdefault(y, []).append((x + CELL // 2, _LETTERS[result.outcome]))
    outcomes = {result.outcome for _, _, result in known}
    return CaseMap(
        _MAP_TOP + band * (1 + (len(found) - 1) // MAP_COLUMNS),
        band,
        tuple(
            (clean(name), _outcomes_text([g[name] for g in gated if name in g])) for name in names
        ),
        tuple(
            (letter, outcome_word(o, LATENCY)) for o, letter in _LETTERS.items() if o in outcomes
        ),
        tuple(
            (shorten(clean(name), _MAP_NAME_CELLS), y + ROW * row + 11)
            for y in dict.fromkeys(y for _, y in corners)
            for row, name in enumerate(names)
        ),
        _cell_path((x, y) for x, y, _ in known),
        {shade: _cell_path(shades[shade]) for shade in sorted(shades)},
        tuple(
            Letters(tuple(x for x, _ in row), y + 11, "".join(letter for _, letter in row))
            for y, row in lettered.items()
        ),
        tuple((section, number) for section, number, _ in found),
        tuple(
            (n, corner)
            for n, (corner, (_, _, case)) in enumerate(zip(corners, found, strict=True))
            if case.block.changed
        ),
    )


def _name_key(case: CaseView) -> list[tuple[bool, int, str]]:
    """Return a key that sorts the numbers in names by their size."""
    parts = re.split(r"(\d+)", case.block.name)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _shade(result: MetricResult) -> tuple[str, int] | None:
    """Return the class of a change by its ratio to the tolerance; None where it is small."""
    change = result.change
    if change is None or not change.estimate:
        return None
    worse = change.estimate > 0
    limit = change.tolerance if worse else change.improvement_edge
    ratio = change.estimate / limit if limit else math.inf
    steps = sum(ratio > step for step in _SHADES)
    return ("worse" if worse else "better", steps) if steps else None


def _outcomes_text(results: Sequence[MetricResult]) -> str:
    counts = Counter(result.outcome for result in results)
    told = [
        f"{counts[outcome]} {outcome_word(outcome, results[0].metric)}"
        for outcome in Outcome
        if counts[outcome]
    ]
    return ", ".join(told)


def _cell_path(cells: Iterable[tuple[int, int]]) -> str:
    """Return a path along the middles of cells, with one stroke for those side by side."""
    path: list[list[int]] = []
    last = (-1, -1)
    for x, y in cells:
        if (x, y) == last:
            path[-1][2] += CELL
        else:
            path.append([x, y, CELL])
        last = (x + CELL, y)
    return "".join(f"M{x} {y + ROW // 2}h{length}" for x, y, length in path)
