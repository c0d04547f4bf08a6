"""What the first screen of the page names: the cases that fail, or else have a notice."""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_pareto.report.failure import failure_line
from pytest_pareto.report.html.case import Case
from pytest_pareto.report.html.section import Section
from pytest_pareto.report.words import severity


@dataclass(frozen=True, slots=True)
class Finding:
    """A case that the first screen names: where it is on the page, and what is with it."""

    anchor: str
    name: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What the first screen names; ``more`` is how many did not fit."""

    shown: tuple[Finding, ...]
    more: int


def anchor(section: Section, case: int) -> str:
    """Name the element of a case on the page."""
    return f"f{section.number}c{case}"


def find(sections: Sequence[Section], room: int, *, failing: bool) -> Findings:
    """Name what fails, or else what passes with a notice that is not told of many at once.

    The gravest of all sections come first, since there is not room for each.
    """
    found = [
        (case, anchor(section, number))
        for section in sections
        for number, case in enumerate(section.cases)
        if case.block.failing is failing
        and (failing or (case.block.notices and not case.block.uncompared))
    ]
    found.sort(key=lambda one: severity(one[0].verdict))
    shown = (Finding(at, c.block.case_id, c.block.label, _said(c)) for c, at in found[:room])
    return Findings(tuple(shown), max(0, len(found) - room))


def _said(case: Case) -> str:
    if case.block.failing:
        return failure_line(case.verdict, case.block)
    return "; ".join(case.block.notices)
