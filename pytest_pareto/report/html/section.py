"""The cases of one front as the page shows them: a table, and what a picture needs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.verdict import CaseVerdict, Judgement
from pytest_pareto.report.axes import default_axes, position
from pytest_pareto.report.blocks import CaseBlock, build_fronts, by_front
from pytest_pareto.report.html.axis import Axis, build_axis
from pytest_pareto.report.html.case import Case, build_case_view
from pytest_pareto.report.html.levels import level
from pytest_pareto.report.text import clean, display_width

CROWD = 60
"""In a section of more cases than this, those without news have no bars, and are told in brief."""

_LONG = 28
_SHARED_BY = 1 / 3
_MOST_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class Section:
    """A front, or the cases that have no rivals; ``number`` makes the ids of its elements.

    ``names`` are those of the metrics that gate, ``columns`` as they are shown, and ``shared`` is
    what is to be said of all cases. ``axes`` is what a picture can have along its sides, ``start``
    the two that it has at first, and ``why_not`` why there is no picture.
    """

    number: int
    title: str
    cases: tuple[Case, ...]
    names: tuple[str, ...]
    columns: tuple[str, ...]
    shared: tuple[str, ...] = ()
    axes: tuple[Axis, ...] = ()
    start: tuple[int, int] = (0, 0)
    why_not: str = ""

    @property
    def failing(self) -> int:
        """How many of its cases fail."""
        return sum(case.block.failing for case in self.cases)

    @property
    def has_long_names(self) -> bool:
        """Whether the column of names is better wrapped."""
        return any(display_width(case.block.name) > _LONG for case in self.cases)

    @property
    def has_others(self) -> bool:
        """Whether some metric that gates has no column, and is among the details of its case."""
        return any(case.others is not None for case in self.cases)

    @property
    def is_crowd(self) -> bool:
        """Whether it has too many cases to tell everything of those without news."""
        return len(self.cases) > CROWD


def build_sections(judgement: Judgement) -> tuple[Section, ...]:
    """Make a section of each front, and one of all cases that compete with none."""
    fronts = zip(build_fronts(judgement), by_front(judgement).values(), strict=True)
    sections: list[tuple[str, list[CaseBlock], list[CaseVerdict]]] = []
    alone: list[tuple[CaseBlock, CaseVerdict]] = []
    for front, verdicts in fronts:
        if len(verdicts) > 1:
            sections.append((front.title, list(front.cases), verdicts))
        else:
            block = replace(front.cases[0], name=front.cases[0].case_id)
            alone.append((block, verdicts[0]))
    made = [_section(number, *section) for number, section in enumerate(sections)]
    if alone:
        title = "Cases without rivals" if sections else "Cases"
        columns = _common_columns([verdict for _, verdict in alone])
        crowd = len(alone) > CROWD
        cases = [
            build_case_view(b, v, columns, brief=crowd and not b.changed and _fits(v, columns))
            for b, v in alone
        ]
        made.append(_table(len(made), title, cases, columns))
    return tuple(made)


def _section(
    number: int, title: str, blocks: Sequence[CaseBlock], verdicts: Sequence[CaseVerdict]
) -> Section:
    columns = _columns(verdicts)
    brief = [len(verdicts) > CROWD and not block.changed for block in blocks]
    cases = [
        build_case_view(block, verdict, columns, brief=short)
        for block, verdict, short in zip(blocks, verdicts, brief, strict=True)
    ]
    plain = _table(number, title, cases, columns)
    known: dict[str, Metric] = {}
    for verdict in verdicts:
        for result in verdict.comparison.metrics:
            known.setdefault(result.metric.name, result.metric)
    axes = [axis for metric in known.values() if (axis := _axis(metric, verdicts)) is not None]
    chosen = default_axes(verdicts)
    at = {axis.metric.name: place for place, axis in enumerate(axes)}
    wanted = [at[m.name] for m in chosen or () if m.name in at]
    start = (*wanted, *(place for place in range(len(axes)) if place not in wanted))[:2]
    if len(start) < 2 or sum(_is_drawable(v, axes, start) for v in verdicts) < 2:
        why = "Not drawn: a picture needs two metrics measured in two cases."
        return replace(plain, why_not=why)
    return replace(plain, axes=tuple(axes), start=(start[0], start[1]))


def _table(number: int, title: str, cases: Sequence[Case], columns: Sequence[str]) -> Section:
    """Make a section without a picture; what is said of every one of its cases is said once."""
    first = cases[0].facts if len(cases) > 1 else ()
    shared = tuple(text for text in first if all(text in case.facts for case in cases))
    told = (replace(c, facts=tuple(t for t in c.facts if t not in shared)) for c in cases)
    return Section(number, title, tuple(told), tuple(columns), tuple(map(clean, columns)), shared)


def _axis(metric: Metric, verdicts: Sequence[CaseVerdict]) -> Axis | None:
    results = [verdict.comparison.metric(metric.name) for verdict in verdicts]
    levels = [level(r, metric, side) for r in results for side in ("baseline", "candidate")]
    values = [value for value in levels if value is not None]
    return build_axis(metric, values) if values else None


def _is_drawable(verdict: CaseVerdict, axes: Sequence[Axis], start: Sequence[int]) -> bool:
    x, y = (axes[place].metric for place in start)
    found = verdict.comparison.metric(x.name), verdict.comparison.metric(y.name)
    return any(
        position(level(found[0], x, side), level(found[1], y, side)) is not None
        for side in ("baseline", "candidate")
    )


def _common_columns(verdicts: Sequence[CaseVerdict]) -> list[str]:
    """Choose columns for cases that share no test: metrics that many of them have.

    What each test measures of its own would leave the table wide and empty.
    """
    having = Counter(name for verdict in verdicts for name in _columns([verdict]))
    least = max(_SHARED_BY * len(verdicts), min(2, len(verdicts)))
    common = [name for name, count in having.most_common() if count >= least]
    return common[:_MOST_COLUMNS]


def _fits(verdict: CaseVerdict, columns: Sequence[str]) -> bool:
    """Whether all that gates in a case has a column."""
    return set(_columns([verdict])) <= set(columns)


def _columns(verdicts: Sequence[CaseVerdict]) -> list[str]:
    """Name the metrics that gate and that some case has, or should have."""
    results = (r for v in verdicts for r in v.comparison.metrics)
    found = (r for r in results if r.metric.gates and r.outcome is not Outcome.ABSENT)
    return list(dict.fromkeys(result.metric.name for result in found))
