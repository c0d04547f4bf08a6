"""What pytest-pareto offers: its options, and the ini keys that fix them for a project.

Read by every pytest run on the machine, as the plugin itself: keep it light.
"""

from argparse import SUPPRESS, ArgumentTypeError

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
