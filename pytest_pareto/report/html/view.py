"""All that the page says, in the order in which it says it: a judged session as plain values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.report.accepting import trade_step, trades_step
from pytest_pareto.report.bill import Bill, Charge, Item, build_bill
from pytest_pareto.report.blocks import FrontBlock, build_fronts
from pytest_pareto.report.cases import is_let_through
from pytest_pareto.report.header import Header, build_header
from pytest_pareto.report.html.circumstances import (
    Fact,
    conditions,
    machine_facts,
    session_facts,
)
from pytest_pareto.report.html.findings import Findings, anchor, find
from pytest_pareto.report.html.section import Section, build_sections
from pytest_pareto.report.lines import Line
from pytest_pareto.report.step import Step, shown_command
from pytest_pareto.report.steps import session_steps
from pytest_pareto.report.summary import caught_by_quiet, title
from pytest_pareto.report.text import clean
from pytest_pareto.report.together import common_lines, uncompared_lines, undecided_lines

_NEVER_WRAPPED = 10**9
_ACCEPTED = 2


@dataclass(frozen=True, slots=True)
class Command:
    """What to do; ``instead`` says it where there is no command to copy."""

    purpose: str
    command: str
    instead: str


@dataclass(frozen=True, slots=True)
class Charged:
    """A line of the bill, with the case on the page and what is charged."""

    anchor: str
    name: str
    item: Item
    charges: tuple[Charge | None, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What the page says; ``billed`` are the units of what is charged, by kind."""

    title: str
    header: Header
    failures: tuple[str, ...]
    notices: tuple[str, ...]
    failed: Findings
    noted: Findings
    commands: tuple[Command, ...]
    together: tuple[tuple[Line, ...], ...]
    sections: tuple[Section, ...]
    bill: tuple[tuple[Section, tuple[Charged, ...]], ...]
    billed: Mapping[str, str]
    caught: tuple[tuple[str, tuple[str, ...]], ...]
    facts: tuple[Fact, ...]
    machine: tuple[Fact, ...]
    conditions: tuple[str, ...]
    edits: tuple[str, ...]
    updating: bool

    @property
    def bills_calls(self) -> bool:
        """Whether some of the bill is of calls, since their test names no number of items."""
        return any(line.item.per == "calls" for _, lines in self.bill for line in lines)


def build_page(report: SessionReport) -> Page:
    """Put a session into the words of the page; nothing here decides anything."""
    judgement, facts = report.judgement, report.facts
    sections = build_sections(judgement)
    charged = build_bill(judgement.cases)
    return Page(
        title=title(judgement),
        header=build_header(judgement, facts),
        failures=tuple(_lines_kept(text) for text in judgement.failures),
        notices=tuple(map(clean, judgement.notices)),
        failed=find(sections, 6, failing=True),
        noted=find(sections, 3, failing=False),
        commands=tuple(_command(step) for step in _steps(report, sections)),
        together=tuple(_together(judgement, build_fronts(judgement))),
        sections=sections,
        bill=tuple(_bill(sections, charged)),
        billed=charged.units,
        caught=tuple((lead.strip(), parts) for lead, parts in caught_by_quiet(judgement) if parts),
        facts=tuple(session_facts(report)),
        machine=tuple(machine_facts(report.environment)),
        conditions=tuple(conditions(report)),
        edits=tuple(map(clean, facts.edits)),
        updating=facts.updating,
    )


def _lines_kept(text: str) -> str:
    """Clean a failure of the session, and keep its lines: they may be a process's last words."""
    return "\n".join(map(clean, text.splitlines()))


def _command(step: Step) -> Command:
    command = shown_command(step)
    return Command(step.purpose, command, "" if command else step.instead)


def _together(judgement: Judgement, fronts: Sequence[FrontBlock]) -> Iterator[tuple[Line, ...]]:
    for mode in judgement.common_modes:
        yield tuple(common_lines(mode, judgement, fronts, _NEVER_WRAPPED))
    for lines in (
        uncompared_lines(fronts, _NEVER_WRAPPED),
        undecided_lines(judgement, _NEVER_WRAPPED, "which unfold below"),
    ):
        if lines:
            yield tuple(lines)


def _steps(report: SessionReport, sections: Sequence[Section]) -> Iterator[Step]:
    """Say what to do, and of trades that pass how to accept them; many have it in their details."""
    yield from session_steps(report.judgement, report.facts)
    together = trades_step(report.judgement.cases, report.facts)
    if together is not None:
        yield together
        return
    passing = [c.block for s in sections for c in s.cases if is_let_through(c.block)]
    for block in passing[:_ACCEPTED]:
        step = trade_step(block.case_id, block.nodeid, report.facts)
        if step is not None:
            yield step
    if len(passing) > _ACCEPTED and report.facts.accepts:
        yield Step("the other trades:", instead="the same, each with its own test")


def _bill(sections: Sequence[Section], bill: Bill) -> Iterator[tuple[Section, tuple[Charged, ...]]]:
    for section in sections:
        lines = []
        for number, case in enumerate(section.cases):
            item = bill.items.get(case.verdict.case_id)
            if item is not None:
                charges = tuple(item.charges.get(kind) for kind in bill.units)
                lines.append(Charged(anchor(section, number), case.block.name, item, charges))
        if lines:
            yield section, tuple(lines)
