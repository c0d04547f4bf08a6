"""What the user asked for, read once from the command line and the ini file."""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_pareto.model.policy import Missing, Policy, TradeOffs
from pytest_pareto.plugin import BASELINE_RUNS
from pytest_pareto.plugin.folders import anchor_dir, baseline_dir
from pytest_pareto.runs.legs import Side

AUTO = "auto"
PILOT_RUNS = 3
"""With ``--pareto-runs auto`` the spread of so many decides how many more there are."""

CONFIRMING_RUNS = 5

_SCREENING_RUNS = 4
"""Of each side, in two blocks: enough to suspect, not to convict."""


@dataclass(frozen=True, slots=True)
class Against:
    """With which old code, and how, the working tree takes turns.

    ``blocks`` are those that screen. ``confirm`` is fixed where the user gave it; else the
    spread decides. ``links``, ``setup`` and ``test_folders`` are for projects whose code is
    more than what git holds, relative to the project's folder.
    """

    ref: str
    blocks: int
    fixed_confirm: bool
    tests_of: Side
    links: tuple[str, ...]
    setup: str | None
    test_folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user asked for. ``runs`` is None for one run, in this process.

    ``time_budget_s`` is set where the spread of the first ``runs`` decides how many more there
    are, within that time. ``timeout_s`` is what a fresh process may take.
    ``confirm`` is in how many fresh processes suspects are measured again.
    """

    baseline_dir: Path
    policy: Policy
    update: str | None = None
    runs: int | None = None
    confirm: int = 0
    time_budget_s: float | None = None
    timeout_s: float | None = None
    plot: bool = False
    session_spreads: dict[str, float] = field(default_factory=dict)
    against: Against | None = None
    anchor_dir: Path | None = None


def read_settings(config: pytest.Config) -> Settings:
    """Read options and ini values.

    Raises pytest.UsageError, naming the option or ini key, where a value cannot be used.
    """
    update = config.getoption("--pareto-update")
    if update is not None and _in_ci():
        raise pytest.UsageError(
            "--pareto-update is refused in CI (CI or BUILD_NUMBER is set): a baseline is "
            "accepted by a person. Update on the machine that measures and commit the result, "
            "or unset the variable if this is not CI."
        )
    confirm = _confirm(config)
    missing = _choice(config, "missing", ("", "fail", "warn"))
    return Settings(
        baseline_dir=baseline_dir(config),
        anchor_dir=anchor_dir(config),
        policy=Policy(
            alpha=_fraction("pareto_alpha", str(config.getini("pareto_alpha")), below=0.5),
            missing=Missing(missing) if missing else Missing.AUTO,
            fail_inconclusive=_choice(config, "inconclusive", ("pass", "fail")) == "fail",
            trade_offs=TradeOffs(_choice(config, "tradeoff", ("bounded", "pass", "fail"))),
            ci=_in_ci(),
            accepts_new=update in ("changed", "new", "all"),
            accepts_changes=update in ("changed", "all"),
            accepts_all=update == "all",
        ),
        update=update,
        runs=_runs(config, updating=update is not None),
        confirm=CONFIRMING_RUNS if confirm is None else confirm,
        time_budget_s=_time_budget_s(config, updating=update is not None),
        timeout_s=timeout_s(config),
        plot=bool(config.getoption("--pareto-plot") or config.getini("pareto_plot")),
        session_spreads=_session_spreads(config),
        against=_against(config, fixed_confirm=confirm is not None, updating=update is not None),
    )


def _against(config: pytest.Config, *, fixed_confirm: bool, updating: bool) -> Against | None:
    ref = config.getoption("--pareto-against")
    if ref is None:
        return None
    if updating:
        raise pytest.UsageError(
            "--pareto-update does not go with --pareto-against: old and new code are measured in "
            "turn, and no baseline is compared with or written"
        )
    if config.getoption("--pareto-baseline") is not None:
        raise pytest.UsageError(
            "--pareto-baseline does not go with --pareto-against: no baseline is compared with; "
            "leave one of them away"
        )
    if config.getoption("--pareto-runs") == AUTO:
        raise pytest.UsageError(
            "--pareto-runs auto does not go with --pareto-against, where the spread decides how "
            "often what looks worse is measured again; give a number of runs, or none"
        )
    if config.getoption("--pareto-anchor"):
        raise pytest.UsageError(
            "--pareto-anchor does not go with --pareto-against: old and new code are measured in "
            "turn, and nothing stored is compared with; to compare with a release in turn, give "
            "its tag to --pareto-against"
        )
    side = str(config.getini("pareto_against_tests")).strip()
    if side not in ("candidate", "ref"):
        raise pytest.UsageError(
            f"ini option pareto_against_tests is {side!r}; it must be one of candidate, ref"
        )
    runs = None if _runs_text(config) == AUTO else _runs(config, updating=False)
    screening = runs or _SCREENING_RUNS
    return Against(
        ref,
        blocks=-(-screening // 2),
        fixed_confirm=fixed_confirm,
        tests_of=Side(side),
        links=tuple(config.getini("pareto_against_links")),
        setup=str(config.getini("pareto_against_setup")).strip() or None,
        test_folders=tuple(config.getini("pareto_against_test_folders")),
    )


def _in_ci() -> bool:
    """Whether this is a CI job, by the variables that pytest itself looks at."""
    return any(
        os.environ.get(name, "").lower() not in ("", "0", "false")
        for name in ("CI", "BUILD_NUMBER")
    )


def _choice(config: pytest.Config, name: str, allowed: tuple[str, ...]) -> str:
    given = config.getoption(f"--pareto-{name}")
    value = str(given if given is not None else config.getini(f"pareto_{name}")).strip()
    if value not in allowed:
        wanted = ", ".join(word for word in allowed if word)
        raise pytest.UsageError(
            f"ini option pareto_{name} is {value!r}; it must be one of {wanted}"
        )
    return value


def _runs_text(config: pytest.Config) -> str:
    given = config.getoption("--pareto-runs")
    return str(given if given is not None else config.getini("pareto_runs")).strip()


def _runs(config: pytest.Config, *, updating: bool) -> int | None:
    text = _runs_text(config)
    if text == AUTO:
        return BASELINE_RUNS if updating else PILOT_RUNS
    if not text:
        return BASELINE_RUNS if updating else None
    if not text.isdecimal() or int(text) < 1:
        raise pytest.UsageError(
            f"--pareto-runs is {text!r}; it takes a whole number from 1 on, or auto"
        )
    return int(text)


def _time_budget_s(config: pytest.Config, *, updating: bool) -> float | None:
    seconds = _seconds(config, "pareto_time_budget")
    return seconds if _runs_text(config) == AUTO and not updating else None


def timeout_s(config: pytest.Config) -> float | None:
    """Return what a fresh process may take, or None for as long as it likes."""
    return _seconds(config, "pareto_timeout") if str(config.getini("pareto_timeout")) else None


def _seconds(config: pytest.Config, name: str) -> float:
    text = str(config.getini(name))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise pytest.UsageError(f"ini option {name} is {text!r}; it takes seconds, such as 600")
    return seconds


def _confirm(config: pytest.Config) -> int | None:
    """Return in how many processes to confirm; None where the user did not say."""
    given = config.getoption("--pareto-confirm")
    text = str(given if given is not None else config.getini("pareto_confirm")).strip()
    if not text:
        return None
    if not text.isdecimal():
        raise pytest.UsageError(
            f"--pareto-confirm is {text!r}; it takes a whole number of fresh processes, and 0 to "
            "judge by this session's own runs"
        )
    return int(text)


def _session_spreads(config: pytest.Config) -> dict[str, float]:
    spreads = {"host": 0.04, "host_adjusted": 0.015, "gpu": 0.0005, "gpu_other_board": 0.0015}
    for line in config.getini("pareto_session_spread"):
        name, _, value = (part.strip() for part in line.partition("="))
        if name not in spreads:
            raise pytest.UsageError(
                f"ini option pareto_session_spread: {name!r} is not one of {', '.join(spreads)}"
            )
        spreads[name] = _fraction(f"pareto_session_spread {name}", value, below=1.0)
    return spreads


def _fraction(name: str, text: str, *, below: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < below:
        raise pytest.UsageError(
            f"ini option {name} is {text!r}; a number from 0 to {below} is needed"
        )
    return value
