"""What is said of a case beside the anchor: how far it crept, in a line."""

from collections.abc import Iterator

from pytest_pareto.report.blocks import CaseBlock
from pytest_pareto.report.rows import Row
from pytest_pareto.report.text import wrap


def creep_text(row: Row) -> str:
    """Write a metric that is worse than the anchor, with both levels and the limit."""
    levels = f"{row.baseline} → {row.candidate} {row.unit}".rstrip()
    return f"{row.metric} crept: {levels} ({row.change}) since the anchor (limit {row.limit})"


def crept_rows(case: CaseBlock) -> list[Row]:
    """Return the rows of the metrics that crept."""
    return [row for row in case.anchor if row.metric in case.crept]


def creep_lines(case: CaseBlock, width: int, indent: str, verbosity: int) -> Iterator[str]:
    """Tell what crept; with -v also how the other metrics that gate compare with the anchor."""
    hanging = indent + "  "
    for row in crept_rows(case):
        yield from wrap(creep_text(row), width, indent=indent, hanging=hanging)
    rest = [
        f"{row.metric} {row.word} ({row.change}, would have caught {row.resolution})"
        for row in case.anchor
        if verbosity > 0 and row.gates and row.metric not in case.crept
    ]
    if rest:
        text = f"since the anchor: {', '.join(rest)}"
        yield from wrap(text, width, indent=indent, hanging=hanging)
