"""``pytest-pareto``: what is asked of the shell rather than of a test session.

What needs tests is done by pytest itself, in this process and by this interpreter, so that it
finds them as ``pytest`` does. Exit codes are 0, 1 for what failed, 2 for what cannot be done, and
130 after Ctrl-C.
"""

import argparse
import difflib
import sys
from collections.abc import Collection, Sequence

from pytest_pareto import __version__
from pytest_pareto.cli import accept, compare, doctor, history, show
from pytest_pareto.cli.console import CANNOT, INTERRUPTED, let_go_of_output, open_what_is_closed
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.report.text import clean

_COMMANDS = (show, compare, history, accept, doctor)
_DESCRIPTION = """\
Performance and quality of GPU models against a baseline. Tests are measured
and judged by `pytest --pareto`; this is for what is around it."""
_EXAMPLES = """\
examples:
  pytest-pareto show --plot            where do the cases of each front stand?
  pytest-pareto compare v1.0 HEAD      what moved between these two?
  pytest-pareto history latency        what was accepted when?
  pytest-pareto accept .pareto_candidate --reason 'half the steps, as agreed'
  pytest-pareto doctor --noise         how far can this machine be believed?

`pytest-pareto COMMAND --help` tells more of each.

exit code: 0, 1 for what failed, 2 for what cannot be done, 130 after Ctrl-C"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; wrong arguments exit with 2."""
    open_what_is_closed()
    try:
        try:
            code = _run(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()  # now, while it can be said quietly that nobody reads any more
    except BrokenPipeError:
        let_go_of_output()
        return 0  # whoever read has seen enough
    except KeyboardInterrupt:
        sys.stderr.write("\npytest-pareto: interrupted\n")
        return INTERRUPTED
    return code


def _run(argv: Sequence[str]) -> int:
    own, passed_on = _divided(argv)
    parser, commands = _parser()
    _require_command(parser, commands.choices, own)
    asked, others = parser.parse_known_args(own)
    others += passed_on
    if asked.command is None:
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    if others and not getattr(asked, "passes_on", False):
        commands.choices[asked.command].error(f"unrecognized arguments: {' '.join(others)}")
    try:
        code: int = asked.run(asked, others)
    except ParetoError as error:
        told = "\n".join(map(clean, str(error).splitlines()))
        sys.stderr.write(f"pytest-pareto {asked.command}: {told}\n")
        return CANNOT
    return code


def _divided(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the arguments at the first ``--``, behind which all are pytest's."""
    arguments = list(argv)
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def _parser() -> tuple[
    argparse.ArgumentParser, "argparse._SubParsersAction[argparse.ArgumentParser]"
]:
    parser = argparse.ArgumentParser(
        prog="pytest-pareto",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in _COMMANDS:
        command.add(commands)
    return parser, commands


def _require_command(
    parser: argparse.ArgumentParser, known: Collection[str], arguments: Sequence[str]
) -> None:
    """Exit where no command is named, or one that there is not, with the one that is nearest."""
    named = next((each for each in arguments if not each.startswith("-")), None)
    if named in known or (named is None and arguments):
        return
    there = f"the commands are {', '.join(known)}"
    if named is None:
        parser.error(f"say what to do: {there}")
    near = difflib.get_close_matches(named, known, n=1)
    meant = f"did you mean {near[0]!r}? " if near else ""
    parser.error(f"there is no command {named!r}; {meant}{there}")
