"""Tables of what changed, one for each front, as many of the gravest cases as there is room for."""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.report.blocks import CaseBlock, FrontBlock
from pytest_pareto.report.cases import visible_rows
from pytest_pareto.report.creep import creep_text, crept_rows
from pytest_pareto.report.markup import code, codes, prose
from pytest_pareto.report.rows import Row
from pytest_pareto.report.table import before_now
from pytest_pareto.report.text import clean, clip
from pytest_pareto.report.words import severity

_NAME_CELLS = 80
_TITLE_CELLS = 160
_REASON_CELLS = 300
_SAMPLE_CELLS = 40
_MOST_REASONS = 5
_MOST_ROWS = 30
_LOUD = {Outcome.WORSE, Outcome.BROKEN, Outcome.MISSING}


@dataclass(frozen=True, slots=True)
class _Told:
    """A case as rows of a table, and what is said of it below."""

    rows: tuple[str, ...]
    reasons: str

    @property
    def size(self) -> int:
        return sum(len(line.encode()) + 1 for line in (*self.rows, self.reasons))


def changed_tables(
    judgement: Judgement, fronts: Sequence[FrontBlock], ref: str | None, room: int
) -> str:
    """Write the changed cases in at most ``room`` bytes: the gravest of all, in front order."""
    shown = [(at, c) for at, front in enumerate(fronts) for c in front.cases if _has_rows(c)]
    levels = {row.level for _, case in shown for row in visible_rows(case, 0) if row.level}
    head = _head(levels, ref)
    titles = [f"**{code(front.title, width=_TITLE_CELLS)}**\n\n{head}\n" for front in fronts]
    ranks = {clean(c.case_id): r for r, c in enumerate(sorted(judgement.cases, key=severity))}
    room -= len(_left_out(len(shown)).encode()) + 2
    taken: dict[int, dict[int, _Told]] = {}
    for index in sorted(range(len(shown)), key=lambda i: ranks[shown[i][1].case_id]):
        at, case = shown[index]
        told = _told(case)
        # Two empty lines for the table, and two for its reasons.
        size = told.size + (0 if at in taken else len(titles[at].encode()) + 4)
        if size > room:
            break
        room -= size
        taken.setdefault(at, {})[index] = told
    tables = [_table(titles[at], [taken[at][i] for i in sorted(taken[at])]) for at in sorted(taken)]
    count = len(shown) - sum(map(len, taken.values()))
    return "\n\n".join([*tables, *([_left_out(count)] if count else [])])


def _has_rows(case: CaseBlock) -> bool:
    return case.changed and not case.common and not case.uncompared


def _head(levels: set[str], ref: str | None) -> str:
    change = f"change ({levels.copy().pop()})" if len(levels) == 1 else "change"
    names = ("case", "metric", before_now(ref), "now", change, "limit", "outcome")
    return f"| {' | '.join(names)} |\n|:--|:--|--:|--:|--:|--:|:--|"


def _table(title: str, cases: Sequence[_Told]) -> str:
    rows = "\n".join(row for case in cases for row in case.rows)
    reasons = "\n".join(case.reasons for case in cases if case.reasons)
    return f"{title}{rows}" + (f"\n\n{reasons}" if reasons else "")


def _told(case: CaseBlock) -> _Told:
    name = code(case.name, cell=True, width=_NAME_CELLS)
    label = f"**{prose(case.label, cell=True)}**" if case.failing else prose(case.label, cell=True)
    rows = visible_rows(case, 0)[:_MOST_ROWS]
    cells = [_cells(row) for row in rows] or [("",) * 6]
    lines = [
        f"| {' | '.join([f'{name} {label}' if first else '', *each])} |"
        for each, first in zip(cells, [True, *[False] * len(cells)], strict=False)
    ]
    texts = [*map(creep_text, crept_rows(case)), *case.fails, *case.notices]
    told = [prose(clip(text, _REASON_CELLS)) for text in texts]
    worst = (codes(row.worst, width=_SAMPLE_CELLS) for row in rows if row.worst)
    told += [f"worst samples: {names}" for names in worst]
    more = [f"and {len(told) - _MOST_REASONS} more"] if len(told) > _MOST_REASONS else []
    reasons = (
        f"- {code(case.name, width=_NAME_CELLS)}: {'; '.join([*told[:_MOST_REASONS], *more])}"
        if told
        else ""
    )
    return _Told(tuple(lines), reasons)


def _cells(row: Row) -> tuple[str, ...]:
    word = prose(row.word, cell=True)
    levels = (f"{level} {row.unit}" if level else "" for level in (row.baseline, row.candidate))
    texts = (*levels, f"{row.change} {row.interval}", row.limit)
    return (
        code(row.metric, cell=True, width=_NAME_CELLS),
        *(prose(clip(text.strip(), _NAME_CELLS), cell=True) for text in texts),
        f"**{word}**" if row.gates and row.outcome in _LOUD else word,
    )


def _left_out(count: int) -> str:
    return (
        f"{plural(count, 'changed case')} less grave than these left out: there is room for 60 kB. "
        "The other reports have all."
    )
