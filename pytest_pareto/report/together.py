"""What many cases have in common is told once: a shared movement, a shared lack."""

from collections.abc import Iterator, Sequence

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Better
from pytest_pareto.model.verdict import CaseVerdict, CommonMode, Judgement
from pytest_pareto.report.blocks import CaseBlock, FrontBlock, all_cases
from pytest_pareto.report.changes import relative_change
from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.news import is_merely_undecided
from pytest_pareto.report.summary import resolution_span
from pytest_pareto.report.text import clean, pack, wrap

_NAMES_SHOWN = 5


def common_lines(
    mode: CommonMode, judgement: Judgement, fronts: Sequence[FrontBlock], width: int
) -> list[Line]:
    """Tell a movement of many cases once; the cases that speak for it are named."""
    direction = "worse" if mode.harmful else "better"
    text = (
        f"{mode.metric} is {direction} in {len(mode.case_ids)} of {mode.total} cases together, "
        f"by about {_movement(mode, judgement)}"
    )
    ids = set(map(clean, mode.case_ids))
    members = [case for case in all_cases(fronts) if case.case_id in ids]
    lines = [Line(line, Tone.BOLD) for line in wrap(text, width, hanging="  ")]
    lines += [Line(line) for line in _some_names(members, width)]
    for case in members:
        if case.common:
            lines += _spoken(case, width)
    return lines


def _movement(mode: CommonMode, judgement: Judgement) -> str:
    lower = any(
        result.metric.better is Better.LOWER
        for case in judgement.cases
        for result in case.comparison.metrics
        if result.metric.name == mode.metric
    )
    return relative_change(mode.estimate if lower else 1 / (1 + mode.estimate) - 1).text


def _spoken(case: CaseBlock, width: int) -> Iterator[Line]:
    for lead, texts, tone in (("fails", case.fails, Tone.RED), ("note", case.notices, Tone.YELLOW)):
        for text in texts:
            said = f"{lead} at {case.case_id}: {text}"
            yield from (Line(t, tone) for t in wrap(said, width, indent="  ", hanging="    "))


def uncompared_lines(fronts: Sequence[FrontBlock], width: int) -> list[Line]:
    """Tell together the cases of which something was not compared for the same reason.

    Those that fail for it are all named.
    """
    groups: dict[tuple[str, bool, str], list[CaseBlock]] = {}
    for case in all_cases(fronts):
        if case.uncompared:
            groups.setdefault((case.label, case.failing, case.uncompared), []).append(case)
    lines: list[Line] = []
    for (label, failing, reason), cases in groups.items():
        tone = Tone.RED if failing else Tone.YELLOW
        text = f"{plural(len(cases), 'case')} {label}: {reason}"
        lines += [Line(line, tone) for line in wrap(text, width, hanging="  ")]
        named = _all_names(cases, width) if failing else _some_names(cases, width)
        lines += [Line(line) for line in named]
    return lines


def undecided_lines(
    judgement: Judgement, width: int, reasons_shown: str = "which -v shows"
) -> list[Line]:
    """Tell of each metric in how many cases it is undecided, how blind that is, and why.

    Of cases that have a block of their own nothing is told here. ``reasons_shown`` is where the
    reasons can be read where they differ.
    """
    cases = [c for c in judgement.cases if is_merely_undecided(c)]
    found: dict[str, list[CaseVerdict]] = {}
    reasons: dict[str, dict[str, None]] = {}
    for case in cases:
        for result in case.comparison.metrics:
            if result.metric.gates and result.outcome is Outcome.INCONCLUSIVE:
                name = result.metric.name
                found.setdefault(name, []).append(case)
                if result.change is not None and result.change.reason:
                    reasons.setdefault(name, {})[result.change.reason] = None
    lines: list[Line] = []
    for name, undecided in found.items():
        caught = resolution_span(undecided, name)
        only = f"only a regression of {caught} or more" if caught else "nothing"
        text = (
            f"{plural(len(undecided), 'case')} undecided in {clean(name)}: "
            f"{only} would have been caught"
        )
        lines += [Line(line, Tone.YELLOW) for line in wrap(text, width, hanging="  ")]
        told = list(reasons.get(name, ()))
        if told:
            why = told[0] if len(told) == 1 else f"for different reasons, {reasons_shown}"
            lines += [Line(line) for line in wrap(clean(why), width, indent="  ")]
    return lines


def _all_names(cases: Sequence[CaseBlock], width: int) -> Iterator[str]:
    for case in cases:
        yield from pack([case.case_id], width, indent="  ")


def _some_names(cases: Sequence[CaseBlock], width: int) -> list[str]:
    names = [case.case_id for case in cases[:_NAMES_SHOWN]]
    more = len(cases) - len(names)
    return pack([*names, *([f"and {more} more"] if more > 0 else [])], width, indent="  ")
