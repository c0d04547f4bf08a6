"""A small project with a baseline that real sessions wrote, and a session of it that regressed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.baseline.sources import recorded_machines

ROOT = Path(__file__).parents[2]
H200 = ROOT / "tests" / "data" / "h200_session"
H200_REPLAY = ROOT / "tests" / "data" / "h200_replay.jsonl"

CONFTEST = """
import random, time
import pytest
from pytest_pareto.measure.meters.contention import HostSnapshot
from pytest_pareto.measure.meters.latency import SteadyMeter, StreamMeter

class Clock:
    now_ns = 0
    of_this_process = random.gauss(1, 0.003)

    def __call__(self):
        return self.now_ns

    def sleep(self, seconds):
        self.now_ns += int(1e9 * seconds * self.of_this_process * random.gauss(1, 0.002))

clock = Clock()

def unknown_host():
    return HostSnapshot(time.perf_counter(), time.process_time(), {}, {}, {}, 0)

class OnSimulatedClock(SteadyMeter):
    def measure(self, calls):
        calls.clock = clock
        return super().measure(calls)

def pytest_pareto_meters(config):
    # The second reads the window of the first.
    return [OnSimulatedClock(read_host=unknown_host), StreamMeter()]

@pytest.fixture
def sleep():
    return clock.sleep
"""
"""A clock that only the project's sleeps move: what else runs on the machine decides nothing."""

MODEL = """
import json, pathlib, random
import numpy as np
import pytest

WORLD = json.loads(pathlib.Path(__file__).with_name("world.json").read_text())
IDS = [f"s{number}" for number in range(24)]

def spread_of(offset):
    return lambda features: offset + float(features.std())

@pytest.mark.parametrize("variant", ["small", "large"])
@pytest.mark.pareto(rounds=3, warmup=1, tolerance={"latency": 0.05})
def test_generate(pareto, sleep, variant):
    world = WORLD[variant]
    pareto.measure(sleep, world["seconds"])
    pareto.record("accuracy", world["accuracy"], better="higher", tolerance=0.01)
    pareto.record("steps", world["steps"], better="lower", scope="anywhere", tolerance=0.0)
    draw = random.Random(variant)
    scores = [world["score"] + draw.gauss(0, 0.02) for _ in IDS]
    pareto.record("sharpness", scores, ids=IDS, better="higher", tolerance=0.01)
    grades = [max(1, round(5 * score)) for score in scores]
    pareto.record("grade", grades, ids=IDS, better="higher", ordinal=True, tolerance=0.1)
    if "spread" in world:
        from pytest_pareto.scoring import Score
        spread = Score(spread_of(world["spread"]), better="lower", over="set", tolerance=0.1,
                       features=lambda output, target: np.array([output]))
        pareto.evaluate(lambda batch: [float(x) for x in batch], [*range(24)], ids=IDS,
                        metrics={"spread": spread}, batch_size=8)
    shades = {i: np.full((8, 8), int(255 * score), np.uint8) for i, score in zip(IDS, scores)}
    pareto.keep(shades)
"""

World = dict[str, dict[str, float]]
GREEN: World = {
    "small": {"seconds": 0.01, "accuracy": 0.80, "score": 0.70, "steps": 10},
    "large": {"seconds": 0.04, "accuracy": 0.95, "score": 0.80, "steps": 20},
}
RED: World = GREEN | {
    "small": {"seconds": 0.03, "accuracy": 0.60, "score": 0.40, "steps": 15},
}


def with_sets(world: World, small: float) -> World:
    """Return a world with a metric of the whole set, which takes seconds to import."""
    return {"small": world["small"] | {"spread": small}, "large": world["large"] | {"spread": 1.0}}


QUIET = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_pareto.plugin"}
_OF_CI = ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")


def use_quiet_environment() -> None:
    """Let this process, and all that it starts, load this plugin alone and know of no CI."""
    for name in _OF_CI:
        os.environ.pop(name, None)
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    os.environ |= QUIET | {"COLUMNS": "100", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True, slots=True)
class Material:
    """The project: its baseline, what a red session of it left, and the kind of machine."""

    root: Path

    @property
    def baseline(self) -> Path:
        """The baseline's folder."""
        return self.root / "pareto_baselines"

    @property
    def results(self) -> Path:
        """The results file of the red session."""
        return self.root / "results.json"

    @property
    def green_results(self) -> Path:
        """The results file of a session that changed nothing."""
        return self.root / "green.json"

    @property
    def candidate(self) -> Path:
        """The candidate's folder of the red session."""
        return self.root / ".pareto_candidate"

    @property
    def outputs(self) -> Path:
        """The folder of the accepted outputs."""
        return self.root / ".pareto_outputs"

    @property
    def key(self) -> str:
        """The name of the baseline's only machine."""
        (key,) = recorded_machines(self.baseline)
        return key

    def set_world(self, world: World) -> None:
        """Change what the project's tests see."""
        (self.root / "world.json").write_text(json.dumps(world))


def session(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run ``pytest --pareto`` in a process of its own."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pareto", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def make(root: Path, green: World = GREEN, red: World = RED) -> Material:
    """Record a project's baseline in three sessions, then run one that regressed.

    Raises RuntimeError where a session does not end as it has to.
    """
    root.mkdir(parents=True)
    material = Material(root)
    (root / "conftest.py").write_text(CONFTEST)
    (root / "test_model.py").write_text(MODEL)
    (root / "pytest.ini").write_text("[pytest]\n")
    material.set_world(green)
    _expect(0, session(root, "--pareto-update", "--pareto-runs=2"))
    for _ in range(2):
        more = (
            "--pareto-update=runs",
            "--pareto-runs=2",
            f"--pareto-json={material.green_results}",
        )
        _expect(0, session(root, *more))
    material.set_world(red)
    arguments = ("--pareto-runs=2", "--pareto-confirm=0", f"--pareto-json={material.results}")
    _expect(1, session(root, *arguments))
    return material


def _expect(code: int, done: "subprocess.CompletedProcess[str]") -> None:
    if done.returncode != code:
        raise RuntimeError(f"exit code {done.returncode} for {code}:\n{done.stdout}{done.stderr}")


def copy_into(folder: Path, sources: Sequence[Path]) -> None:
    """Copy files and folders into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, folder / source.name, symlinks=True)
        else:
            shutil.copy2(source, folder)
