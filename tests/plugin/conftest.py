"""A toy project (sleeps and scripted scores), its baseline of fresh runs, and a way to look in.

Its clock is simulated, so that a machine that hesitates decides no test: only its sleeps move
it, by what a quiet machine would make of them. The real clock is for the tests that are about it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_pareto.measure.meters.contention import HostSnapshot
from pytest_pareto.model.verdict import CaseVerdict, Judgement
from tests.busy import unknown_host

ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_pareto.plugin"}
"""Loads this plugin and no other that happens to be installed: half of what a process costs."""


@pytest.fixture(autouse=True, scope="module")
def alone() -> Iterator[None]:
    """Let every session, in this process or in its own, load pytest-pareto alone.

    That it is loaded where it is installed is for `test_light`, and for the documents' examples.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ALONE.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sessions in this process know nothing of the host: whatever else runs decides no test."""
    monkeypatch.setattr(HostSnapshot, "now", unknown_host)


TOY = """
import json, pathlib
import pytest

WORLD = json.loads(pathlib.Path(__file__).with_name("world.json").read_text())

@pytest.mark.parametrize("variant", ["small", "medium", "large"])
@pytest.mark.pareto(rounds=3, warmup=1, tolerance={"latency": 0.05})
def test_generate(pareto, sleep, variant):
    world = WORLD[variant]
    pareto.measure(sleep, world["seconds"])
    pareto.record("accuracy", world["accuracy"], better="higher", tolerance=0.01)

def test_other():
    assert True
"""

SIMULATED_CLOCK = """
import random
import pytest
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.meters.latency import StreamMeter

class Clock:
    now_ns = 0
    of_this_process = random.gauss(1, 0.003)

    def __call__(self):
        return self.now_ns

    def sleep(self, seconds):
        self.now_ns += int(1e9 * seconds * self.of_this_process * random.gauss(1, 0.002))

clock = Clock()

class OnSimulatedClock(SteadyMeter):
    def measure(self, calls):
        calls.clock = clock
        return super().measure(calls)

def pytest_pareto_meters(config):
    return [OnSimulatedClock(), StreamMeter()]  # the second reads the window of the first

@pytest.fixture
def sleep():
    return clock.sleep
"""

REAL_CLOCK = """
import time
import pytest
from pytest_pareto.measure.meters.contention import HostSnapshot
from pytest_pareto.measure.meters.latency import SteadyMeter

def unknown_host():
    return HostSnapshot(time.perf_counter(), time.process_time(), {}, {}, {}, 0)

def pytest_pareto_meters(config):
    return [SteadyMeter(read_host=unknown_host)]

@pytest.fixture
def sleep():
    return time.sleep
"""

WORLD = {
    "small": {"seconds": 0.01, "accuracy": 0.80},
    "medium": {"seconds": 0.02, "accuracy": 0.90},
    "large": {"seconds": 0.04, "accuracy": 0.95},
}

World = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Session:
    """What one session of a project under test came to."""

    exit_code: int
    judgement: Judgement | None
    result: pytest.RunResult

    @property
    def cases(self) -> tuple[CaseVerdict, ...]:
        assert self.judgement is not None, self.text
        return self.judgement.cases

    def case(self, name: str) -> CaseVerdict:
        found = [c for c in self.cases if f"[{name}]" in c.case_id or c.case_id == name]
        assert len(found) == 1, [c.case_id for c in self.cases]
        return found[0]

    @property
    def text(self) -> str:
        return self.result.stdout.str() + self.result.stderr.str()


class _Spy:
    """Keeps the judgement of an in-process session."""

    def __init__(self) -> None:
        self.judgement: Judgement | None = None

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        plugin: Any = config.pluginmanager.get_plugin("pareto-session")
        report = getattr(plugin, "_report", None)
        self.judgement = report.judgement if report is not None else None


Run = Callable[..., Session]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in this process."""
    monkeypatch.setenv("COLUMNS", "100")

    def run_once(*args: str) -> Session:
        spy = _Spy()
        quiet = () if {"--lf", "--sw"} & {*args} else ("-p", "no:cacheprovider")
        if "--pareto" in args and not any(arg.startswith("--pareto-confirm") for arg in args):
            # Confirmation has tests of its own: five processes behind every red case are many.
            args = (*args, "--pareto-confirm=0")
        result = pytester.runpytest_inprocess(*quiet, *args, plugins=[spy], no_reraise_ctrlc=True)
        return Session(int(result.ret), spy.judgement, result)

    return run_once


@dataclass(frozen=True)
class Toy:
    """The toy project in the current folder."""

    path: Path
    run: Run

    def change(self, **variants: Mapping[str, float]) -> None:
        """Change the world that the toy's tests see."""
        world: World = json.loads((self.path / "world.json").read_text())
        for name, facts in variants.items():
            world[name] |= facts
        (self.path / "world.json").write_text(json.dumps(world))

    @property
    def baseline_files(self) -> dict[str, str]:
        root = self.path / "pareto_baselines"
        return {str(p.relative_to(root)): p.read_text() for p in sorted(root.rglob("*.json"))}


def interrupt_child(path: Path, *arguments: str) -> str:
    """Interrupt a session once its child has written ``pid``; return the session's output.

    Asserts that the session ends as interrupted, without an internal error and with no child.
    """
    command = [sys.executable, "-m", "pytest", "--pareto", *arguments]
    parent = subprocess.Popen(
        command, cwd=path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    pid_file = path / "pid"
    deadline = time.monotonic() + 30
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int(pid_file.read_text())
    parent.send_signal(signal.SIGINT)
    output, _ = parent.communicate(timeout=20)
    assert parent.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "INTERNALERROR" not in output
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    return output


def write_toy(path: Path, clock: str = SIMULATED_CLOCK) -> None:
    (path / "test_toy.py").write_text(TOY)
    (path / "conftest.py").write_text(clock)
    (path / "world.json").write_text(json.dumps(WORLD))


def record_toy_baseline(path: Path, clock: str) -> Path:
    """Record the toy's baseline."""
    write_toy(path, clock)
    return recorded(path)


def recorded(path: Path) -> Path:
    """Record a baseline in five fresh processes, as a user does."""
    command = [sys.executable, "-m", "pytest", "--pareto", "--pareto-update"]
    # The fixture that hides CI from the tests has not run yet: this one outlives it.
    env = {k: v for k, v in os.environ.items() if k not in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")}
    env |= ALONE
    done = subprocess.run(command, cwd=path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return path / "pareto_baselines"


@pytest.fixture(scope="session")
def simulated_clock() -> str:
    """The conftest of a project whose sleeps alone move the clock: its fixture ``sleep``."""
    return SIMULATED_CLOCK


@pytest.fixture(scope="session")
def record() -> Callable[[Path], Path]:
    """Record the baseline of a project in fresh processes; return the baseline's folder."""
    return recorded


@pytest.fixture(scope="session")
def toy_baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline of the toy project on its simulated clock, recorded once."""
    return record_toy_baseline(tmp_path_factory.mktemp("toy"), SIMULATED_CLOCK)


@pytest.fixture(scope="session")
def real_toy_baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline of the toy project on the real clock, recorded once."""
    return record_toy_baseline(tmp_path_factory.mktemp("toy"), REAL_CLOCK)


@pytest.fixture
def toy(pytester: pytest.Pytester, run: Run, toy_baseline: Path) -> Toy:
    """The toy project with its baseline."""
    write_toy(pytester.path)
    shutil.copytree(toy_baseline, pytester.path / "pareto_baselines")
    return Toy(pytester.path, run)


@pytest.fixture
def real_toy(pytester: pytest.Pytester, run: Run, real_toy_baseline: Path) -> Toy:
    """The toy project on the real clock, with its baseline."""
    write_toy(pytester.path, REAL_CLOCK)
    shutil.copytree(real_toy_baseline, pytester.path / "pareto_baselines")
    return Toy(pytester.path, run)


@pytest.fixture
def fresh_toy(pytester: pytest.Pytester, run: Run) -> Toy:
    """The toy project without a baseline."""
    write_toy(pytester.path)
    return Toy(pytester.path, run)
