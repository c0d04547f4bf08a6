"""A change planted in a real model is named, by layer and operation, wherever a session reports."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure import torch_profiler
from pytest_pareto.model.attribution import Breakdown
from pytest_pareto.model.run import Run as MeasuredRun
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.results.reader import load_record
from tests.plugin.test_against import make_repository

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Session

torch: Any = pytest.importorskip("torch")

from pytest_pareto.measure.measurement import built_in_meters, measure_call  # noqa: E402

# What torch imports when it is used must outlive the sessions that run inside of this process:
# it cannot be imported twice.
measure_call(
    torch.nn.Linear(2, 2),
    (torch.ones(2, 2),),
    {},
    meters=built_in_meters()[3:],
    profiler=torch_profiler.CallProfiler(),
)

MODEL = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = torch.nn.Linear(256, 512)
        self.head = torch.nn.Linear(512, 16)

    def forward(self, x):
        return self.head(torch.relu(self.dense(x)))

def test_net(pareto):
    exact = ["resident_memory", "host_peak_memory", "flops", "dispatches", "python_calls"]
    pareto.configure(metrics=exact).measure(Net(), torch.ones(64, 256))
"""
CASE = "test_net.py::test_net"
WIDER = MODEL.replace("512", "1024")
CONVERTS = MODEL.replace("        return", "        x = x.double().float()\n        return")
REPORTS = ("--pareto-json=found.json", "--pareto-html=found.html", "--pareto-markdown=found.md")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline of the model, from a real fresh process, recorded once."""
    path = tmp_path_factory.mktemp("net")
    (path / "test_net.py").write_text(MODEL)
    options = ("--pareto", "--pareto-update", "--pareto-runs=1", "-p", "no:cacheprovider")
    env = {k: v for k, v in os.environ.items() if k not in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS")}
    command = [sys.executable, "-m", "pytest", *options]
    done = subprocess.run(command, cwd=path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return path / "pareto_baselines"


@pytest.fixture
def folder(pytester: pytest.Pytester, recorded: Path) -> Path:
    """The folder of sessions in this process, with the baseline."""
    shutil.copytree(recorded, pytester.path / "pareto_baselines")
    return pytester.path


def session_of(run: "Run", folder: Path, model: str) -> "Session":
    (folder / "test_net.py").write_text(model)
    return run("--pareto", *REPORTS)


def attributions(folder: Path) -> Mapping[str, Any]:
    """Return the attribution of each metric that has one, as the JSON file holds it."""
    content = json.loads((folder / "found.json").read_text())
    return {m["metric"]: m["attribution"] for m in content["metrics"] if m["attribution"]}


def changes(attribution: Mapping[str, Any]) -> dict[str, float]:
    return {c["name"]: c["candidate"] - c["baseline"] for c in attribution["contributions"]}


def breakdowns(folder: Path) -> dict[str, Breakdown]:
    """Return what each metric of the last session consists of."""
    (run,) = load_record(folder / "found.json")[1].runs
    measured = run.cases[CASE].measurements
    return {m.metric.name: m.breakdown for m in measured if m.breakdown is not None}


def test_a_wider_layer_is_named_in_every_report(folder: Path, run: "Run") -> None:
    session = session_of(run, folder, WIDER)
    assert session.exit_code == 1
    lines = [line.strip() for line in session.text.splitlines()]
    assert "why: +512 KiB  weight in Net.dense: 512 → 1024 KiB" in lines
    assert "why: +128 KiB  aten::addmm in Net.dense: 128 → 256 KiB" in lines
    for name in ("found.html", "found.md"):
        text = re.sub(r"<[^>]*>|`|\\", "", (folder / name).read_text())
        assert "weight in Net.dense" in text, name
    found = attributions(folder)
    assert found.keys() == {"resident_memory", "host_peak_memory", "flops"}
    for each in found.values():
        assert sum(changes(each).values()) == pytest.approx(each["total"], rel=0.01)
        assert each["total"] > 0
    assert changes(found["flops"]) == {
        "aten::addmm in Net.dense": 2 * 64 * 256 * 512,
        "aten::addmm in Net.head": 2 * 64 * 512 * 16,
    }


def test_a_conversion_is_named(folder: Path, run: "Run") -> None:
    session = session_of(run, folder, CONVERTS)
    assert session.exit_code == 1
    assert "why: +64 KiB  aten::_to_copy in Net: new" in session.text
    found = attributions(folder)
    assert found.keys() == {"host_peak_memory", "dispatches"}
    assert changes(found["dispatches"])["aten::_to_copy in Net"] == 2
    for each in found.values():
        assert sum(changes(each).values()) == pytest.approx(each["total"], rel=0.01)


def test_what_is_unchanged_is_attributed_to_nothing(folder: Path, run: "Run") -> None:
    session = session_of(run, folder, MODEL)
    assert session.exit_code == 0
    assert attributions(folder) == {}
    assert "why:" not in session.text
    assert {"resident_memory", "host_peak_memory", "dispatches"} <= breakdowns(folder).keys()


def test_an_edit_that_moves_lines_changes_no_part(folder: Path, run: "Run") -> None:
    session_of(run, folder, MODEL)
    before = breakdowns(folder)
    session = session_of(run, folder, "# A comment.\n" * 40 + MODEL)
    assert session.exit_code == 0
    assert breakdowns(folder) == before
    session_of(run, folder, CONVERTS)
    assert breakdowns(folder) != before


COUNTED = """
import torch

def test_counted(pareto):
    x = torch.ones(2, 2)
    pareto.configure(rounds=2, warmup=0, metrics=[{metrics}]).measure(torch.mm, x, x)
"""


@pytest.mark.parametrize(
    ("metrics", "profiles"), [("'latency'", 0), ("'latency', 'flops'", 1), ("'python_calls'", 0)]
)
def test_where_nothing_shows_torch_no_further_call_is_made(
    pytester: pytest.Pytester,
    run: "Run",
    monkeypatch: pytest.MonkeyPatch,
    metrics: str,
    profiles: int,
) -> None:
    traced: list[str] = []
    trace = torch_profiler.trace_calls

    def tracing(torch: Any, calls: Any) -> bytes:
        traced.append(calls.case_id)
        return trace(torch, calls)

    monkeypatch.setattr(torch_profiler, "trace_calls", tracing)
    pytester.makepyfile(test_it=COUNTED.format(metrics=metrics))
    assert run("--pareto").exit_code == 0
    assert len(traced) == profiles


# Old code beside the new

NETWORK = """
import torch

torch.set_num_threads(1)

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = torch.nn.Linear(256, WIDTH)
        self.head = torch.nn.Linear(WIDTH, 16)

    def forward(self, x):
        return self.head(torch.relu(self.dense(x)))
"""
MEASURED = """
import torch
from mypkg import Net

def test_net(pareto):
    metrics = ["latency", "resident_memory", "host_peak_memory"]
    pareto.configure(metrics=metrics, rounds=5).measure(Net(), torch.ones(64, 256))
"""
PLAIN = "Net = lambda: lambda x: None\n"


def compare_code(
    folder: Path, old: str, new: str, *arguments: str
) -> tuple[subprocess.CompletedProcess[str], SessionRecord]:
    """Compare two packages, in processes that import torch; return the session and its record."""
    repository = make_repository(folder)
    (repository.path / "tests" / "test_work.py").unlink()
    (repository.path / "tests" / "conftest.py").unlink()
    (repository.path / "tests" / "test_net.py").write_text(MEASURED)
    repository.package.write_text(old)
    repository.commit("A network")
    repository.package.write_text(new)
    once = ("--pareto-against=HEAD", "--pareto-runs=2", "--pareto-json=found.json")
    done = repository.run(*once, *arguments)
    assert (repository.path / "found.json").exists(), done.stdout + done.stderr
    return done, load_record(repository.path / "found.json")[1]


def known_metrics(runs: Sequence[MeasuredRun]) -> list[set[str]]:
    return [
        {m.metric.name for m in run.cases[f"tests/{CASE}"].measurements if m.breakdown is not None}
        for run in runs
    ]


@pytest.mark.slow  # every process imports torch
def test_old_code_and_new_are_profiled_by_turns(tmp_path: Path) -> None:
    done, record = compare_code(
        tmp_path,
        NETWORK.replace("WIDTH", "512"),
        NETWORK.replace("WIDTH", "1024"),
        "--pareto-confirm=1",
    )
    assert record.again
    assert done.returncode == 1, done.stdout
    for runs, again in ((record.runs, record.again), (record.old_runs, record.old_again)):
        first, *others = known_metrics((*runs, *again))
        assert first == {"latency", "resident_memory", "host_peak_memory"}
        assert others == [set()] * len(others)
    assert "why: +512 KiB  weight in Net.dense: 512 → 1024 KiB" in done.stdout
    content = json.loads((tmp_path / "repository" / "found.json").read_text())
    (latency,) = [m for m in content["metrics"] if m["metric"] == "latency"]
    assert latency["outcome"] == "WORSE", done.stdout
    (largest, *_) = latency["attribution"]["contributions"]
    assert largest["name"] == "aten::addmm in Net.dense"


@pytest.mark.slow  # every process imports torch
def test_one_side_may_have_nothing_to_profile(tmp_path: Path) -> None:
    """It does not wait for a meeting to which the other one never comes."""
    done, record = compare_code(
        tmp_path, PLAIN, NETWORK.replace("WIDTH", "512"), "--pareto-confirm=0"
    )
    assert done.returncode in (0, 1), done.stdout
    assert known_metrics(record.old_runs) == [set(), set()]
    assert known_metrics(record.runs)[0] >= {"latency", "resident_memory"}
    assert "why:" not in done.stdout
