"""One step, as a command that can be copied, and how steps are laid out."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_pareto.report.text import clean, display_width, pad, wrap


@dataclass(frozen=True, slots=True)
class Step:
    """What to do and for what; ``instead`` says it in words where a command cannot be shown."""

    purpose: str
    command: tuple[str, ...] = ()
    instead: str = ""


def step_lines(steps: Sequence[Step], width: int, indent: str = "") -> list[str]:
    """Write steps below one another; a long command goes on after a backslash, never cut."""
    label = max((display_width(step.purpose) for step in steps), default=0)
    aligned = all(_fits(step, width, indent, label) for step in steps)
    lines: list[str] = []
    for step in steps:
        lines += _step(step, width, indent, label if aligned else display_width(step.purpose))
    return lines


def shown_command(step: Step) -> str:
    """Return a step's command as it can be typed, "" where there is none or it cannot be shown."""
    command = shlex.join(step.command)
    return command if clean(command) == command else ""


def _fits(step: Step, width: int, indent: str, label: int) -> bool:
    line = _on_one_line(step, indent, label)
    return not step.command or (display_width(line) <= width and bool(shown_command(step)))


def _on_one_line(step: Step, indent: str, label: int) -> str:
    return f"{indent}{pad(step.purpose, label)}  {shlex.join(step.command)}"


def _step(step: Step, width: int, indent: str, label: int) -> list[str]:
    beside, below = f"{indent}{pad(step.purpose, label)}  ", indent + "  "
    if not step.command:
        return wrap(step.instead, width, indent=beside, hanging=" " * len(beside))
    if _fits(step, width, indent, label):
        return [_on_one_line(step, indent, label)]
    command = _command_lines(step.command, width, below)
    if command is not None:
        return [indent + step.purpose, *command]
    return wrap(f"{step.purpose} {step.instead}", width, indent=indent, hanging=below)


def _command_lines(words: Sequence[str], width: int, indent: str) -> list[str] | None:
    """Break a command between its words; None where one of them cannot be shown whole."""
    quoted = [shlex.quote(word) for word in words]
    room = width - len(" \\")
    if any(clean(w) != w or display_width(indent + "  " + w) > room for w in quoted):
        return None
    lines, line = [], indent + quoted[0]
    for word in quoted[1:]:
        if display_width(f"{line} {word}") > room:
            lines.append(f"{line} \\")
            line = f"{indent}  {word}"
        else:
            line = f"{line} {word}"
    return [*lines, line]
