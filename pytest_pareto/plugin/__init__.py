"""The pytest edge. This module is imported by every pytest run on the machine: keep it light.

It knows the options, the marker, the hook and the fixture, and stands alone, since each further
module would cost every run about half a millisecond; all else is imported when ``--pareto`` is
given, or when a test asks for the fixture.
"""

from argparse import SUPPRESS, ArgumentTypeError
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pareto.measure.meter import Meter
    from pytest_pareto.plugin.fixture import Pareto

MARKER = (
    "pareto(*, front=None, tolerance={metric: limit}, budget={metric: '<= 0.5 s'}, "
    "give_up={metric: bound}, rounds=None, warmup=None, skip_metrics=(), work_only=False, "
    "gate=True): how pytest-pareto measures and judges this test."
)
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


def pytest_addoption(parser: pytest.Parser) -> None:
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
    _add_ini(parser)


def _update_mode(text: str) -> str:
    if text not in UPDATE_MODES:
        raise ArgumentTypeError(
            f"{text!r} is not one of {', '.join(UPDATE_MODES)}; put tests before --pareto-update, "
            "or write --pareto-update=changed"
        )
    return text


def _add_ini(parser: pytest.Parser) -> None:
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


class _Hooks:
    """The hook that pytest-pareto offers."""

    @pytest.hookspec
    def pytest_pareto_meters(  # type: ignore[empty-body]  # a specification has none
        self, config: pytest.Config
    ) -> "Sequence[Meter]":
        """Return further meters for this session, beside those built in.

        Called once per process, when its session starts. Each meter has a pass of its own, in
        the order in which they are returned. A metric that a built-in meter measures as well
        is replaced: it comes from the returned meter alone. Two returned meters of one metric
        are an error. `pytest_pareto.testing.check_meter` tests a meter of your own.
        """


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hook by which other packages add meters."""
    pluginmanager.add_hookspecs(_Hooks)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Refuse what cannot work, and make a fresh process of ours quiet, before all else."""
    if _is_child(config):
        from pytest_pareto.plugin.child import neutralise

        neutralise(config)
    elif _is_active(config) or _is_noise(config):
        from pytest_pareto.plugin.companions import refuse_companions

        refuse_companions(config)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and under ``--pareto`` (or for the doctor) the rest of the plugin."""
    config.addinivalue_line("markers", MARKER)
    if _is_child(config):
        from pytest_pareto.plugin.child import register_child

        register_child(config)
    elif _is_noise(config):
        from pytest_pareto.plugin.noise import register_noise

        register_noise(config)
    elif _is_active(config):
        from pytest_pareto.plugin.session import register_session

        register_session(config)
    else:
        _refuse_orphans(config)


@pytest.fixture
def pareto(request: pytest.FixtureRequest) -> "Pareto":
    """Measure calls and record scores: ``pareto.measure(fn, ...)``, ``pareto.record(...)``.

    Without ``--pareto`` a measured function is called once and nothing is kept.
    """
    from pytest_pareto.plugin.recording import open_recorder

    return open_recorder(request)


def _is_active(config: pytest.Config) -> bool:
    """Whether this session measures and judges."""
    return bool(config.getoption("--pareto"))


def _is_child(config: pytest.Config) -> bool:
    """Whether this process is a run that another session started."""
    return config.getoption("--pareto-child") is not None


def _is_noise(config: pytest.Config) -> bool:
    """Whether `pytest-pareto doctor --noise` asked for this session."""
    return config.getoption("--pareto-noise") is not None


def _refuse_orphans(config: pytest.Config) -> None:
    """Say that an option without ``--pareto`` does nothing, rather than do nothing."""
    names = (
        "update", "baseline", "anchor", "candidate", "runs", "confirm", "against", "missing",
        "inconclusive", "tradeoff", "plot", *REPORTS,
    )  # fmt: skip
    given = [f"--pareto-{name}" for name in names if config.getoption(f"pareto_{name}")]
    if given:
        raise pytest.UsageError(f"{', '.join(given)} has no effect without --pareto; add --pareto")
