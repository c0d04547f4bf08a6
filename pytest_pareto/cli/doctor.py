"""``pytest-pareto doctor``: measure the noise of a machine, and examine metrics.

``--noise`` runs a noise study of unchanged code, through pytest. ``--metrics`` reports which
metrics of a baseline separate the cases of a front.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pytest_pareto.cli.console import EXIT_ERROR, find_baseline, terminal_width, write_lines
from pytest_pareto.doctor.metric_text import render_metrics
from pytest_pareto.judge.holm import holm

NOISE_RUNS = 8
"""The default number of fresh processes of a noise study.

Roughly as many as a baseline and a confirmation have together. There are 56 ways to split them.
"""

_ALPHA = 0.05

_OWN_BASELINE = ""
"""The value of ``--metrics`` without a folder: the baseline of the project at hand."""

_DOCTOR = """\
--noise: measure unchanged code in fresh processes, one after the other, and
report how noisy this machine is: per metric the spread between runs,
drift, false alarms, the minimum detectable regression of a session, and which
tolerances and numbers of runs that supports. Nothing is written.

--metrics: report from what the baseline holds which metrics separate the
variants of a front, with how many samples, and how alike they rank them.
Nothing is measured or written."""

_DOCTOR_EXAMPLES = """\
With --noise further arguments are pytest's, with or without -- before them:
  pytest-pareto doctor --noise
  pytest-pareto doctor --noise -n 12 tests/test_model.py -k small
  pytest-pareto doctor --noise -- -n0 -p no:randomly
  pytest-pareto doctor --metrics
  pytest-pareto doctor --metrics path/to/baselines --hardware cpu-amd-epycx2

exit code: 0, 1 where a test failed, 2 where nothing could be reported"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the parser of ``doctor``."""
    doctor = commands.add_parser(
        "doctor",
        help="report how noisy this machine is, and which metrics separate variants",
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
        const=_OWN_BASELINE,
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
    doctor.set_defaults(run=_doctor, refuse=doctor.error, accepts_pytest_arguments=True)


def _doctor(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    if options.noise:
        return _run_noise_study(options, arguments)
    extra = [*arguments, *(["-n"] if options.runs is not None else [])]
    if extra:
        options.refuse(
            "--metrics reads a baseline and runs no tests, so that beside a folder and --hardware "
            f"it takes nothing: leave out {' '.join(extra)}"
        )
    return _report_metrics(options.metrics, options.hardware)


def _run_noise_study(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    ours = [argument for argument in arguments if argument.startswith("--pareto")]
    if ours:
        options.refuse(f"nothing is judged or written here: leave out {', '.join(ours)}")
    if options.hardware is not None:
        options.refuse("--hardware is of --metrics: noise is measured on the machine at hand")
    runs = NOISE_RUNS if options.runs is None else options.runs
    # pytest is imported in plugin/ alone.
    from pytest_pareto.plugin.noise_runs import run_noise_study  # noqa: PLC0415 - see above

    return run_noise_study(runs, arguments)


def _report_metrics(folder: str, hardware: str | None) -> int:
    # Modules that need scipy are imported where they are used.
    from pytest_pareto.baseline.sources import load_recorded  # noqa: PLC0415 - see above
    from pytest_pareto.doctor.metric_study import examine_metrics  # noqa: PLC0415 - see above

    directory = find_baseline() if folder == _OWN_BASELINE else Path(folder)
    if directory is None:
        return EXIT_ERROR
    baseline = load_recorded(directory, hardware)
    report = examine_metrics(baseline, alpha=_ALPHA, correct=holm)
    write_lines(render_metrics(report, width=terminal_width()))
    return 0 if report.fronts else EXIT_ERROR
