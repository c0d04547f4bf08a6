"""The history of a baseline over its commits as text: an overview per metric, tables and plots.

`render_history` is the entry point. A course is one metric of one case over all commits.
"""

from collections.abc import Iterator, Sequence

from pytest_pareto.model.baseline import LevelHistories, LevelHistory, Revision
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.report.fronts import Names, front_names
from pytest_pareto.report.numbers import Levels, Scale, absolute_change, levels, relative_change
from pytest_pareto.report.plots import course_plot, sparkline
from pytest_pareto.report.text import (
    GridRow,
    Line,
    Tone,
    clean,
    clip,
    display_width,
    grid_lines,
    pad,
    wrap,
)

_GAP = "  "
_MIN_SUBJECT_CELLS = 12
_NO_VALUE = "—"
_SPARKLINE_CELLS = 24
_MIN_SPARKLINE_CELLS = 8


def render_history(history: LevelHistories, *, width: int, tables: bool) -> list[Line]:
    """Render courses in lines of at most ``width`` cells.

    With ``tables``, each course has a table of its commits and a plot as well.
    """
    parts = [_summary_lines(history, width)]
    if not tables or len(history.courses) > 1:
        parts += _overviews(history, width)
    if tables:
        parts += [
            part for course in history.courses for part in _course_parts(course, history, width)
        ]
    lines: list[Line] = []
    for part in filter(None, parts):
        lines += [Line(""), *part] if lines else part
    return lines


def _summary_lines(history: LevelHistories, width: int) -> list[Line]:
    first, last = history.revisions[0], history.revisions[-1]
    commits = plural(len(history.revisions), "commit")
    summary = (
        f"{clean(history.hardware_key)}: {commits} of the baseline, {first.date} to {last.date}"
    )
    lines = [Line(t) for t in wrap(summary, width, hanging="  ")]
    for revision, reason in history.unreadable:
        text = f"skipped {revision.short} ({revision.subject}): {reason}"
        lines += [Line(t, Tone.YELLOW) for t in wrap(text, width, hanging="  ")]
    return lines


def _overviews(history: LevelHistories, width: int) -> Iterator[list[Line]]:
    by_front: dict[tuple[str, str], list[LevelHistory]] = {}
    for course in history.courses:
        by_front.setdefault((course.metric.name, course.front), []).append(course)
    for (_, front), courses in by_front.items():
        yield _overview(courses, history, front_names(front, _ids(history, front)), width)


def _overview(
    courses: Sequence[LevelHistory], history: LevelHistories, names: Names, width: int
) -> list[Line]:
    """Render one metric of a front: first and last level of each case, and a sparkline."""
    metric = courses[0].metric
    ends = [_first_and_last(course) for course in courses]
    shown = levels([level for pair in ends for level in pair], metric.unit)
    unit = f" ({clean(shown.scale.unit)})" if shown.scale.unit else ""
    title = f"{names.title}: {clean(metric.name)}{unit}, {metric.better} is better"
    cells = []
    for number, course in enumerate(courses):
        pair = (text or _NO_VALUE for text in shown.texts[2 * number : 2 * number + 2])
        since_first = _change(course.entries[-1].since_first, metric, shown.scale)
        cells.append((*pair, since_first or _NO_VALUE))
    head = ("first", "now", "change", "course")
    fixed = sum(
        len(_GAP) + max(map(display_width, column)) for column in zip(head[:3], *cells, strict=True)
    )
    room = width - fixed - len(_GAP) - max(display_width(names.of(c.case_id)) for c in courses)
    longest = max(len(history.revisions), len(head[3]))
    sparks = min(_SPARKLINE_CELLS, max(_MIN_SPARKLINE_CELLS, room), longest)
    rows = [
        GridRow(
            names.of(course.case_id),
            (*cell, pad(sparkline(course, len(history.revisions), sparks), sparks)),
        )
        for course, cell in zip(courses, cells, strict=True)
    ]
    return [Line(clip(title, width), Tone.BOLD), *grid_lines(head, rows, width)]


def _first_and_last(course: LevelHistory) -> tuple[float | None, float | None]:
    first = next((m.level for m in course.entries if m.level is not None), None)
    return first, course.entries[-1].level


def _ids(history: LevelHistories, front: str) -> list[str]:
    return [course.case_id for course in history.courses if course.front == front]


def _course_parts(
    course: LevelHistory, history: LevelHistories, width: int
) -> Iterator[list[Line]]:
    """Render the commits that changed the level or the notes of a course, and its plot."""
    name = front_names(course.front, _ids(history, course.front)).of(course.case_id)
    title = f"{clean(course.metric.name)} of {clean(course.case_id)}"
    exact = course.metric.kind is Kind.EXACT
    shown = levels([m.level for m in course.entries], course.metric.unit, exact=exact)
    yield [
        Line(clip(title, width), Tone.BOLD),
        *(Line(text) for text in _table(course, shown, width)),
        *(Line(text) for text in _footnotes(course, history, width)),
    ]
    yield [Line(text) for text in course_plot(course, history.revisions, name, width)]


def _table(course: LevelHistory, shown: Levels, width: int) -> Iterator[str]:
    unit = f", {clean(shown.scale.unit)}" if shown.scale.unit else ""
    rows = [("commit", "date", f"level{unit}", "before", "first", "", "subject")]
    for moment, text in zip(course.entries, shown.texts, strict=True):
        before, first = (
            _change(change, course.metric, shown.scale)
            for change in (moment.since_before, moment.since_first)
        )
        accepted = "A" if moment.accepted else ""
        rows.append(
            (*_commit_cells(moment.revision), text or _NO_VALUE, before, first, accepted, "")
        )
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    room = width - sum(size + len(_GAP) for size in widths[:-1] if size)
    subjects = ["subject", *(clean(m.revision.subject) for m in course.entries)]
    below = [(), *(m.notes for m in course.entries)]
    for row, subject, notes in zip(rows, subjects, below, strict=True):
        cells = [
            pad(cell, size, right=place in (2, 3, 4))
            for place, (cell, size) in enumerate(zip(row[:-1], widths, strict=False))
            if size
        ]
        if room >= _MIN_SUBJECT_CELLS:
            cells.append(clip(subject, room))
        yield clip(_GAP.join(cells).rstrip(), width)
        for note in notes:
            yield from wrap(note, width, indent="    ", hanging="      ")


def _commit_cells(revision: Revision) -> tuple[str, str]:
    return clean(revision.short), clean(revision.date)


def _change(change: float | None, metric: Metric, scale: Scale) -> str:
    if change is None:
        return ""
    if metric.relative:
        return relative_change(change).text
    # The head of the column has the unit.
    return absolute_change(change, None, Scale(scale.factor, "")).text


def _footnotes(course: LevelHistory, history: LevelHistories, width: int) -> Iterator[str]:
    texts = []
    if any(moment.accepted for moment in course.entries):
        texts.append("A: another level was accepted here")
    left = len(history.revisions) - len(history.unreadable) - len(course.entries)
    if left:
        others = "1 other commit" if left == 1 else f"{left} other commits"
        texts.append(f"{others} left it as it was, or came before it")
    for text in texts:
        yield from wrap(text, width, hanging="  ")
