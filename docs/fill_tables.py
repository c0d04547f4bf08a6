"""Fill the tables of the reference from the code.

    python docs/fill_tables.py

A table stands between ``<!-- made: NAME -->`` and ``<!-- /made -->`` in `reference.md`. The site
has them as `filled` returns them (`conf.py`). Those in the repository may lack rows that are newer
than the latest release: run this where a row that stands there changes, which a test finds, and
before a release.
"""

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_pareto import cli, plugin
from pytest_pareto.model.metric import BUILT_IN, MEANINGS, Kind, Metric, Scope
from pytest_pareto.report.numbers import fraction

PAGE = Path(__file__).with_name("reference.md")
TABLE = re.compile(r"(<!-- made: (\w+) -->\n)(.*?)(<!-- /made -->\n)", flags=re.DOTALL)

COMPARED = {Kind.RUN: "over runs", Kind.EXACT: "exactly"}
SCOPES = {
    Scope.HOST: "host: CPU, cores, threads and GPU must match",
    Scope.GPU: "GPU: product, count, MIG profile and power limit must match",
    Scope.ANYWHERE: "anywhere",
}


@dataclass
class Offered:
    """Stands for pytest's parser: takes down what the plugin adds."""

    options: dict[str, dict[str, Any]] = field(default_factory=dict)
    inis: dict[str, str] = field(default_factory=dict)

    def getgroup(self, *_: str) -> "Offered":
        """Return the group of our options, which is this."""
        return self

    def addoption(self, name: str, **about: Any) -> None:
        """Take down an option, unless it is none of the user's."""
        if about["help"] is not argparse.SUPPRESS:
            self.options[name] = about

    def addini(self, name: str, help: str, **_: Any) -> None:  # noqa: A002  (pytest's name)
        """Take down a key of the ini file."""
        self.inis[name] = help


def offered() -> Offered:
    """Return the options and ini keys that the plugin adds."""
    parser = Offered()
    plugin.pytest_addoption(parser)  # type: ignore[arg-type]  # all that it asks of a parser
    return parser


def options_table() -> str:
    """Every option with its ini key, then the keys that have no option."""
    parser = offered()
    rows = []
    for name, about in parser.options.items():
        key = name.removeprefix("--").replace("-", "_")
        ini = f"`{key}`" if key in parser.inis else ""
        rows.append((f"`{_call(name, about)}`", ini, about["help"]))
    twins = {name.removeprefix("--").replace("-", "_") for name in parser.options}
    rows += [("", f"`{key}`", text) for key, text in parser.inis.items() if key not in twins]
    return _table(("option", "ini key", "meaning"), rows)


def _call(name: str, about: dict[str, Any]) -> str:
    choices = about.get("choices")
    value = "|".join(choices) if choices else about.get("metavar", "")
    if about.get("nargs") == "?":
        return f"{name}[={value}]"
    return f"{name} {value}".rstrip()


def gating_table() -> str:
    """The metrics that give verdicts unless a test says otherwise."""
    rows = [
        (f"`{m.name}`", m.unit, MEANINGS[m.name], COMPARED[m.kind], SCOPES[m.scope], _tolerance(m))
        for m in BUILT_IN.values()
        if m.gates
    ]
    return _table(("name", "unit", "what", "compared", "scope", "tolerance"), rows)


def diagnostics_table() -> str:
    """The metrics that are told and give no verdict, unless a tolerance names them."""
    rows = [
        (f"`{m.name}`", m.unit, MEANINGS[m.name], COMPARED[m.kind], m.scope.value)
        for m in BUILT_IN.values()
        if not m.gates
    ]
    return _table(("name", "unit", "what", "compared", "scope"), rows)


def _tolerance(metric: Metric) -> str:
    return fraction(metric.tolerance)


def commands_table() -> str:
    """Every argument of every command."""
    _, commands = cli._parser()  # noqa: SLF001 - the one that `main` makes; it has no other use
    rows = []
    for name, command in commands.choices.items():
        for action in _actions(command):
            if "--help" in action.option_strings or action.help is argparse.SUPPRESS:
                continue
            rows.append((f"`{name}`", f"`{_argument(action)}`", action.help or ""))
    return _table(("command", "argument", "meaning"), rows)


def _actions(parser: argparse.ArgumentParser) -> Sequence[argparse.Action]:
    return parser._actions  # noqa: SLF001 - argparse has no other way to ask


def _argument(action: argparse.Action) -> str:
    names = ", ".join(action.option_strings)
    value = "|".join(map(str, action.choices)) if action.choices else action.metavar
    if isinstance(value, tuple):
        value = " ".join(value)
    if not names:
        return str(value or action.dest)
    if action.nargs == 0:
        return names
    value = value or action.dest.upper()
    return f"{names} [{value}]" if action.nargs == "?" else f"{names} {value}"


TABLES: dict[str, Callable[[], str]] = {
    "options": options_table,
    "gating": gating_table,
    "diagnostics": diagnostics_table,
    "commands": commands_table,
}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    escaped = ([str(cell).replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in escaped)


def filled(text: str) -> str:
    """Return a page with every table as the code has it now."""
    return TABLE.sub(lambda found: found[1] + TABLES[found[2]]() + found[4], text)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
