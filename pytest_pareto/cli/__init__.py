"""``pytest-pareto``: what is asked of the shell rather than of a test session.

What needs tests is done by pytest itself, in this process and by this interpreter, so that it
finds them as ``pytest`` does. Exit codes are 0, 1 for what failed, and 2 for what cannot be done.
"""

import argparse
import sys
from collections.abc import Sequence

from pytest_pareto import __version__
from pytest_pareto.cli import accept, doctor


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; wrong arguments exit with 2."""
    own, passed_on = _divided(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    asked, others = parser.parse_known_args(own)
    if asked.command is None:
        parser.error("say what to do: pytest-pareto doctor --noise, or --metrics")
    code: int = asked.run(asked, [*others, *passed_on])
    return code


def _divided(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the arguments at the first ``--``, behind which all are pytest's."""
    arguments = list(argv)
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-pareto",
        description="Performance and quality of GPU models against a baseline. Tests are measured "
        "and judged by `pytest --pareto`; this is for what is around it.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in (accept, doctor):
        command.add(commands)
    return parser
