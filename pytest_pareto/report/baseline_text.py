"""A baseline as text: what it holds, and its history over its commits.

`render_recorded` shows per front a table of its cases, and which are on the front. Each metric has
three columns: its level, the standard deviation between runs (±), and the number of runs and
sessions behind them. `render_history` shows an overview per metric, tables and plots. A course is
one metric of one case over all commits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.baseline import (
    LevelHistories,
    LevelHistory,
    RecordedFronts,
    RecordedLevel,
    Revision,
)
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.verdict import CaseVerdict, Judgement
from pytest_pareto.report.fronts import Names, front_names, front_status_text
from pytest_pareto.report.numbers import (
    Levels,
    Scale,
    absolute_change,
    levels,
    on_scale_of,
    relative_change,
)
from pytest_pareto.report.plots import course_plot, plot_lines, sparkline
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
from pytest_pareto.report.wording import rule_texts

_SOFTWARE_FIRST = ("driver", "cuda", "torch", "python")
_MIN_NAME_WIDTH = 14
_GAP = 2
_SEPARATOR = " " * _GAP
_MIN_SUBJECT_CELLS = 12
_NO_VALUE = "—"
_SPARKLINE_CELLS = 24
_MIN_SPARKLINE_CELLS = 8
_SPREAD_NOTE = (
    "±: standard deviation between runs. 10/2: a level from ten runs in two sessions; +1: one "
    "older session, of another level."
)
_FRONT_NOTE = (
    "on the front: shown to be better than every rival in something, by more than that metric's "
    "tolerance. off: a rival is shown to be better in all. ?: neither is shown. Tolerances are "
    "the metrics' own, not those that tests ask for."
)


def render_recorded(
    recorded: Sequence[RecordedFronts], *, width: int, verbose: bool = False, plot: bool = False
) -> list[Line]:
    """Render what a baseline holds for each kind of machine, in lines of at most ``width`` cells.

    ``verbose`` adds diagnostics, all software versions and the reasons of positions. ``plot`` adds
    a plot of each front.
    """
    parts = [part for machine in recorded for part in _machine_parts(machine, width, verbose, plot)]
    notes = (
        line for text in (_SPREAD_NOTE, _FRONT_NOTE) for line in wrap(text, width, hanging="  ")
    )
    parts.append([Line(text) for text in notes])
    lines: list[Line] = []
    for part in filter(None, parts):
        lines += [Line(""), *part] if lines else part
    return lines


def _machine_parts(
    recorded: RecordedFronts,
    width: int,
    verbose: bool,  # noqa: FBT001 - two switches of one command
    plot: bool,  # noqa: FBT001
) -> Iterator[list[Line]]:
    heading = clean(recorded.hardware_key)
    if recorded.environment is not None:
        heading += f": {machine_text(recorded.environment, verbose=verbose)}"
    yield [Line(text) for text in wrap(heading, width, hanging="  ")]
    for rule in rule_texts(recorded.judgement.rules, names=verbose):
        yield [Line(text, Tone.YELLOW) for text in wrap(rule, width, hanging="  ")]
    fronts: dict[str, list[CaseVerdict]] = {}
    for case in recorded.judgement.cases:
        fronts.setdefault(case.comparison.front, []).append(case)
    for front, cases in fronts.items():
        names = front_names(front, [case.case_id for case in cases])
        title = f"{names.title}, {plural(len(cases), 'case')}"
        table = _Table(cases, names, recorded, width)
        yield [Line(clip(title, width), Tone.BOLD), *table.lines(gated=True)]
        if verbose:
            yield table.lines(gated=False)
            yield _position_lines(cases, names, width)
        if plot:
            yield from plot_lines(Judgement(tuple(cases)), width)


def machine_text(environment: Environment, *, verbose: bool = False) -> str:
    """Return a machine and its most important software; ``verbose`` adds all other software."""
    cpu = f"{environment.cpu_model} ({plural(environment.usable_cores, 'core')})"
    gpu = f"{environment.gpu_count} × {environment.gpu_product}, "
    software = environment.software
    first = [name for name in _SOFTWARE_FIRST if name in software]
    rest = [name for name in sorted(software) if name not in first] if verbose else []
    versions = [f"{name} {software[name]}" for name in [*first, *rest]]
    return clean(", ".join([(gpu if environment.gpu_product else "") + cpu, *versions]))


@dataclass(frozen=True, slots=True)
class _Column:
    """One metric of all cases: level, spread between runs, and numbers of runs and sessions."""

    head: tuple[str, str, str]
    cells: tuple[tuple[str, str, str], ...]

    @property
    def width(self) -> int:
        rows = [self.head, *self.cells]
        return sum(_GAP + max(map(display_width, part)) for part in zip(*rows, strict=True))


@dataclass(frozen=True, slots=True)
class _Table:
    """The table of one front: gated metrics, or diagnostics."""

    cases: Sequence[CaseVerdict]
    names: Names
    recorded: RecordedFronts
    width: int

    def lines(self, *, gated: bool) -> list[Line]:
        """Render as many metrics side by side as fit, and the others below."""
        columns = [self._column(metric) for metric in self._metrics(gated=gated)]
        if not columns:
            return [Line("nothing here gates: -v shows the diagnostics")] if gated else []
        lead = [] if gated else [Line("diagnostics")]
        return [*lead, *(line for group in self._groups(columns) for line in self._grid(group))]

    def _metrics(self, *, gated: bool) -> list[Metric]:
        found: dict[str, Metric] = {}
        for case in self.cases:
            for result in case.comparison.metrics:
                if result.metric.gates is gated:
                    found.setdefault(result.metric.name, result.metric)
        return list(found.values())

    def _column(self, metric: Metric) -> _Column:
        results = [case.comparison.metric(metric.name) for case in self.cases]
        values = [None if result is None else result.candidate for result in results]
        shown = levels(values, metric.unit, exact=metric.kind is Kind.EXACT)
        unit = f", {clean(shown.scale.unit)}" if shown.scale.unit else ""
        texts = [
            f"≥ {text}" if result is not None and result.lower_bound is not None else text
            for text, result in zip(shown.texts, results, strict=True)
        ]
        recorded = [self.recorded.held.get((case.case_id, metric.name)) for case in self.cases]
        return _Column(
            (f"{clean(metric.name)}{unit}", "±", "runs"),
            tuple(
                (text, *_spread_and_runs(level, metric))
                for text, level in zip(texts, recorded, strict=True)
            ),
        )

    def _groups(self, columns: Sequence[_Column]) -> Iterator[list[_Column]]:
        longest = max(display_width(self.names.of(case.case_id)) for case in self.cases)
        room = self.width - min(longest, _MIN_NAME_WIDTH) - _GAP - len("front")
        group: list[_Column] = []
        for column in columns:
            if group and sum(each.width for each in [*group, column]) > room:
                yield group
                group = []
            group.append(column)
        yield group

    def _grid(self, columns: Sequence[_Column]) -> list[Line]:
        head = ["front", *(text for column in columns for text in column.head)]
        rows = [
            GridRow(
                self.names.of(case.case_id),
                (
                    _front_cell(case),
                    *(text for column in columns for text in column.cells[number]),
                ),
                Tone.GREEN if case.place.on_front else Tone.PLAIN,
            )
            for number, case in enumerate(self.cases)
        ]
        return grid_lines(head, rows, self.width)


def _front_cell(case: CaseVerdict) -> str:
    return {True: "on", False: "off", None: "?"}[case.place.on_front]


def _spread_and_runs(held: RecordedLevel | None, metric: Metric) -> tuple[str, str]:
    if held is None:
        return "", ""
    if metric.kind is Kind.EXACT:
        spread = "exact"
    elif held.spread is None:
        spread = _NO_VALUE
    else:
        spread = on_scale_of(metric, held.spread, 2) if held.spread else "none"
    older = f" +{held.older}" if held.older else ""
    return spread, f"{held.runs}/{held.sessions}{older}"


def _position_lines(cases: Sequence[CaseVerdict], names: Names, width: int) -> list[Line]:
    texts = [f"{names.of(case.case_id)}: {front_status_text(case.place, names)}" for case in cases]
    return [Line(line) for text in texts for line in wrap(text, width, hanging="  ")]


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
        _GAP + max(map(display_width, column)) for column in zip(head[:3], *cells, strict=True)
    )
    room = width - fixed - _GAP - max(display_width(names.of(c.case_id)) for c in courses)
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
        *(Line(text) for text in _course_table(course, shown, width)),
        *(Line(text) for text in _footnotes(course, history, width)),
    ]
    yield [Line(text) for text in course_plot(course, history.revisions, name, width)]


def _course_table(course: LevelHistory, shown: Levels, width: int) -> Iterator[str]:
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
    room = width - sum(size + _GAP for size in widths[:-1] if size)
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
        yield clip(_SEPARATOR.join(cells).rstrip(), width)
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
