"""Readings of a real GPU, replayed: what a build says of unchanged code, and of a slower one."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.work.flops import WorkMeter
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import ENERGY, FLOPS, LATENCY
from pytest_pareto.model.verdict import Verdict
from pytest_pareto.plugin.process_hooks import _remaining_built_in
from pytest_pareto.testing import ScriptedMeter
from tests.plugin.conftest import ALONE

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Session

RECORDED = Path(__file__).parents[1] / "data" / "h200_replay.jsonl"
WORKLOADS = ("sd15_8steps_fp16", "ddim_small_fp32", "block_bf16")

CONFTEST = """
import fcntl, json, pathlib
from pytest_pareto.testing import replay_meters

def pytest_pareto_meters(config):
    path = pathlib.Path(__file__).with_name("world.json")
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # processes start up together
        world = json.load(file)
        run = world["runs"].pop(0)  # the next process replays the next one
        file.seek(0)
        file.truncate()
        json.dump(world, file)
    return replay_meters(world["recorded"], run=run, scale=world["scale"])
"""
PROJECT = f"""
import pytest

@pytest.mark.parametrize("workload", {WORKLOADS})
@pytest.mark.pareto(rounds=1, warmup=0)
def test_workload(pareto, workload):
    pareto.measure(int)
"""

Replay = Callable[..., "Session"]


def write_project(path: Path, runs: list[int], scale: Mapping[str, float]) -> None:
    (path / "conftest.py").write_text(CONFTEST)
    (path / "test_h200.py").write_text(PROJECT)
    world = {"recorded": str(RECORDED), "runs": runs, "scale": scale}
    (path / "world.json").write_text(json.dumps(world))


@pytest.fixture(scope="session")
def recorded_baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline of the first five recorded processes, each replayed by a process of its own."""
    path = tmp_path_factory.mktemp("h200")
    write_project(path, [0, 1, 2, 3, 4], {})
    command = [sys.executable, "-m", "pytest", "--pareto", "--pareto-update", "-p", "no:cov"]
    env = {k: v for k, v in os.environ.items() if k not in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")}
    env |= ALONE
    done = subprocess.run(command, cwd=path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return path / "pareto_baselines"


@pytest.fixture
def replay(pytester: pytest.Pytester, run: "Run", recorded_baseline: Path) -> Replay:
    """A session that replays one of the other recorded processes, as it was or scaled."""
    shutil.copytree(recorded_baseline, pytester.path / "pareto_baselines")

    def replay_run(number: int, scale: Mapping[str, float] | None = None) -> "Session":
        write_project(pytester.path, [number], scale or {})
        return run("--pareto")

    return replay_run


def outcomes(session: "Session", metric: str) -> list[Outcome]:
    """Return what became of a metric in each workload."""
    found = [session.case(name).comparison.metric(metric) for name in WORKLOADS]
    return [result.outcome for result in found if result is not None]


@pytest.mark.parametrize("number", [5, 6, 7])
def test_another_process_of_the_same_code_passes(replay: Replay, number: int) -> None:
    session = replay(number)
    assert session.exit_code == 0, session.text
    assert [session.case(name).fails for name in WORKLOADS] == [()] * 3
    # What is quiet is settled by one run; the third is the one that its power cap slows down.
    assert outcomes(session, "device_time")[:2] == [Outcome.UNCHANGED] * 2
    assert outcomes(session, "peak_memory") == [Outcome.UNCHANGED] * 3


def test_half_as_long_again_fails(replay: Replay) -> None:
    times = ("latency", "event_time", "device_time", "energy")
    session = replay(7, dict.fromkeys(times, 1.5))
    assert session.exit_code == 1
    assert [session.case(name).verdict for name in WORKLOADS] == [Verdict.DOMINATED] * 3
    assert outcomes(session, "device_time") == [Outcome.WORSE] * 3
    # Its first processes ran up to 40 % slow: latency alone would not have told.
    assert outcomes(session, "latency") == [Outcome.INCONCLUSIVE, Outcome.WORSE, Outcome.WORSE]
    session.result.stdout.fnmatch_lines(["FAILED test_h200.py::test_workload[[]sd15*device_time*"])


@pytest.mark.parametrize(("metric", "factor"), [("device_time", 1.03), ("peak_memory", 1.02)])
def test_a_few_per_cent_are_seen_in_what_is_quiet(
    replay: Replay, metric: str, factor: float
) -> None:
    session = replay(6, {metric: factor})
    assert session.exit_code == 1
    assert outcomes(session, metric)[:2] == [Outcome.WORSE] * 2


class TestTheHook:
    """What a meter from the hook has to do with built-in ones."""

    def session(self, pytester: pytest.Pytester, run: "Run", meters: str) -> "Session":
        pytester.makeconftest(
            f"""
            from pytest_pareto.model.metric import ENERGY, LATENCY
            from pytest_pareto.testing import ScriptedMeter, replay_meters

            def pytest_pareto_meters(config):
                return {meters}
            """
        )
        pytester.makepyfile(test_it="def test_it(pareto): pareto(int)")
        return run("--pareto")

    def test_it_takes_the_place_of_one_for_the_same_metric(
        self, pytester: pytest.Pytester, run: "Run"
    ) -> None:
        session = self.session(pytester, run, "[ScriptedMeter(LATENCY, [[123.0]])]")
        comparison = session.case("test_it.py::test_it").comparison
        latency, others = comparison.metric("latency"), comparison.metric("event_time")
        assert latency is not None
        assert latency.candidate == pytest.approx(123.0)
        assert others is not None  # of the same built-in meter

    def test_what_is_left_of_a_built_in_meter_keeps_its_name(self) -> None:
        theirs = [ScriptedMeter(metric, [[1.0]]) for metric in (LATENCY, ENERGY, FLOPS)]
        (left,) = _remaining_built_in([SteadyMeter(), WorkMeter()], theirs)
        assert [metric.name for metric in left.metrics] == ["event_time", "host_reference"]
        assert type(left).__name__ == "SteadyMeter"

    def test_two_of_one_metric_are_refused(self, pytester: pytest.Pytester, run: "Run") -> None:
        twice = "[ScriptedMeter(ENERGY, [[1.0]]), ScriptedMeter(ENERGY, [[2.0]])]"
        session = self.session(pytester, run, twice)
        assert session.exit_code == pytest.ExitCode.USAGE_ERROR
        assert "two meters of 'energy', ScriptedMeter and ScriptedMeter" in session.text

    def test_one_that_cannot_be_made_is_told(self, pytester: pytest.Pytester, run: "Run") -> None:
        session = self.session(pytester, run, "replay_meters('gone.jsonl')")
        assert session.exit_code == pytest.ExitCode.USAGE_ERROR
        assert "ERROR: gone.jsonl cannot be read: No such file" in session.text

    @pytest.mark.parametrize(
        ("returned", "told"),
        [
            ("ScriptedMeter(ENERGY, [[1.0]])", "it returns a list of meters: [MyMeter()]"),
            ("[ScriptedMeter]", "this is a class; give a meter made of it: ScriptedMeter(...)"),
            ("[object()]", "it has no method 'absence'"),
        ],
    )
    def test_what_is_no_list_of_meters_is_refused(
        self, pytester: pytest.Pytester, run: "Run", returned: str, told: str
    ) -> None:
        session = self.session(pytester, run, returned)
        assert session.exit_code == pytest.ExitCode.USAGE_ERROR
        assert told in " ".join(session.text.split())
        assert "INTERNALERROR" not in session.text
