"""Where everything of a front's picture stands before a script moves it: a static drawing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from pytest_pareto.report.html.axis import Axis
from pytest_pareto.report.html.case import Case, Mark
from pytest_pareto.report.html.labels import Label, place_labels
from pytest_pareto.report.html.levels import around_now
from pytest_pareto.report.html.paper import Spot
from pytest_pareto.report.html.places import across, spot_of, up
from pytest_pareto.report.html.section import CROWD, Section
from pytest_pareto.report.html.strokes import Arrow, arrows, cross, lines_of, stairs


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark along an axis, ``at`` its pixel."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A case as it is drawn; ``gone`` is whether it has no place now, and is where it was.

    ``name`` is "" where a case is told in brief: its row has it, and a script says it.
    """

    case: int
    mark: Mark
    name: str
    label: str
    on_front: bool
    gone: bool
    at: Spot | None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture in pixels. What has no place on these axes has None, and a script may move it.

    ``legend`` names what may be drawn beside the marks, and whether it is on these axes.
    """

    x: Axis
    y: Axis
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    old_line: str
    new_line: str
    bars: tuple[tuple[int, str], ...]
    arrows: tuple[Arrow, ...]
    dots: tuple[Dot, ...]
    labels: tuple[Label, ...]
    marks: tuple[Mark, ...]
    legend: Mapping[str, bool]


def draw(section: Section) -> Drawing:
    """Draw a section on the two axes that it starts with."""
    x, y = (section.axes[place] for place in section.start)
    old = [spot_of(case.verdict, x, y, "baseline") for case in section.cases]
    new = [spot_of(case.verdict, x, y, "candidate") for case in section.cases]
    at = [b or a for a, b in zip(old, new, strict=True)]
    lines = stairs(section, old, "baseline"), stairs(section, new, "candidate")
    bars = tuple(
        (number, cross(case.verdict, x, y) if new[number] else "")
        for number, case in enumerate(section.cases)
        if has_bars(section, case)
    )
    moves = tuple(arrows(section.cases, old, new))
    dots = tuple(
        Dot(
            n,
            c.mark,
            "" if c.brief else c.block.name,
            c.block.label,
            c.on_front,
            new[n] is None,
            at[n],
        )
        for n, c in _backmost_first(section.cases)
    )
    shown = {
        "ring": any(dot.on_front and dot.at for dot in dots),
        "new": bool(lines[1]),
        "old": bool(lines[0]),
        "moved": any(arrow.at for arrow in moves),
        "bars": any(path for _, path in bars),
    }
    return Drawing(
        x,
        y,
        tuple(Tick(across(x.span, value), text) for value, text in x.span.ticks),
        tuple(Tick(up(y.span, value), text) for value, text in y.span.ticks),
        *lines,
        bars,
        moves,
        dots,
        tuple(place_labels(section, at)),
        tuple(mark for mark in Mark if any(case.mark is mark for case in section.cases)),
        {name: shown[name] for name in _possible(section)},
    )


def _possible(section: Section) -> Iterator[str]:
    """Name what some pair of axes would show, as the legend has it."""
    pairs = list(combinations(range(len(section.axes)), 2))
    old, new = (
        any(lines_of(section, side, *pair) for pair in pairs) for side in ("baseline", "candidate")
    )
    if any(case.on_front for case in section.cases):
        yield "ring"
    if new:
        yield "new"
    if old:
        yield "old"
    if old and new and any(case.block.changed for case in section.cases):
        yield "moved"
    if any(
        around_now(case.verdict.comparison.metric(axis.metric.name))
        for case in section.cases
        if has_bars(section, case)
        for axis in section.axes
    ):
        yield "bars"


def has_bars(section: Section, case: Case) -> bool:
    """Whether the uncertainty of a case is drawn."""
    return case.block.changed or len(section.cases) <= CROWD


def _backmost_first(cases: Sequence[Case]) -> list[tuple[int, Case]]:
    """What has news is drawn last, above the rest."""
    return sorted(enumerate(cases), key=lambda pair: (pair[1].block.changed, -pair[0]))
