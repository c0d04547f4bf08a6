"""``pytest-pareto doctor``: how far this machine can be believed, and which metrics tell."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pytest_pareto.cli.console import CANNOT, own_baseline, terminal_width, write_lines
from pytest_pareto.doctor.metric_text import render_metrics
from pytest_pareto.judge.holm import holm

NOISE_RUNS = 8
"""As many as a baseline and a confirmation hold between them, roughly: 56 ways to split them."""

_ALPHA = 0.05

_HERE = ""
"""The baseline of the project that one stands in."""

_DOCTOR = """\
--noise: measure unchanged code in fresh processes, one after the other, and
say how far this machine can be believed: per metric the spread between runs,
drift, false alarms, the smallest regression that a session would see, and
which tolerances and numbers of runs that supports. Nothing is written.

--metrics: say from what the baseline holds which metrics can tell the variants
of a front apart, with how many samples, and how alike they rank them. Nothing
is measured or written."""

_DOCTOR_EXAMPLES = """\
With --noise further arguments are pytest's, with or without -- before them:
  pytest-pareto doctor --noise
  pytest-pareto doctor --noise -n 12 tests/test_model.py -k small
  pytest-pareto doctor --noise -- -n0 -p no:randomly
  pytest-pareto doctor --metrics
  pytest-pareto doctor --metrics path/to/baselines --hardware cpu-amd-epycx2

exit code: 0, 1 where a test failed, 2 where nothing could be told"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
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
    doctor.set_defaults(run=_doctor, refuse=doctor.error, passes_on=True)


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
    # pytest is the plugin's: see the contract "pytest stays at the edge".
    from pytest_pareto.plugin.noise_runs import run_noise_study  # noqa: PLC0415 - see above

    return run_noise_study(runs, arguments)


def _metrics(folder: str, hardware: str | None) -> int:
    # What needs scipy is imported where it is used.
    from pytest_pareto.baseline.sources import load_recorded  # noqa: PLC0415 - see above
    from pytest_pareto.doctor.metric_study import examine_metrics  # noqa: PLC0415 - see above

    directory = own_baseline() if folder == _HERE else Path(folder)
    if directory is None:
        return CANNOT
    baseline = load_recorded(directory, hardware)
    report = examine_metrics(baseline, alpha=_ALPHA, correct=holm)
    write_lines(render_metrics(report, width=terminal_width()))
    return 0 if report.fronts else CANNOT
