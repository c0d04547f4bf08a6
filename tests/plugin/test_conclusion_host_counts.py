"""Sessions in which the host works more, or takes longer for the same work."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Session

PROJECT = """
import json, pathlib
import pytest

WORLD = json.loads(pathlib.Path(__file__).with_name("world.json").read_text())

def layer():
    pass

def function(sleep):
    for _ in range(WORLD["layers"]):
        layer()
    sleep(WORLD["seconds"])

@pytest.mark.pareto(rounds=3, warmup=1)
def test_it(pareto, sleep):
    pareto.measure(function, sleep)

@pytest.mark.pareto(rounds=3, warmup=1, tolerance={"python_calls": 0.0})
def test_gated(pareto, sleep):
    pareto.measure(function, sleep)
"""


def write(path: Path, clock: str, *, layers: int = 1000, seconds: float = 0.04) -> None:
    (path / "test_it.py").write_text(PROJECT)
    (path / "conftest.py").write_text(clock)
    (path / "world.json").write_text(json.dumps({"layers": layers, "seconds": seconds}))


@pytest.fixture(scope="module")
def baseline(
    tmp_path_factory: pytest.TempPathFactory, simulated_clock: str, record: Callable[[Path], Path]
) -> Path:
    path = tmp_path_factory.mktemp("host_counts")
    write(path, simulated_clock)
    return record(path)


@pytest.fixture
def planted(
    pytester: pytest.Pytester, run: "Run", simulated_clock: str, baseline: Path
) -> Callable[..., "Session"]:
    """Judge the project with other facts of the world than the baseline's."""
    shutil.copytree(baseline, pytester.path / "pareto_baselines")

    def session(**facts: float) -> "Session":
        write(pytester.path, simulated_clock, **facts)  # type: ignore[arg-type]
        return run("--pareto")

    return session


def test_the_same_work_in_the_same_time_gives_no_notice(
    planted: Callable[..., "Session"],
) -> None:
    session = planted()
    assert session.exit_code == 0
    assert "host work" not in session.text


def test_the_same_work_in_more_time_is_named_as_the_same(planted: Callable[..., "Session"]) -> None:
    session = planted(seconds=0.08)
    assert session.exit_code == 1
    assert "fails: latency got worse beyond its limit" in session.text
    assert "note: host counts are the same: Python calls equal" in session.text


def test_more_work_in_more_time_is_named_with_its_counts(
    planted: Callable[..., "Session"],
) -> None:
    session = planted(seconds=0.08, layers=1120)
    assert session.exit_code == 1
    assert "note: host work changed: Python calls 1,003 → 1,123 (+12 %)" in session.text


def test_one_more_call_fails_only_where_a_tolerance_asks_for_it(
    planted: Callable[..., "Session"],
) -> None:
    session = planted(layers=1001)
    assert session.exit_code == 1
    verdicts = {
        name: session.case(f"test_it.py::{name}").fails for name in ("test_it", "test_gated")
    }
    assert verdicts == {
        "test_it": (),
        "test_gated": ("python_calls got worse beyond its limit",),
    }
