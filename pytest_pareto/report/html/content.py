"""All that the page says, in the order in which it says it: a judged session as plain values.

What the first screen of the page names: the cases that fail, or else have a notice.

Under which circumstances a session was measured: what a reader asks before believing it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.policy import AlphaShares
from pytest_pareto.model.session_record import SessionFacts, SessionReport
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.report.case_lines import is_let_through
from pytest_pareto.report.fronts import FrontBlock, build_fronts
from pytest_pareto.report.headline import (
    Header,
    build_header,
    caught_by_quiet,
    common_lines,
    title,
    uncompared_lines,
    undecided_lines,
)
from pytest_pareto.report.html.case_rows import Case, Section, build_sections
from pytest_pareto.report.next_steps import (
    Step,
    session_steps,
    shown_command,
    trade_step,
    trades_step,
)
from pytest_pareto.report.rows import Bill, Charge, Item, build_bill
from pytest_pareto.report.terminal import failure_line
from pytest_pareto.report.text import Line, clean
from pytest_pareto.report.wording import severity


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


Fact = tuple[str, str]

NOTES = 12
"""How many notes of meters are told apart from the cases."""


def session_facts(report: SessionReport) -> list[Fact]:
    """Say how the session was run and judged: names, and what stands there."""
    judgement, facts = report.judgement, report.facts
    header = build_header(judgement, facts)
    alphas = {
        result.change.alpha
        for case in judgement.cases
        for result in case.comparison.metrics
        if result.change is not None
    }
    told = [
        ("compared", header.against),
        ("measured", " · ".join(header.measured)),
        ("confirmed", _confirmed(facts)),
        ("incomplete", facts.partial or ""),
        ("differs from the baseline", ", ".join(facts.differences)),
        ("assumed", "; ".join(facts.assumptions)),
        ("alpha", ", ".join(f"{alpha:g}" for alpha in sorted(alphas))),
        ("alpha is spent on", _shares(judgement.shares) if alphas else ""),
        ("hardware key", facts.hardware_key),
    ]
    return [(name, clean(text)) for name, text in told if text]


def machine_facts(machine: Environment | None) -> list[Fact]:
    """Say what was measured on: the machine as the newest run saw it."""
    if machine is None:
        return []
    told = [
        ("CPU", machine.cpu_model),
        ("usable cores", str(machine.usable_cores)),
        ("threads", str(machine.threads)),
        ("GPU", f"{machine.gpu_count} × {machine.gpu_product}" if machine.gpu_product else "none"),
        ("MIG profile", machine.mig_profile or ""),
        ("power limit", ", ".join(f"{limit:g} W" for limit in machine.power_limits_w)),
        ("boards", ", ".join(machine.boards)),
        *sorted(machine.software.items()),
    ]
    return [(clean(name), clean(text)) for name, text in told if text]


def conditions(report: SessionReport) -> list[str]:
    """Gather what meters noted, such as a throttled clock, of which metrics and how often.

    What they noted of one case stands with it too, so a few of the rest are enough here.
    """
    notes = Counter(
        f"{result.metric.name}: {note}"
        for case in report.judgement.cases
        for result in case.comparison.metrics
        for note in result.notes
    ).most_common()
    told = [
        clean(note) if count == 1 else f"{clean(note)} ({plural(count, 'reading')})"
        for note, count in notes[:NOTES]
    ]
    rest = len(notes) - len(told)
    return [*told, f"and {rest} more, with their cases"] if rest else told


def _confirmed(facts: SessionFacts) -> str:
    if facts.confirmed:
        return "what looks worse is measured again before it is called so"
    return "no: judged on this session's runs alone"


def _shares(shares: AlphaShares) -> str:
    return ", ".join(_told(shares))


def _told(shares: AlphaShares) -> Iterator[str]:
    for share, what in (
        (shares.changes, "changes"),
        (shares.lost, "places lost"),
        (shares.budgets, "budgets"),
        (shares.anchor, "creep since the anchor"),
    ):
        if share:
            yield f"{what} {100 * share:.3g} %"


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
        failures=tuple(_lines_kept(failure.text) for failure in judgement.failures),
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
