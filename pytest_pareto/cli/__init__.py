"""The ``pytest-pareto`` command line: its entry point, `main`, and its commands.

Each module of a command has a function ``add`` that registers its parser. Commands that run
tests call pytest in this process and with this interpreter, so that it finds the same tests as
``pytest``. Exit codes: 0, 1 where something failed, 2 where the command could not do what was
requested, and 130 after Ctrl-C.
"""

import argparse
import difflib
import sys
from collections.abc import Collection, Sequence

from pytest_pareto import __version__
from pytest_pareto.cli import accept, compare, doctor, history, rename, show
from pytest_pareto.cli.console import (
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    discard_output,
    open_closed_streams,
)
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.report.text import clean

_COMMANDS = (show, compare, history, accept, rename, doctor)
_DESCRIPTION = """\
Performance and quality of GPU models against a baseline. Tests are measured
and judged by `pytest --pareto`; this is for what is around it."""
_EXAMPLES = """\
examples:
  pytest-pareto show --plot            where do the cases of each front stand?
  pytest-pareto compare v1.0 HEAD      what moved between these two?
  pytest-pareto history latency        what was accepted when?
  pytest-pareto accept .pareto_candidate --reason 'half the steps, as agreed'
  pytest-pareto rename OLD NEW         a test was renamed: keep its history
  pytest-pareto doctor --noise         how far can this machine be believed?

`pytest-pareto COMMAND --help` describes each.

exit code: 0, 1 for what failed, 2 for what cannot be done, 130 after Ctrl-C"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    ``argv`` is `sys.argv` without the program's name where None. Raises SystemExit with code 2
    where the arguments are wrong.
    """
    open_closed_streams()
    try:
        try:
            code = _run(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()  # here, where a closed pipe can be handled
    except BrokenPipeError:
        discard_output()
        return 0  # the reader needed no more, which is no error
    except KeyboardInterrupt:
        sys.stderr.write("\npytest-pareto: interrupted\n")
        return EXIT_INTERRUPTED
    return code


def _run(argv: Sequence[str]) -> int:
    own, for_pytest = _split_at_separator(argv)
    parser, commands = _parser()
    _require_command(parser, commands.choices, own)
    options, extra = parser.parse_known_args(own)
    extra += for_pytest
    if options.command is None:
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    if extra and not getattr(options, "accepts_pytest_arguments", False):
        commands.choices[options.command].error(f"unrecognized arguments: {' '.join(extra)}")
    try:
        code: int = options.run(options, extra)
    except ParetoError as error:
        message = "\n".join(map(clean, str(error).splitlines()))
        sys.stderr.write(f"pytest-pareto {options.command}: {message}\n")
        return EXIT_ERROR
    return code


def _split_at_separator(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the arguments at the first ``--``: ours before it, pytest's after it."""
    arguments = list(argv)
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:end], arguments[end + 1 :]


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
    """Exit with code 2 where the arguments name no command, or an extra one.

    The message lists the commands, and suggests the one with the most similar name.
    """
    named = next((each for each in arguments if not each.startswith("-")), None)
    if named in known or (named is None and arguments):
        return
    listing = f"the commands are {', '.join(known)}"
    if named is None:
        parser.error(f"name a command: {listing}")
    similar = difflib.get_close_matches(named, known, n=1)
    hint = f"did you mean {similar[0]!r}? " if similar else ""
    parser.error(f"there is no command {named!r}; {hint}{listing}")
