"""``pytest-pareto``: what is asked of the shell rather than of a test session.

What needs tests is done by pytest itself, in this process and by this interpreter, so that it
finds them as ``pytest`` does. Exit codes are 0, 1 for what failed, and 2 for what cannot be done.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from pytest_pareto import __version__
from pytest_pareto.judge.holm import holm
from pytest_pareto.model.errors import BaselineError
from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.metrics import render_metrics

NOISE_RUNS = 8
"""As many as a baseline and a confirmation hold between them, roughly: 56 ways to split them."""

_ALPHA = 0.05
_CANNOT = 2
_EXIT_CODES = {
    int(pytest.ExitCode.USAGE_ERROR): _CANNOT,
    int(pytest.ExitCode.NO_TESTS_COLLECTED): _CANNOT,
}

_HERE = ""
"""The baseline of the project that one stands in."""

_COLOURS = {Tone.RED: "31", Tone.GREEN: "32", Tone.YELLOW: "33", Tone.BOLD: "1"}

_DOCTOR = """\
--noise: measure unchanged code in fresh processes, one after the other, and say how far this
machine can be believed: per metric the spread between runs, drift, false alarms, the smallest
regression that a session would see, and which tolerances and numbers of runs that supports.
Nothing is written.

--metrics: say from what the baseline holds which metrics can tell the variants of a front apart,
with how many samples, and how alike they rank them. Nothing is measured or written."""

_DOCTOR_EXAMPLES = """\
With --noise further arguments are pytest's, with or without -- before them:
  pytest-pareto doctor --noise
  pytest-pareto doctor --noise -n 12 tests/test_model.py -k small
  pytest-pareto doctor --noise -- -n0 -p no:randomly
  pytest-pareto doctor --metrics
  pytest-pareto doctor --metrics path/to/pareto_baselines --hardware cpu-amd-epycx2

exit code: 0, 1 where a test failed, 2 where nothing could be measured or examined"""


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
    _add_doctor(parser.add_subparsers(dest="command", metavar="COMMAND", title="commands"))
    return parser


def _add_doctor(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    doctor = commands.add_parser(
        "doctor",
        help="say how far this machine can be believed, and which metrics tell variants apart",
        usage="%(prog)s --noise [-n N] [pytest arguments ...]\n"
        "       %(prog)s --metrics [DIR] [--hardware KEY]",
        description=_DOCTOR,
        epilog=_DOCTOR_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = doctor.add_mutually_exclusive_group(required=True)
    what.add_argument("--noise", action="store_true", help="measure unchanged code again and again")
    what.add_argument(
        "--metrics",
        nargs="?",
        const=_HERE,
        metavar="DIR",
        help="examine the metrics in a baseline folder (this project's)",
    )
    doctor.add_argument(
        *("-n", "--runs"),
        type=int,
        metavar="N",
        help=f"of --noise: in how many fresh processes, at least 4 ({NOISE_RUNS})",
    )
    doctor.add_argument(
        "--hardware",
        metavar="KEY",
        help="of --metrics: the folder of the machine, where the baseline holds several",
    )
    doctor.set_defaults(run=_doctor, refuse=doctor.error)


def _doctor(asked: argparse.Namespace, arguments: Sequence[str]) -> int:
    if asked.noise:
        return _noise(asked, arguments)
    others = [*arguments, *(["-n"] if asked.runs is not None else [])]
    if others:
        asked.refuse(
            "--metrics reads a baseline and runs no tests, so that beside a folder and --hardware "
            f"it takes nothing: leave out {' '.join(others)}"
        )
    return _metrics(asked.metrics, asked.hardware)


def _noise(asked: argparse.Namespace, arguments: Sequence[str]) -> int:
    ours = [argument for argument in arguments if argument.startswith("--pareto")]
    if ours:
        asked.refuse(f"nothing is judged or written here: leave out {', '.join(ours)}")
    if asked.hardware is not None:
        asked.refuse("--hardware is of --metrics: noise is measured on the machine at hand")
    runs = NOISE_RUNS if asked.runs is None else asked.runs
    code = pytest.main([f"--pareto-noise={runs}", *arguments])
    return _EXIT_CODES.get(int(code), int(code))


def _metrics(folder: str, hardware: str | None) -> int:
    # What needs scipy is imported where it is used.
    from pytest_pareto.baseline.recorded import load_recorded  # noqa: PLC0415 - see above
    from pytest_pareto.compare.discerning import examine_metrics  # noqa: PLC0415 - see above

    directory = _own_baseline() if folder == _HERE else Path(folder)
    if directory is None:
        return _CANNOT
    try:
        baseline = load_recorded(directory, hardware)
    except BaselineError as error:
        sys.stderr.write(f"pytest-pareto doctor: {error}\n")
        return _CANNOT
    report = examine_metrics(baseline, alpha=_ALPHA, correct=holm)
    _write(render_metrics(report, width=shutil.get_terminal_size().columns))
    return 0 if report.fronts else _CANNOT


class _Asking:
    """Learns of a project's configuration where its baseline is, and lets no test be collected."""

    directory: Path | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        # Imported before pytest has taken it as a plugin, it would be one without rewriting.
        from pytest_pareto.plugin.folders import baseline_dir  # noqa: PLC0415 - see above

        self.directory = baseline_dir(config)
        return 0


def _own_baseline() -> Path | None:
    """Find the baseline of this project as pytest would; None where it refuses, and has said why.

    Neither the project's conftest files nor its own options are needed for that.
    """
    asking = _Asking()
    pytest.main(["--noconftest", "--override-ini=addopts="], plugins=[asking])
    return asking.directory


def _write(lines: Iterable[Line]) -> None:
    """Write to the terminal, or to whatever reads instead and may have seen enough."""
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    encoding = sys.stdout.encoding
    try:
        for line in lines:
            colour = _COLOURS.get(line.tone) if coloured else None
            text = line.text.encode(encoding, "backslashreplace").decode(encoding)
            sys.stdout.write(f"\x1b[{colour}m{text}\x1b[0m\n" if colour else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Else Python would try again when it ends, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
