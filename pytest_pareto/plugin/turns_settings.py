"""What ``--pareto-against`` asks for."""

from dataclasses import dataclass

import pytest

from pytest_pareto.model.policy import PER_BLOCK, SCREENING_BLOCKS
from pytest_pareto.plugin.counts import asks_for_auto, run_count
from pytest_pareto.plugin.values import one_of
from pytest_pareto.runs.legs import Side

_STORED = "old and new code are measured in turn, and nothing stored is compared with or written"
_EXCLUDED = {
    "update": _STORED,
    "baseline": f"{_STORED}; leave one of them away",
    "anchor": f"{_STORED}; to compare with a release in turn, give its tag to --pareto-against",
    "candidate": f"{_STORED}, so that there is nothing to accept; leave one of them away",
}


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


def read_against(config: pytest.Config, *, fixed_confirm: bool) -> Against | None:
    """Read options and ini values; None where no ref is given.

    Raises pytest.UsageError, naming the option or ini key, where a value cannot be used.
    """
    ref = config.getoption("--pareto-against")
    if ref is None:
        return None
    for name, why in _EXCLUDED.items():
        if config.getoption(f"--pareto-{name}"):
            raise pytest.UsageError(f"--pareto-{name} does not go with --pareto-against: {why}")
    if asks_for_auto(config) and config.getoption("--pareto-runs"):
        raise pytest.UsageError(
            "--pareto-runs auto does not go with --pareto-against, where the spread decides how "
            "often what looks worse is measured again; give a number of runs, or none"
        )
    runs = None if asks_for_auto(config) else run_count(config, updating=False)
    side = str(config.getini("pareto_against_tests")).strip()
    return Against(
        ref,
        blocks=SCREENING_BLOCKS if runs is None else -(-runs // PER_BLOCK),
        fixed_confirm=fixed_confirm,
        tests_of=Side(one_of("pareto_against_tests", side, ("candidate", "ref"))),
        links=tuple(config.getini("pareto_against_links")),
        setup=str(config.getini("pareto_against_setup")).strip() or None,
        test_folders=tuple(config.getini("pareto_against_test_folders")),
    )
