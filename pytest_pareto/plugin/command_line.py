"""The command-line options and ini keys of pytest-pareto, and how each is read.

`add_options` declares them. The functions below read one value each: the option where it is given,
else the ini key. Every pytest run on the machine imports this module: keep it light.
"""

import math
import os
from argparse import SUPPRESS, ArgumentTypeError
from pathlib import Path
from typing import NamedTuple

import pytest

UPDATE_MODES = ("changed", "new", "runs", "all")


class ReportKind(NamedTuple):
    """A report that is a file: its help, its function, and how its text begins.

    ``render`` is ``module:function``, from a `SessionReport` to text. A file at the report's path
    that begins otherwise is the user's, and is not replaced.
    """

    help: str
    render: str
    beginning: str


REPORTS = {
    "html": ReportKind(
        "write what the session found as one HTML page: fronts to explore, tables, reasons",
        "pytest_pareto.plugin.report_files:render_html",
        "<!doctype html>",
    ),
    "json": ReportKind(
        "write all that was found and measured to a JSON file, which `pytest-pareto compare` "
        "reads too",
        "pytest_pareto.results.writer:render_json",
        '{\n  "format": "pytest-pareto',
    ),
    "markdown": ReportKind(
        "write what a pull request shows: what changed, and what to do (at most 60 kB)",
        "pytest_pareto.report.markdown:render_markdown",
        "## pareto: ",
    ),
    "openmetrics": ReportKind(
        "write levels and verdicts as OpenMetrics text, such as GitLab compares",
        "pytest_pareto.report.openmetrics:render_openmetrics",
        "# TYPE pareto_",
    ),
}
"""The reports that are files, by the name of option and ini key."""
BASELINE_RUNS = 5
"""The default number of fresh processes that record a baseline."""
AUTO = "auto"
PILOT_RUNS = 3
"""The first runs of ``--pareto-runs auto``, whose spread decides how many more follow."""


def add_options(parser: pytest.Parser) -> None:
    """Add the command-line options, and an ini key for each that a project may want to fix."""
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
        "--pareto-anchor",
        metavar="DIR",
        help="a copy of the baseline, frozen at the last release, to compare with too: small "
        "changes that add up fail; never written, and an empty DIR is none",
    )
    add(
        "--pareto-candidate",
        metavar="DIR",
        help="where a session that writes no baseline leaves what `pytest-pareto accept` copies "
        "in (.pareto_candidate); an empty DIR is none",
    )
    add(
        "--pareto-runs",
        metavar="N",
        help="measure in N fresh processes, instead of once in this one; auto takes as many as "
        "the spread asks for, within pareto_time_budget",
    )
    add(
        "--pareto-confirm",
        metavar="N",
        help="measure again in up to N fresh processes what looks worse, before it is called so "
        "(5), in fewer where they are nearly sure to confirm it; 0 judges by the session's own "
        "runs, and says that this is unconfirmed",
    )
    add(
        "--pareto-against",
        metavar="REF",
        help="compare with the code of a git ref instead of a baseline, an interleaved A/B test in "
        "fresh processes; nothing is written",
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
    add(
        "--pareto-rules",
        choices=("pass", "fail"),
        help="what to do where rules were loosened since the baseline was recorded (pass); they "
        "are reported in any case",
    )
    add(
        "--pareto-trace",
        metavar="DIR",
        help="write a trace of one call of each failing case to DIR, in Chrome's format, which "
        "ui.perfetto.dev opens; of both sides with --pareto-against",
    )
    add("--pareto-plot", action="store_true", help="draw the fronts in the terminal")
    for name, kind in REPORTS.items():
        add(f"--pareto-{name}", metavar="PATH", help=kind.help)
    add("--pareto-child", metavar="FILE", help=SUPPRESS)
    add("--pareto-noise", metavar="N", type=int, help=SUPPRESS)
    add_ini(parser)


def _update_mode(text: str) -> str:
    if text not in UPDATE_MODES:
        raise ArgumentTypeError(
            f"{text!r} is not one of {', '.join(UPDATE_MODES)}; put tests before --pareto-update, "
            "or write --pareto-update=changed"
        )
    return text


def add_ini(parser: pytest.Parser) -> None:
    """Add the ini keys."""
    add = parser.addini
    add("pareto_baseline", "folder of the baseline", default="pareto_baselines")
    add("pareto_anchor", "folder of the anchor, a frozen baseline", default="")
    add("pareto_candidate", "folder of the candidate", default=".pareto_candidate")
    add("pareto_runs", "fresh processes of a session", default="")
    add("pareto_timeout", "seconds that one fresh process may take (no limit)", default="")
    add("pareto_time_budget", "seconds that --pareto-runs auto may take (600)", default="600")
    add("pareto_confirm", "most fresh processes that confirm what looks worse (5)", default="")
    add(
        "pareto_against_tests",
        "of --pareto-against: whose tests measure both, candidate (default) or ref",
        default="candidate",
    )
    add(
        "pareto_against_links",
        "of --pareto-against: untracked files and folders, a line each, that the old code needs",
        type="linelist",
        default=[],
    )
    add(
        "pareto_against_setup",
        "of --pareto-against: a shell command that builds a leg in place, run in each",
        default="",
    )
    add(
        "pareto_against_test_folders",
        "of --pareto-against: folders of tests, a line each, whose names do not say so",
        type="linelist",
        default=[],
    )
    add("pareto_missing", "fail or warn", default="")
    add("pareto_inconclusive", "pass or fail", default="pass")
    add("pareto_tradeoff", "bounded, pass or fail", default="bounded")
    add("pareto_rules", "pass or fail", default="pass")
    add("pareto_plot", "draw the fronts", type="bool", default=False)
    add(
        "pareto_outputs_mb",
        "megabytes of accepted outputs that are kept in .pareto_outputs, and of a running "
        "session's in the temp folder (256; 0 for none)",
        default="256",
    )
    add(
        "pareto_artifacts",
        "folder of the worst samples' pictures, before and now (pareto_artifacts)",
        default="pareto_artifacts",
    )
    for name, kind in REPORTS.items():
        add(f"pareto_{name}", kind.help, default="")
    add("pareto_alpha", "chance of failing an unharmed build (0.05)", default="0.05")
    add(
        "pareto_session_spread",
        "assumed spread between sessions, a line each: 'host = 0.04', 'host_other_board = 0.1', "
        "'host_adjusted = 0.015', 'gpu = 0.001', 'gpu_other_board = 0.002', 'energy = 0.005', "
        "'energy_other_board = 0.01', 'dynamic_energy = 0.01', 'dynamic_energy_other_board = 0.02' "
        "(fractions)",
        type="linelist",
        default=[],
    )


def read_option(config: pytest.Config, name: str) -> str:
    """Return the text of ``--pareto-NAME``, else of the ini option ``pareto_NAME``."""
    option = config.getoption(f"--pareto-{name}")
    return str(option if option is not None else config.getini(f"pareto_{name}")).strip()


def read_choice(config: pytest.Config, name: str, allowed: tuple[str, ...]) -> str:
    """Return the value of an option that takes one of the ``allowed`` words.

    Raises pytest.UsageError, naming the option, for any other value.
    """
    return require_one_of(f"pareto_{name}", read_option(config, name), allowed)


def require_one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return ``value``; raise pytest.UsageError where it is not one of the ``allowed`` words."""
    if value not in allowed:
        wanted = ", ".join(word for word in allowed if word)
        raise pytest.UsageError(f"ini option {name} is {value!r}; it must be one of {wanted}")
    return value


def read_seconds(config: pytest.Config, name: str) -> float:
    """Return the seconds of an ini option: greater than 0, and finite.

    Raises pytest.UsageError, naming the option, for any other value.
    """
    text = str(config.getini(name))
    value = _number(text)
    if not 0 < value < math.inf:
        raise pytest.UsageError(f"ini option {name} is {text!r}; it takes seconds, such as 600")
    return value


def read_megabytes_b(config: pytest.Config, name: str) -> int:
    """Return the bytes of an ini option that takes megabytes, 0 or more.

    Raises pytest.UsageError, naming the option, for any other value.
    """
    text = str(config.getini(name))
    value = _number(text)
    if not 0 <= value < math.inf:
        raise pytest.UsageError(f"ini option {name} is {text!r}; it takes megabytes, such as 256")
    return int(value * 1e6)


def parse_fraction(name: str, text: str, *, below: float, least: float = 0) -> float:
    """Return the number in ``text``: from ``least`` on, and less than ``below``.

    Raises pytest.UsageError, naming the ini option, for any other text.
    """
    value = _number(text)
    if not least <= value < below:
        raise pytest.UsageError(
            f"ini option {name} is {text!r}; a number from {least:g} to {below:g} is needed"
        )
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


def is_auto(config: pytest.Config) -> bool:
    """Whether the spread of the first runs decides how many there are."""
    return read_option(config, "runs") == AUTO


def run_count(config: pytest.Config, *, updating: bool) -> int | None:
    """Return the number of fresh processes that measure; None for one run in this process.

    Raises pytest.UsageError where the option is not a whole number from 1 on, or auto.
    """
    text = read_option(config, "runs")
    if text == AUTO:
        return BASELINE_RUNS if updating else PILOT_RUNS
    if not text:
        return BASELINE_RUNS if updating else None
    if not text.isdecimal() or int(text) < 1:
        raise pytest.UsageError(
            f"--pareto-runs is {text!r}; it takes a whole number from 1 on, or auto"
        )
    return int(text)


def confirm_count(config: pytest.Config) -> int | None:
    """Return the number of processes that confirm; None where it is not given.

    Raises pytest.UsageError where the option is not a whole number.
    """
    text = read_option(config, "confirm")
    if not text:
        return None
    if not text.isdecimal():
        raise pytest.UsageError(
            f"--pareto-confirm is {text!r}; it takes a whole number of fresh processes, and 0 to "
            "judge by this session's own runs"
        )
    return int(text)


def time_budget_s(config: pytest.Config, *, updating: bool) -> float | None:
    """Return the time limit of ``--pareto-runs auto``; None where the number of runs is fixed."""
    budget_s = read_seconds(config, "pareto_time_budget")
    return budget_s if is_auto(config) and not updating else None


def timeout_s(config: pytest.Config) -> float | None:
    """Return the time limit of one fresh process; None for no limit."""
    return read_seconds(config, "pareto_timeout") if str(config.getini("pareto_timeout")) else None


def baseline_dir(config: pytest.Config) -> Path:
    """Return the folder of the baseline; it need not exist."""
    folder = _folder(config, "baseline")
    assert folder is not None  # the ini option has a default
    return folder


def project_baseline_dir(config: pytest.Config) -> Path:
    """Return the folder of the baseline that the ini file names."""
    return Path(config.rootpath, str(config.getini("pareto_baseline")).strip())


def anchor_dir(config: pytest.Config) -> Path | None:
    """Return the folder of the anchor, or None where none is configured.

    Raises pytest.UsageError where one of anchor and baseline lies in the other: updates would
    write the anchor.
    """
    folder = _folder(config, "anchor")
    if folder is None:
        return None
    frozen, rolling = _resolved(folder), _resolved(baseline_dir(config))
    if _are_nested(frozen, rolling):
        raise pytest.UsageError(
            f"the anchor {folder.as_posix()} and the baseline {rolling.as_posix()} lie in one "
            "another, so that updates would write the anchor: give it a folder of its own, with a "
            "copy of the baseline"
        )
    return folder


def _resolved(folder: Path) -> Path:
    """Return a folder without links; of a link to itself the link, which is refused later."""
    return Path(os.path.realpath(folder))


def candidate_dir(config: pytest.Config) -> Path | None:
    """Return the folder in which a session leaves its candidate; None where it leaves none.

    Raises pytest.UsageError where replacing the candidate would remove something else.
    """
    folder = _folder(config, "candidate")
    if folder is None:
        return None
    from pytest_pareto.baseline.candidate import SESSION, is_candidate_folder

    session_folder = _resolved(folder / SESSION)
    protected = {"baseline": baseline_dir(config), "anchor": _folder(config, "anchor")}
    for what, other in protected.items():
        if other is not None and _are_nested(session_folder, _resolved(other)):
            raise pytest.UsageError(
                f"the candidate {folder.as_posix()} and the {what} {other.as_posix()} lie in one "
                "another, and each session replaces the candidate: give it a folder of its own"
            )
    if not is_candidate_folder(folder):
        raise pytest.UsageError(
            f"--pareto-candidate: {folder.as_posix()} holds something else, and each session "
            "replaces the candidate; name a folder that is empty or not there"
        )
    return folder


def _are_nested(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _folder(config: pytest.Config, name: str) -> Path | None:
    """Return the folder of an option, else of the ini key; an empty one is None.

    The option is relative to the folder where pytest was started, the ini key to the root. The
    baseline is never None.
    """
    option = config.getoption(f"--pareto-{name}")
    if option is not None:
        return Path(config.invocation_params.dir, option) if option or name == "baseline" else None
    ini = str(config.getini(f"pareto_{name}")).strip()
    return Path(config.rootpath, ini) if ini or name == "baseline" else None
