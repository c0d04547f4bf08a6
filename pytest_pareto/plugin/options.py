"""The command line and its ini twins. Imported by every pytest run: keep it light."""

import os
from argparse import SUPPRESS, ArgumentTypeError

import pytest

UPDATE_MODES = ("changed", "new", "runs", "all")
BASELINE_RUNS = 5
"""How many fresh processes record a baseline unless told otherwise."""


def add_options(parser: pytest.Parser) -> None:
    """Add every option, each with its ini twin where a project may want to fix it."""
    group = parser.getgroup("pareto", "performance and quality against a baseline (pytest-pareto)")
    add = group.addoption
    add("--pareto", action="store_true", help="measure, compare with the baseline, and judge")
    add(
        "--pareto-update",
        nargs="?",
        const="changed",
        type=_update_mode,
        metavar="WHAT",
        help="write the baseline after judging: changed (default; also what is new), new, "
        "runs (one more session of what did not change) or all (and prune after a complete "
        f"green run); takes {BASELINE_RUNS} runs unless --pareto-runs says otherwise",
    )
    add("--pareto-baseline", metavar="DIR", help="where the baseline is (pareto_baselines)")
    add(
        "--pareto-runs",
        metavar="N",
        help="measure in N fresh processes, instead of once in this one",
    )
    add(
        "--pareto-missing",
        choices=("fail", "warn"),
        help="what to do where the baseline or the measurement is missing; unset, what "
        "vanished fails, and what was never recorded here fails in CI",
    )
    add(
        "--pareto-inconclusive",
        choices=("pass", "fail"),
        help="what to do with cases that could not be decided (pass)",
    )
    add(
        "--pareto-tradeoff",
        choices=("bounded", "pass", "fail"),
        help="what to do where one metric was given up for another (bounded)",
    )
    add("--pareto-plot", action="store_true", help="draw the fronts in the terminal")
    add("--pareto-child", metavar="FILE", help=SUPPRESS)
    _add_ini(parser)


def _update_mode(text: str) -> str:
    if text not in UPDATE_MODES:
        raise ArgumentTypeError(
            f"{text!r} is not one of {', '.join(UPDATE_MODES)}; put tests before --pareto-update, "
            "or write --pareto-update=changed"
        )
    return text


def _add_ini(parser: pytest.Parser) -> None:
    parser.addini("pareto_baseline", "folder of the baseline", default="pareto_baselines")
    parser.addini("pareto_runs", "fresh processes of a session", default="")
    parser.addini("pareto_missing", "fail or warn", default="")
    parser.addini("pareto_inconclusive", "pass or fail", default="pass")
    parser.addini("pareto_tradeoff", "bounded, pass or fail", default="bounded")
    parser.addini("pareto_plot", "draw the fronts", type="bool", default=False)
    parser.addini("pareto_alpha", "chance of failing an unharmed build", default="0.05")
    parser.addini(
        "pareto_session_spread",
        "assumed spread between sessions, a line each: 'host = 0.04', 'gpu = 0.0005', "
        "'gpu_other_board = 0.0015' (fractions)",
        type="linelist",
        default=[],
    )


def is_active(config: pytest.Config) -> bool:
    """Whether this session measures and judges."""
    return bool(config.getoption("--pareto"))


def is_child(config: pytest.Config) -> bool:
    """Whether this process is a run that another session started."""
    return config.getoption("--pareto-child") is not None


def in_ci() -> bool:
    """Whether this is a CI job, by the variables that pytest itself looks at."""
    return any(
        os.environ.get(name, "").lower() not in ("", "0", "false")
        for name in ("CI", "BUILD_NUMBER")
    )


def refuse_orphans(config: pytest.Config) -> None:
    """Say that an option without ``--pareto`` does nothing, rather than do nothing."""
    given = [
        f"--pareto-{name}"
        for name in ("update", "baseline", "runs", "missing", "inconclusive", "tradeoff", "plot")
        if config.getoption(f"pareto_{name}")
    ]
    if given:
        raise pytest.UsageError(f"{', '.join(given)} has no effect without --pareto; add --pareto")


def refuse_companions(config: pytest.Config) -> None:
    """Refuse pytest-xdist, whose tests would measure each other, and stepwise.

    A failed gate is known after the last test, and stepwise would go on behind it.
    """
    option = config.option
    if getattr(option, "stepwise", False):
        raise pytest.UsageError(
            "--pareto does not work with --stepwise: what fails is known after the last test. "
            "Use --lf to run again what failed."
        )
    workers = getattr(option, "numprocesses", None)
    if workers not in (None, 0) or getattr(option, "tx", None):
        raise pytest.UsageError(
            "--pareto does not work with pytest-xdist yet: tests that run side by side would "
            "measure each other. Add -n0 (or -p no:xdist) for the run with --pareto."
        )
