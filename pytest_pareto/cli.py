"""``pytest-pareto``: what is asked of the shell rather than of a test session.

What needs tests is done by pytest itself, in this process and by this interpreter, so that it
finds them as ``pytest`` does. Exit codes are 0, 1 for what failed, and 2 for what cannot be done.
"""

import argparse
import sys
from collections.abc import Sequence

import pytest

from pytest_pareto import __version__

NOISE_RUNS = 8
"""As many as a baseline and a confirmation hold between them, roughly: 56 ways to split them."""

_CANNOT = 2
_EXIT_CODES = {
    int(pytest.ExitCode.USAGE_ERROR): _CANNOT,
    int(pytest.ExitCode.NO_TESTS_COLLECTED): _CANNOT,
}

_DOCTOR = """\
Measure unchanged code in fresh processes, one after the other, and say how far this machine can
be believed: per metric the spread between runs, drift, false alarms, the smallest regression that
a session would see, and which tolerances and numbers of runs that supports. Nothing is written."""

_DOCTOR_EXAMPLES = """\
Further arguments are pytest's, with or without -- before them:
  pytest-pareto doctor --noise
  pytest-pareto doctor --noise -n 12 tests/test_model.py -k small
  pytest-pareto doctor --noise -- -n0 -p no:randomly

exit code: 0, 1 where a test failed, 2 where nothing could be measured"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; wrong arguments exit with 2."""
    own, passed_on = _divided(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    asked, others = parser.parse_known_args(own)
    if asked.command is None:
        parser.error("say what to do: pytest-pareto doctor --noise")
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
    _add_doctor(parser.add_subparsers(dest="command", metavar="COMMAND", title="commands"))
    return parser


def _add_doctor(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    doctor = commands.add_parser(
        "doctor",
        help="say how far this machine can be believed",
        usage="%(prog)s --noise [-n N] [pytest arguments ...]",
        description=_DOCTOR,
        epilog=_DOCTOR_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    doctor.add_argument(
        "--noise", action="store_true", required=True, help="measure unchanged code again and again"
    )
    doctor.add_argument(
        *("-n", "--runs"),
        type=int,
        default=NOISE_RUNS,
        metavar="N",
        help=f"in how many fresh processes, at least 4 ({NOISE_RUNS})",
    )
    doctor.set_defaults(run=_doctor, refuse=doctor.error)


def _doctor(asked: argparse.Namespace, arguments: Sequence[str]) -> int:
    ours = [argument for argument in arguments if argument.startswith("--pareto")]
    if ours:
        asked.refuse(f"nothing is judged or written here: leave out {', '.join(ours)}")
    code = pytest.main([f"--pareto-noise={asked.runs}", *arguments])
    return _EXIT_CODES.get(int(code), int(code))
