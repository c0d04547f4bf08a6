"""``--pareto-markdown``: what a pull request shows of a session, in at most 60 kB."""

from collections.abc import Iterator, Sequence

from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.report.accepting import trades_step
from pytest_pareto.report.blocks import build_fronts
from pytest_pareto.report.header import build_header
from pytest_pareto.report.lines import Line
from pytest_pareto.report.markdown_table import changed_tables
from pytest_pareto.report.markup import code, prose
from pytest_pareto.report.step import Step, shown_command
from pytest_pareto.report.steps import session_steps
from pytest_pareto.report.summary import caught_by_quiet, since_baseline
from pytest_pareto.report.text import clean, clip
from pytest_pareto.report.together import common_lines, uncompared_lines, undecided_lines

MOST_BYTES = 60_000
"""GitHub takes 65,536 characters in a comment."""

_UNBROKEN = 1_000_000
_REASONS_SHOWN = "which the HTML report shows"
_LONGEST_LINE = 400
_LONGEST_COMMAND = 1_500
_MOST_LINES = 20


def render_markdown(report: SessionReport) -> str:
    """Write what changed, gravest first; what does not fit is counted."""
    judgement, facts = report.judgement, report.facts
    fronts = build_fronts(judgement)
    first = build_header(judgement, facts)
    lead, *rest = first.counts
    head = [
        f"## pareto: {first.word}",
        " · ".join([f"**{_line(lead)}**", *map(_line, rest)]),
        " · ".join(map(_line, [first.against, *first.measured])),
        _listed(first.doubts),
        *_failures(judgement.failures),
        _listed(judgement.notices),
        *(
            _nested(common_lines(mode, judgement, fronts, _UNBROKEN))
            for mode in judgement.common_modes[:_MOST_LINES]
        ),
    ]
    tail = [
        _nested(uncompared_lines(fronts, _UNBROKEN)),
        _nested(undecided_lines(judgement, _UNBROKEN, _REASONS_SHOWN)),
        " ".join(_line(t + ", ".join(parts)) for t, parts in caught_by_quiet(judgement) if parts),
        *_written(report),
        *_steps(report),
        _listed(since_baseline(facts)),
    ]
    around = _joined([*head, *tail])
    room = MOST_BYTES - len(around.encode()) - len("\n\n")
    return _joined([*head, changed_tables(judgement, fronts, facts.ref, room), *tail])


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _line(text: str) -> str:
    return prose(clip(clean(text), _LONGEST_LINE))


def _listed(texts: Sequence[str]) -> str:
    return _bounded([f"- {_line(text)}" for text in texts])


def _nested(lines: Sequence[Line]) -> str:
    """Write lines of the terminal's report as a list, its indented lines below their heads."""
    return _bounded([f"{'  ' if t.text.startswith(' ') else ''}- {_line(t.text)}" for t in lines])


def _bounded(lines: Sequence[str]) -> str:
    more = len(lines) - _MOST_LINES
    return "\n".join([*lines[:_MOST_LINES], *([f"- and {more} more lines"] if more > 0 else [])])


def _failures(failures: Sequence[str]) -> Iterator[str]:
    """Tell what failed of the session itself, with the end of what a process said."""
    for text in failures[:_MOST_LINES]:
        lead, *said = text.splitlines() or [""]
        yield f"**FAIL** {_line(lead)}"
        if said:
            yield _block([clip(clean(line), 120) for line in said[-_MOST_LINES:]])
    if len(failures) > _MOST_LINES:
        yield f"**FAIL** and {len(failures) - _MOST_LINES} more"


def _written(report: SessionReport) -> Iterator[str]:
    if report.facts.updating:
        edits = report.facts.edits
        yield "written to the baseline:" if edits else "nothing was written to the baseline"
        yield _listed(edits)


def _steps(report: SessionReport) -> Iterator[str]:
    """Say what to do, as commands to copy."""
    judgement, facts = report.judgement, report.facts
    steps = [*session_steps(judgement, facts)]
    trade = trades_step(judgement.cases, facts)
    if trade is not None:
        steps.append(trade)
    commands: list[str] = []
    for step in steps:
        command = shown_command(step)
        if not command or len(command) > _LONGEST_COMMAND:
            yield _line(f"{step.purpose} {step.instead or 'see the report in the terminal'}")
        else:
            commands += [f"# {step.purpose.rstrip(':')}", command]
    if commands:
        yield _block(commands, "sh")
    if _accepts(steps):
        path = code(facts.candidate_path or "")
        yield (
            f"{path} holds what this session measured; of a CI job it is an artifact, to be put "
            "there. Write a reason, and commit the baseline."
        )


def _accepts(steps: Sequence[Step]) -> bool:
    return any("accept" in step.command for step in steps)


def _block(lines: Sequence[str], language: str = "") -> str:
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    return "\n".join([f"{fence}{language}", *lines, fence])
