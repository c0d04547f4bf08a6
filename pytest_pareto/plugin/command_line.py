"""What pytest-pareto offers: its options, and the ini keys that fix them for a project.

Read by every pytest run on the machine, as the plugin itself: keep it light.

How one value is read: the option where it is given, else the ini file.

How often to measure, and for how long.

Where the baseline is, and the anchor beside it.
"""

import math
from argparse import SUPPRESS, ArgumentTypeError
from pathlib import Path

import pytest

UPDATE_MODES = ("changed", "new", "runs", "all")
REPORTS = {
    "html": "write what the session found as one HTML page: fronts to explore, tables, reasons",
    "json": "write all that was found and measured to a JSON file, which `pytest-pareto compare` "
    "reads too",
    "markdown": "write what a pull request shows: what changed, and what to do (at most 60 kB)",
    "openmetrics": "write levels and verdicts as OpenMetrics text, such as GitLab compares",
}
"""The reports that are files: by option and ini key, what each is."""
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
        help="measure again in N fresh processes what looks worse, before it is called so (5); "
        "0 judges by the session's own runs, and says that this is unconfirmed",
    )
    add(
        "--pareto-against",
        metavar="REF",
        help="compare with the code of a git ref instead of a baseline, both measured in turn in "
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
    add("--pareto-plot", action="store_true", help="draw the fronts in the terminal")
    for kind, what in REPORTS.items():
        add(f"--pareto-{kind}", metavar="PATH", help=what)
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
    """Add every key of the ini file."""
    add = parser.addini
    add("pareto_baseline", "folder of the baseline", default="pareto_baselines")
    add("pareto_anchor", "folder of the anchor, a frozen baseline", default="")
    add("pareto_candidate", "folder of the candidate", default=".pareto_candidate")
    add("pareto_runs", "fresh processes of a session", default="")
    add("pareto_timeout", "seconds that one fresh process may take (no limit)", default="")
    add("pareto_time_budget", "seconds that --pareto-runs auto may take (600)", default="600")
    add("pareto_confirm", "fresh processes that confirm what looks worse (5)", default="")
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
    for kind, what in REPORTS.items():
        add(f"pareto_{kind}", what, default="")
    add("pareto_alpha", "chance of failing an unharmed build (0.05)", default="0.05")
    add(
        "pareto_session_spread",
        "assumed spread between sessions, a line each: 'host = 0.04', 'host_adjusted = 0.015', "
        "'gpu = 0.0005', 'gpu_other_board = 0.0015' (fractions)",
        type="linelist",
        default=[],
    )


def given(config: pytest.Config, name: str) -> str:
    """Return what ``--pareto-NAME`` says, else the ini option ``pareto_NAME``."""
    option = config.getoption(f"--pareto-{name}")
    return str(option if option is not None else config.getini(f"pareto_{name}")).strip()


def choice(config: pytest.Config, name: str, allowed: tuple[str, ...]) -> str:
    """Return one of the ``allowed`` words.

    Raises pytest.UsageError, naming the option, where it is none of them.
    """
    return one_of(f"pareto_{name}", given(config, name), allowed)


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return ``value``, which has to be one of the ``allowed`` words."""
    if value not in allowed:
        wanted = ", ".join(word for word in allowed if word)
        raise pytest.UsageError(f"ini option {name} is {value!r}; it must be one of {wanted}")
    return value


def seconds(config: pytest.Config, name: str) -> float:
    """Return seconds, more than 0 and finite, from an ini option.

    Raises pytest.UsageError, naming it, where that is no such number.
    """
    text = str(config.getini(name))
    value = _number(text)
    if not 0 < value < math.inf:
        raise pytest.UsageError(f"ini option {name} is {text!r}; it takes seconds, such as 600")
    return value


def megabytes(config: pytest.Config, name: str) -> int:
    """Return bytes from an ini option that takes megabytes, 0 or more.

    Raises pytest.UsageError, naming it, where that is no such number.
    """
    text = str(config.getini(name))
    value = _number(text)
    if not 0 <= value < math.inf:
        raise pytest.UsageError(f"ini option {name} is {text!r}; it takes megabytes, such as 256")
    return int(value * 1e6)


def fraction(name: str, text: str, *, below: float) -> float:
    """Return a number from 0 to ``below``.

    Raises pytest.UsageError, naming the ini option, where that is no such number.
    """
    value = _number(text)
    if not 0 <= value < below:
        raise pytest.UsageError(
            f"ini option {name} is {text!r}; a number from 0 to {below} is needed"
        )
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


AUTO = "auto"
PILOT_RUNS = 3
"""With ``--pareto-runs auto`` the spread of so many decides how many more there are."""

CONFIRMING_RUNS = 5


def asks_for_auto(config: pytest.Config) -> bool:
    """Whether the spread of the first runs decides how many there are."""
    return given(config, "runs") == AUTO


def run_count(config: pytest.Config, *, updating: bool) -> int | None:
    """Return in how many fresh processes to measure; None for once, in this one.

    Raises pytest.UsageError where the option is no such number.
    """
    text = given(config, "runs")
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
    """Return in how many processes to confirm; None where the user did not say.

    Raises pytest.UsageError where the option is no such number.
    """
    text = given(config, "confirm")
    if not text:
        return None
    if not text.isdecimal():
        raise pytest.UsageError(
            f"--pareto-confirm is {text!r}; it takes a whole number of fresh processes, and 0 to "
            "judge by this session's own runs"
        )
    return int(text)


def time_budget_s(config: pytest.Config, *, updating: bool) -> float | None:
    """Return what ``auto`` may take; None where the number of runs is fixed."""
    budget_s = seconds(config, "pareto_time_budget")
    return budget_s if asks_for_auto(config) and not updating else None


def timeout_s(config: pytest.Config) -> float | None:
    """Return what a fresh process may take, or None for as long as it likes."""
    return seconds(config, "pareto_timeout") if str(config.getini("pareto_timeout")) else None


def baseline_dir(config: pytest.Config) -> Path:
    """Return the folder of the baseline; it need not exist."""
    folder = _folder(config, "baseline")
    assert folder is not None  # the ini option has a default
    return folder


def own_dir(config: pytest.Config) -> Path:
    """Return the folder of the baseline that the project itself names."""
    return Path(config.rootpath, str(config.getini("pareto_baseline")).strip())


def anchor_dir(config: pytest.Config) -> Path | None:
    """Return the folder of the anchor, or None where none is asked for.

    Raises pytest.UsageError where it and the baseline lie in one another: updates would write it.
    """
    folder = _folder(config, "anchor")
    if folder is None:
        return None
    frozen, rolling = folder.resolve(), baseline_dir(config).resolve()
    if _in_one_another(frozen, rolling):
        raise pytest.UsageError(
            f"the anchor {folder.as_posix()} and the baseline {rolling.as_posix()} lie in one "
            "another, so that updates would write the anchor: give it a folder of its own, with a "
            "copy of the baseline"
        )
    return folder


def candidate_dir(config: pytest.Config) -> Path | None:
    """Return the folder in which a session leaves its candidate, or None where it leaves none.

    Raises pytest.UsageError where replacing it would remove something else.
    """
    folder = _folder(config, "candidate")
    if folder is None:
        return None
    from pytest_pareto.baseline.candidate import SESSION, is_candidate_folder

    ours = (folder / SESSION).resolve()
    kept = {"baseline": baseline_dir(config), "anchor": _folder(config, "anchor")}
    for what, other in kept.items():
        if other is not None and _in_one_another(ours, other.resolve()):
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


def _in_one_another(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _folder(config: pytest.Config, name: str) -> Path | None:
    """Return a folder given as an option, else as an ini value; an empty one is none."""
    given = config.getoption(f"--pareto-{name}")
    if given is not None:
        return Path(config.invocation_params.dir, given) if given or name == "baseline" else None
    ini = str(config.getini(f"pareto_{name}")).strip()
    return Path(config.rootpath, ini) if ini or name == "baseline" else None
