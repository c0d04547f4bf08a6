"""The content of a baseline as text: per front a table of its cases, and which are on the front.

`render_recorded` is the entry point. Each metric has three columns: its level, the standard
deviation between runs (±), and the number of runs and sessions behind them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.baseline import RecordedFronts, RecordedLevel
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.verdict import CaseVerdict, Judgement
from pytest_pareto.report.fronts import Names, front_names, front_status_text
from pytest_pareto.report.numbers import levels, on_scale_of
from pytest_pareto.report.plots import plot_lines
from pytest_pareto.report.text import (
    GridRow,
    Line,
    Tone,
    clean,
    clip,
    display_width,
    grid_lines,
    wrap,
)
from pytest_pareto.report.wording import rule_texts

_SOFTWARE_FIRST = ("driver", "cuda", "torch", "python")
_MIN_NAME_WIDTH = 14
_GAP = 2
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
        spread = "—"
    else:
        spread = on_scale_of(metric, held.spread, 2) if held.spread else "none"
    older = f" +{held.older}" if held.older else ""
    return spread, f"{held.runs}/{held.sessions}{older}"


def _position_lines(cases: Sequence[CaseVerdict], names: Names, width: int) -> list[Line]:
    texts = [f"{names.of(case.case_id)}: {front_status_text(case.place, names)}" for case in cases]
    return [Line(line) for text in texts for line in wrap(text, width, hanging="  ")]
