"""The settings of a session: options and ini keys as frozen `Settings`, and its selected tests.

`read_settings` reads the command line and the ini file once, and `load_past` the baseline and the
anchor that they name. `Selection` is which tests the session runs: a case outside of it is not
missing. `probe_project` serves commands that run no tests.
"""

import argparse
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from pytest_pareto.baseline.sources import load_anchor
from pytest_pareto.baseline.store import load
from pytest_pareto.model.baseline import Past
from pytest_pareto.model.policy import (
    CONFIRMING_RUNS,
    Missing,
    Policy,
    SessionSpreads,
    TradeOffs,
)
from pytest_pareto.model.session_record import EVERYTHING, Asked
from pytest_pareto.plugin.command_line import (
    anchor_dir,
    baseline_dir,
    candidate_dir,
    confirm_count,
    is_auto,
    parse_fraction,
    read_choice,
    require_one_of,
    run_count,
    time_budget_s,
    timeout_s,
)
from pytest_pareto.plugin.report_files import report_paths
from pytest_pareto.runs.legs import Side

_UNSTORED = "old and new code are interleaved, and nothing stored is compared with or written"
_INCOMPATIBLE_OPTIONS = {
    "update": _UNSTORED,
    "baseline": f"{_UNSTORED}; leave one of them away",
    "anchor": f"{_UNSTORED}; to compare with a release, give its tag to --pareto-against",
    "candidate": f"{_UNSTORED}, so that there is nothing to accept; leave one of them away",
}


@dataclass(frozen=True, slots=True)
class AgainstOptions:
    """The options of an interleaved session: the old code, and how it is measured.

    ``blocks`` is the number of blocks that screen. ``fixed_confirm`` is whether the user gave the
    number of confirming blocks; otherwise the spread decides. ``links``, ``setup`` and
    ``test_folders`` are for projects whose code is more than what git holds, relative to the
    project's folder.
    """

    ref: str
    runs: int | None
    fixed_confirm: bool
    tests_of: Side
    links: tuple[str, ...]
    setup: str | None
    test_folders: tuple[str, ...]


def read_against(config: pytest.Config, *, fixed_confirm: bool) -> AgainstOptions | None:
    """Return the options of an interleaved session; None where no ref is given.

    Raises pytest.UsageError, naming the option or ini key, where a value cannot be used.
    """
    ref = config.getoption("--pareto-against")
    if ref is None:
        return None
    for name, why in _INCOMPATIBLE_OPTIONS.items():
        if config.getoption(f"--pareto-{name}"):
            raise pytest.UsageError(f"--pareto-{name} does not go with --pareto-against: {why}")
    if is_auto(config) and config.getoption("--pareto-runs"):
        raise pytest.UsageError(
            "--pareto-runs auto does not go with --pareto-against, where the spread decides how "
            "often what looks worse is measured again; give a number of runs, or none"
        )
    runs = None if is_auto(config) else run_count(config, updating=False)
    side = str(config.getini("pareto_against_tests")).strip()
    return AgainstOptions(
        ref,
        runs=runs,
        fixed_confirm=fixed_confirm,
        tests_of=Side(require_one_of("pareto_against_tests", side, ("candidate", "ref"))),
        links=tuple(config.getini("pareto_against_links")),
        setup=str(config.getini("pareto_against_setup")).strip() or None,
        test_folders=tuple(config.getini("pareto_against_test_folders")),
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """The options and ini values of a session. ``runs`` is None for one run, in this process.

    ``time_budget_s`` is set where the spread of the first ``runs`` decides how many more follow
    within that time. ``timeout_s`` is the time limit of a fresh process. ``report_paths`` are the
    report files, by kind.
    """

    baseline_dir: Path
    policy: Policy
    update: str | None = None
    runs: int | None = None
    time_budget_s: float | None = None
    timeout_s: float | None = None
    plot: bool = False
    against: AgainstOptions | None = None
    anchor_dir: Path | None = None
    candidate_dir: Path | None = None
    report_paths: Mapping[str, Path] = field(default_factory=dict)


def read_settings(config: pytest.Config) -> Settings:
    """Return the settings from options and ini values.

    Raises pytest.UsageError, naming the option or ini key, where a value cannot be used.
    """
    update = config.getoption("--pareto-update")
    if update is not None and _in_ci():
        raise pytest.UsageError(
            "--pareto-update is refused in CI (CI or BUILD_NUMBER is set): a baseline is "
            "accepted by a person. Update on the machine that measures and commit the result, "
            "or unset the variable if this is not CI."
        )
    confirm = confirm_count(config)
    return Settings(
        baseline_dir=baseline_dir(config),
        anchor_dir=anchor_dir(config),
        candidate_dir=candidate_dir(config),
        policy=_policy(config, update, CONFIRMING_RUNS if confirm is None else confirm),
        update=update,
        runs=run_count(config, updating=update is not None),
        time_budget_s=time_budget_s(config, updating=update is not None),
        timeout_s=timeout_s(config),
        plot=bool(config.getoption("--pareto-plot") or config.getini("pareto_plot")),
        against=read_against(config, fixed_confirm=confirm is not None),
        report_paths=report_paths(config),
    )


def _policy(config: pytest.Config, update: str | None, confirming: int) -> Policy:
    missing = read_choice(config, "missing", ("", "fail", "warn"))
    return Policy(
        # At 0 nothing noisy could ever fail.
        alpha=parse_fraction(
            "pareto_alpha", str(config.getini("pareto_alpha")), below=0.5, least=1e-6
        ),
        missing=Missing(missing) if missing else Missing.AUTO,
        fail_inconclusive=read_choice(config, "inconclusive", ("pass", "fail")) == "fail",
        fail_rules=read_choice(config, "rules", ("pass", "fail")) == "fail",
        trade_offs=TradeOffs(read_choice(config, "tradeoff", ("bounded", "pass", "fail"))),
        ci=_in_ci(),
        accepts_new=update in ("changed", "new", "all"),
        accepts_changes=update in ("changed", "all"),
        accepts_all=update == "all",
        spreads=_session_spreads(config),
        confirming=confirming,
    )


def _in_ci() -> bool:
    """Whether this is a CI job, by the environment variables that pytest itself reads."""
    return any(
        os.environ.get(name, "").lower() not in ("", "0", "false")
        for name in ("CI", "BUILD_NUMBER")
    )


def _session_spreads(config: pytest.Config) -> SessionSpreads:
    spreads = asdict(SessionSpreads())
    for line in config.getini("pareto_session_spread"):
        name, _, value = (part.strip() for part in line.partition("="))
        if name not in spreads:
            raise pytest.UsageError(
                f"ini option pareto_session_spread: {name!r} is not one of {', '.join(spreads)}"
            )
        spreads[name] = parse_fraction(f"pareto_session_spread {name}", value, below=1.0)
    return SessionSpreads(**spreads)


def load_past(settings: Settings, hardware_key: str) -> Past:
    """Load the baseline and the anchor of one kind of machine.

    Raises BaselineError where either cannot be used.
    """
    folder = settings.anchor_dir
    anchor = load_anchor(folder, hardware_key) if folder is not None else None
    return Past(load(settings.baseline_dir, hardware_key), anchor)


@dataclass(frozen=True, slots=True)
class Project:
    """The root of a project, to which node ids are relative, and the folder of its baseline."""

    root: Path
    baseline: Path


class _ProjectProbe:
    """A plugin that reads the project from pytest's configuration; no test is collected."""

    project: Project | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> int:
        self.project = Project(config.rootpath, baseline_dir(config))
        return 0


def probe_project() -> Project | None:
    """Return the project of the current folder as pytest determines it.

    None where pytest fails, with a message of its own. The project's conftest files and its
    addopts are not read.
    """
    probe = _ProjectProbe()
    addopts = os.environ.pop("PYTEST_ADDOPTS", None)  # those options are for test sessions
    try:
        pytest.main(["--noconftest", "--override-ini=addopts="], plugins=[probe])
    finally:
        if addopts is not None:
            os.environ["PYTEST_ADDOPTS"] = addopts
    return probe.project


def selecting_options(args: Sequence[str]) -> dict[str, list[str]]:
    """Return the arguments of pytest that select tests, each with its values ("" for none)."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("-k", "-m", "--deselect", "--ignore", "--ignore-glob"):
        parser.add_argument(name, action="append", dest=name)
    for name, *others in (("--lf", "--last-failed"), ("--sw", "--stepwise")):
        parser.add_argument(name, *others, action="append_const", const="", dest=name)
    for letter in "qvsxl":  # may stand before another letter, as in -qk
        parser.add_argument(f"-{letter}", action="count", dest="other")
    try:
        found = vars(parser.parse_known_args(list(args))[0])
    except argparse.ArgumentError:
        return {}
    return {name: values for name, values in found.items() if values and name != "other"}


def configured_selection(config: pytest.Config) -> str:
    """Return the options of the configuration that narrow the selection, "" for none.

    An option on the command line that selects tests too leaves unknown which of both has left a
    test out: then this is "" as well, and the session is called incomplete as by a user's own.
    """
    if selecting_options(config.invocation_params.args):
        return ""
    sources = {
        "addopts": config.getini("addopts"),
        "PYTEST_ADDOPTS": shlex.split(os.environ.get("PYTEST_ADDOPTS", "")),
    }
    texts = []
    for source, args in sources.items():
        options = selecting_options(args)
        listed = [
            f"{name} {shlex.quote(v) if v else ''}".rstrip()
            for name in options
            for v in options[name]
        ]
        if listed:
            texts.append(f"{source} ({' '.join(listed)})")
    return " and ".join(texts)


class Selection:
    """The tests that the command line selects: a case outside of them is not missing."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.deselected: set[str] = set()
        self.stopped: str | None = None
        self.skipped_modules: set[str] = set()

    @property
    def partial(self) -> str | None:
        """The reason why this session cannot detect missing cases, or None."""
        option = self._config.option
        if self.stopped is not None:
            return self.stopped
        if self.deselected:
            return f"{len(self.deselected)} deselected"
        if self.is_chosen_by_cache:
            return "--lf or --sw"
        if option.ignore or option.ignore_glob:
            return "--ignore"
        return None

    @property
    def is_chosen_by_cache(self) -> bool:
        """Whether the outcome of an earlier session selects the tests (``--lf``, ``--sw``)."""
        option = self._config.option
        return bool(getattr(option, "lf", False) or getattr(option, "stepwise", False))

    @property
    def asked(self) -> Asked:
        """The selection as the session's record keeps it."""
        return Asked(
            tuple(dict.fromkeys(self._covered())),
            self.partial,
            self.stopped,
            tuple(sorted(self.skipped_modules)),
            self._configured,
        )

    @property
    def _configured(self) -> str:
        """What of the configuration alone left tests out, or ""."""
        if self.partial is None or self.stopped is not None:
            return ""
        own = configured_selection(self._config)
        if own or selecting_options(self._config.invocation_params.args):
            return own
        return "a conftest or plugin" if self.deselected else ""

    def _covered(self) -> Iterator[str]:
        """Yield the files and folders that the arguments name as a whole, relative to the root."""
        base, root = self._config.invocation_params.dir, self._config.rootpath
        for argument in self._config.args:
            if "::" in argument:
                continue
            path = Path(os.path.normpath(Path(base, argument)))
            # Node ids contain paths as they were typed, or what these link to.
            for covered, top in ((path, root), (path.resolve(), root.resolve())):
                if top.is_relative_to(covered):
                    yield EVERYTHING
                elif covered.is_relative_to(top):
                    yield covered.relative_to(top).as_posix()
