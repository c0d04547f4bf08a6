"""The content of the HTML page as plain values, in the order in which the page shows it.

`build_page` computes a `Page` from a report: header, findings (the failing cases, or those with
a notice), next steps, sections, bill, resolutions, and how the session was measured.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.model.baseline import FailingHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.policy import AlphaShares
from pytest_pareto.model.session_record import SessionFacts, SessionReport
from pytest_pareto.model.verdict import CaseVerdict, Judgement, MetricResult
from pytest_pareto.report.case_lines import is_passing_trade
from pytest_pareto.report.fronts import CaseBlock, FrontBlock, all_cases, build_fronts
from pytest_pareto.report.headline import (
    Header,
    build_header,
    common_lines,
    section_title,
    unchanged_resolutions,
    uncompared_lines,
    undecided_lines,
)
from pytest_pareto.report.html.case_rows import (
    CaseView,
    Digest,
    Section,
    build_digests,
    build_sections,
)
from pytest_pareto.report.html.evidence import Strip, failing_strips
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
from pytest_pareto.report.wording import (
    AttributionRow,
    attribution_rows,
    severity,
    sort_by_severity,
)

Fact = tuple[str, str]
MAX_NOTES = 12
"""How many notes of meters are listed."""
_NO_WRAP = 10**9
MAX_FAILING = 6
"""How many failing cases are on the first screen."""
_MAX_COURSES = 3
"""So many of them have their levels over the commits of the baseline."""
_MAX_TRADE_STEPS = 2
_OPEN_PARTS, _WORST_PARTS = 10, 3
BAR_WIDTH = 120
"""Of the largest level of a part, in pixels."""


@dataclass(frozen=True, slots=True)
class PartLine:
    """A part of a metric that moved, with the lengths of its bars before and now, in pixels."""

    row: AttributionRow
    bars: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class WhyTable:
    """Why a metric moved: its parts, the largest change first.

    ``rest`` is what the parts leave of the change, and ``more`` smaller parts, which unfold.
    """

    metric: str
    parts: tuple[PartLine, ...]
    rest: tuple[PartLine, ...]
    more: tuple[PartLine, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A case on the first screen: the anchor of its row, its name, its label and its reason.

    Of a failing case ``strips`` are the runs of its worst metrics, and ``why`` their largest parts.
    """

    anchor: str
    name: str
    label: str
    text: str
    strips: tuple[Strip, ...] = ()
    why: tuple[WhyTable, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """The cases on the first screen; ``more`` is how many did not fit."""

    shown: tuple[Finding, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Command:
    """A next step; ``instead`` describes it where there is no command to copy."""

    purpose: str
    command: str
    instead: str


@dataclass(frozen=True, slots=True)
class BillLine:
    """A line of the bill, with the anchor of its case and one charge per kind."""

    anchor: str
    name: str
    item: Item
    charges: tuple[Charge | None, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The content of the page; ``billed`` are the units of the bill by kind.

    ``differences`` are the conditions that are not the baseline's, ``no_history`` is why its past
    is not shown. ``rest`` has the cases that ``sections`` leave out.
    """

    title: str
    header: Header
    differences: tuple[str, ...]
    no_history: str
    failures: tuple[str, ...]
    notices: tuple[str, ...]
    failed: Findings
    noted: Findings
    commands: tuple[Command, ...]
    common: tuple[tuple[Line, ...], ...]
    sections: tuple[Section, ...]
    rest: tuple[Digest, ...]
    bill: tuple[tuple[Section, tuple[BillLine, ...]], ...]
    billed: Mapping[str, str]
    resolutions: tuple[tuple[str, tuple[str, ...]], ...]
    facts: tuple[Fact, ...]
    machine: tuple[Fact, ...]
    conditions: tuple[str, ...]
    edits: tuple[str, ...]
    updating: bool

    @property
    def cases_in_full(self) -> int:
        """The number of cases with a row in the tables."""
        return sum(len(section.cases) for section in self.sections)

    @property
    def cases_in_brief(self) -> int:
        """The number of cases with a line each below the tables."""
        return sum(len(part.cases) for part in self.rest)

    @property
    def draws_runs(self) -> bool:
        """Whether some failing case has its runs drawn."""
        return any(finding.strips for finding in self.failed.shown)

    @property
    def draws_courses(self) -> bool:
        """Whether some failing case has its levels over commits."""
        return any(strip.course for found in self.failed.shown for strip in found.strips)

    @property
    def bills_calls(self) -> bool:
        """Whether some line is per call, because its test gave no number of items."""
        return any(line.item.per == "calls" for _, lines in self.bill for line in lines)


def build_page(report: SessionReport) -> Page:
    """Return the content of the page for a session; nothing here is decided."""
    judgement, facts = report.judgement, report.facts
    sections, fronts = build_sections(judgement), build_fronts(judgement)
    rest = build_digests(fronts)
    bill = build_bill(judgement.cases)
    return Page(
        title=section_title(judgement),
        header=build_header(judgement, facts),
        differences=tuple(map(clean, (*facts.differences, *_commit_texts(report.history)))),
        no_history=clean(report.history.missing) if report.history else "",
        failures=tuple(_clean_lines(failure.text) for failure in judgement.failures),
        notices=tuple(map(clean, judgement.notices)),
        failed=find_cases(sections, rest, MAX_FAILING, failing=True, history=report.history),
        noted=find_cases(sections, rest, 3, failing=False),
        commands=tuple(_step_command(step) for step in _page_steps(report, fronts)),
        common=tuple(_common_parts(judgement, fronts)),
        sections=sections,
        rest=rest,
        bill=tuple(_bill_lines(sections, bill)),
        billed=bill.units,
        resolutions=tuple(
            (lead.strip(), parts) for lead, parts in unchanged_resolutions(judgement) if parts
        ),
        facts=tuple(session_facts(report)),
        machine=tuple(machine_facts(report.environment)),
        conditions=tuple(conditions(report)),
        edits=tuple(map(clean, facts.edits)),
        updating=facts.updating,
    )


def _commit_texts(history: FailingHistory | None) -> Iterator[str]:
    """Yield which commit is checked out, and how far it is from that of the baseline."""
    if history is not None and history.levels is not None and history.later:
        newest = history.levels.revisions[-1]
        later = plural(history.later, "commit")
        yield f"commit {newest.short} of {newest.date} → {history.head}, {later} later"


def _clean_lines(text: str) -> str:
    """Clean a failure of the session, but keep its line breaks: it may be process output."""
    return "\n".join(map(clean, text.splitlines()))


def _step_command(step: Step) -> Command:
    command = shown_command(step)
    return Command(step.purpose, command, "" if command else step.instead)


def _common_parts(judgement: Judgement, fronts: Sequence[FrontBlock]) -> Iterator[tuple[Line, ...]]:
    for mode in judgement.common_modes:
        yield tuple(common_lines(mode, judgement, fronts, _NO_WRAP))
    for lines in (
        uncompared_lines(fronts, _NO_WRAP),
        undecided_lines(judgement, _NO_WRAP),
    ):
        if lines:
            yield tuple(lines)


def _page_steps(report: SessionReport, fronts: Sequence[FrontBlock]) -> Iterator[Step]:
    """Yield the next steps, and the steps that accept passing trades.

    Where these cannot be accepted together, the first `_MAX_TRADE_STEPS` have a step each.
    """
    yield from session_steps(report.judgement, report.facts)
    common = trades_step(report.judgement.cases, report.facts)
    if common is not None:
        yield common
        return
    passing = [case for case in all_cases(fronts) if is_passing_trade(case)]
    for block in passing[:_MAX_TRADE_STEPS]:
        step = trade_step(block.case_id, block.nodeid, report.facts)
        if step is not None:
            yield step
    if len(passing) > _MAX_TRADE_STEPS and report.facts.accepts:
        yield Step("the other trades:", instead="the same, each with its own test")


def _bill_lines(
    sections: Sequence[Section], bill: Bill
) -> Iterator[tuple[Section, tuple[BillLine, ...]]]:
    for section in sections:
        lines = []
        for number, case in enumerate(section.cases):
            item = bill.items.get(case.verdict.case_id)
            if item is not None:
                charges = tuple(item.charges.get(kind) for kind in bill.units)
                lines.append(BillLine(anchor(section, number), case.block.name, item, charges))
        if lines:
            yield section, tuple(lines)


def anchor(section: Section, case: int) -> str:
    """Return the id of the element of a case on the page."""
    return f"f{section.number}c{case}"


def find_cases(
    sections: Sequence[Section],
    rest: Sequence[Digest],
    room: int,
    *,
    failing: bool,
    history: FailingHistory | None = None,
) -> Findings:
    """Return the failing cases, or else those that pass with a notice of their own.

    ``history`` is that of failing cases. Notices that are listed for many cases at once do not
    count. The most severe cases of all sections come first, at most ``room``.
    """
    found = [
        (case, anchor(section, number))
        for section in sections
        for number, case in enumerate(section.cases)
        if _is_found(case.block, failing=failing)
    ]
    others = sum(_is_found(case, failing=failing) for part in rest for case, _ in part.cases)
    found.sort(key=lambda one: severity(one[0].verdict))
    shown = (
        _finding(
            at,
            case,
            1 if place else 2,
            history if place < _MAX_COURSES else None,
            failing=failing,
        )
        for place, (case, at) in enumerate(found[:room])
    )
    return Findings(tuple(shown), max(0, len(found) - room) + others)


def _finding(
    at: str, case: CaseView, most: int, history: FailingHistory | None, *, failing: bool
) -> Finding:
    """Return a case of the first screen, with ``most`` of its metrics where it fails."""
    levels = None if history is None else history.levels
    strips = failing_strips(case.verdict, most, levels) if failing else ()
    drawn = {strip.metric for strip in strips}
    why = (
        replace(table, parts=table.parts[:_WORST_PARTS], rest=(), more=())
        for table in why_tables(case.verdict)
        if table.metric in drawn
    )
    block = case.block
    return Finding(at, block.case_id, block.label, _finding_text(case), strips, tuple(why))


def _is_found(case: CaseBlock, *, failing: bool) -> bool:
    has_notice = bool(case.notices) and not case.uncompared
    return case.failing is failing and (failing or has_notice)


def _finding_text(case: CaseView) -> str:
    if case.block.failing:
        return failure_line(case.verdict, case.block)
    return "; ".join(case.block.notices)


def session_facts(report: SessionReport) -> list[Fact]:
    """Return how the session was run and judged, as pairs of name and text."""
    judgement, facts = report.judgement, report.facts
    header = build_header(judgement, facts)
    alphas = {
        result.change.alpha
        for case in judgement.cases
        for result in case.comparison.metrics
        if result.change is not None
    }
    texts = [
        ("compared", header.against),
        ("measured", " · ".join(header.measured)),
        ("confirmed", _confirmation_text(facts)),
        ("incomplete", facts.partial or ""),
        ("assumed", "; ".join(facts.assumptions)),
        ("alpha", ", ".join(f"{alpha:g}" for alpha in sorted(alphas))),
        ("alpha is spent on", _shares_text(judgement.shares) if alphas else ""),
        ("hardware key", facts.hardware_key),
    ]
    return [(name, clean(text)) for name, text in texts if text]


def machine_facts(machine: Environment | None) -> list[Fact]:
    """Return the machine as the newest run recorded it, as pairs of name and text."""
    if machine is None:
        return []
    texts = [
        ("CPU", machine.cpu_model),
        ("usable cores", str(machine.usable_cores)),
        ("threads", str(machine.threads)),
        ("GPU", f"{machine.gpu_count} × {machine.gpu_product}" if machine.gpu_product else "none"),
        ("MIG profile", machine.mig_profile or ""),
        ("power limit", ", ".join(f"{limit:g} W" for limit in machine.power_limits_w)),
        ("boards", ", ".join(machine.boards)),
        *sorted(machine.software.items()),
    ]
    return [(clean(name), clean(text)) for name, text in texts if text]


def conditions(report: SessionReport) -> list[str]:
    """Return the notes of meters, such as a throttled clock, with their metric and how often.

    The details of each case have its notes as well, so the most frequent are enough here.
    """
    notes = Counter(
        f"{result.metric.name}: {note}"
        for case in report.judgement.cases
        for result in case.comparison.metrics
        for note in result.notes
    ).most_common()
    texts = [
        clean(note) if count == 1 else f"{clean(note)} ({plural(count, 'reading')})"
        for note, count in notes[:MAX_NOTES]
    ]
    rest = len(notes) - len(texts)
    return [*texts, f"and {rest} more, with their cases"] if rest else texts


def _confirmation_text(facts: SessionFacts) -> str:
    if facts.confirmed:
        return "what looks worse is measured again before it is called so"
    return "no: judged on this session's runs alone"


def _shares_text(shares: AlphaShares) -> str:
    return ", ".join(_share_texts(shares))


def _share_texts(shares: AlphaShares) -> Iterator[str]:
    for share, test in (
        (shares.changes, "changes"),
        (shares.budgets, "budgets"),
        (shares.anchor, "drift since the anchor"),
    ):
        if share:
            yield f"{test} {100 * share:.3g} %"


def why_tables(case: CaseVerdict) -> Iterator[WhyTable]:
    """Yield a table for each metric of a case whose parts are known to have moved."""
    for result in sort_by_severity(case.comparison.metrics):
        rows = attribution_rows(result)
        if rows:
            parts = _part_lines(rows, result)
            rest = tuple(PartLine(row, None) for row in rows if not row.is_part)
            open_parts, more = parts[:_OPEN_PARTS], parts[_OPEN_PARTS:]
            yield WhyTable(clean(result.metric.name), open_parts, rest, more)


def _part_lines(rows: Sequence[AttributionRow], result: MetricResult) -> tuple[PartLine, ...]:
    """Return the parts with their bars, all on one scale: the rows begin with them."""
    assert result.attribution is not None
    found = result.attribution.contributions
    sides = [(abs(each.baseline), abs(each.candidate)) for each in found]
    pixel = (max(map(max, sides)) or 1.0) / BAR_WIDTH
    return tuple(
        PartLine(row, (round(then / pixel), round(now / pixel)))
        for row, (then, now) in zip(rows, sides, strict=False)
    )
