"""The figures of an A/A test, metric by metric and case by case."""

from collections.abc import Callable, Iterator

from pytest_pareto.model.noise import CaseNoise, MetricNoise, Scatter
from pytest_pareto.report.figures import on_scale_of, resolution_text
from pytest_pareto.report.grid import GridRow, grid_lines
from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.names import front_names
from pytest_pareto.report.noise_words import plan_name, share
from pytest_pareto.report.text import clean, clip, wrap
from pytest_pareto.report.units import levels

_Cells = Callable[[CaseNoise], tuple[str, ...]]


def metric_tables(noise: MetricNoise, width: int) -> list[Line]:
    """Write what is known of one metric: its scatter and false alarms, then what plans see."""
    limit = on_scale_of(noise.metric, noise.metric.tolerance)
    plans = tuple(plan_name(sight.plan) for sight in noise.overall)
    alarms = ("spread", "90 % interval", f"at {limit}", "in order", "at 0", "in order", "+5 %")
    tables: tuple[tuple[str, tuple[str, ...], _Cells], ...] = (
        ("spread between runs, and false alarms", alarms, _scatter_cells),
        ("sees a regression of", plans, _seen_cells),
        ("holds a tolerance of", (*plans, f"runs for {limit}"), _held_cells),
    )
    lines: list[Line] = []
    for title, head, cells in tables:
        lines += [Line("")] if lines else []
        lines.append(Line(clip(clean(f"{noise.metric.name}: {title}"), width), Tone.BOLD))
        lines += grid_lines(head, [*_rows(noise, cells)], width)
    return lines + [Line(line) for line in _notes(noise, width)]


def _rows(noise: MetricNoise, cells: _Cells) -> Iterator[GridRow]:
    """Write a row for each case, below the title of its front where it shares one."""
    fronts: dict[str, list[CaseNoise]] = {}
    for case in noise.cases:
        fronts.setdefault(case.front, []).append(case)
    for front, cases in fronts.items():
        names = front_names(front, [case.case_id for case in cases])
        if names.stem:
            yield GridRow(names.title)
        for case in cases:
            yield GridRow(f"  {names.of(case.case_id)}", cells(case))


def _scatter_cells(case: CaseNoise) -> tuple[str, ...]:
    found = case.alarms
    alarms = (
        found.shuffled,
        found.in_order,
        found.shuffled_at_zero,
        found.in_order_at_zero,
        found.naive,
    )
    return (*_scatter(case.scatter, case), *map(share, alarms))


def _scatter(scatter: Scatter, case: CaseNoise) -> tuple[str, str]:
    found = (scatter.sd, scatter.low, scatter.high)
    scale = levels(found, case.metric.unit).scale
    sd, low, high = (on_scale_of(case.metric, value, 2, scale) for value in found)
    return sd, f"{low} to {high}"


def _seen_cells(case: CaseNoise) -> tuple[str, ...]:
    return tuple(resolution_text(case.metric, sight.sees) for sight in case.sights)


def _held_cells(case: CaseNoise) -> tuple[str, ...]:
    held = (resolution_text(case.metric, sight.holds) for sight in case.sights)
    return (*held, "none" if case.enough_runs is None else str(case.enough_runs))


def _notes(noise: MetricNoise, width: int) -> Iterator[str]:
    for case in noise.cases:
        notes = list(case.notes)
        if case.raw is not None:
            notes.append(f"raw, the spread is {on_scale_of(case.metric, case.raw.sd, 2)}")
        for note in notes:
            yield from wrap(f"{case.case_id}: {note}", width, hanging="  ")
