"""Traces of failing cases: what is written, of which call, and what is said where none is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Run

pytest.importorskip("torch")
# Here, since pytester forgets what its sessions import, and this cannot be imported twice.
pytest.importorskip("torch._inductor.test_operators")

TESTS = """
import pytest
import torch


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(8, 8)

    def forward(self, x):
        return torch.relu(self.fc(x))


def measure(pareto):
    pareto.configure(rounds=2, warmup=1).measure(Net(), torch.ones(2, 8))


@pytest.mark.pareto(budget={"flops": "<= 1"})
def test_over(pareto):
    measure(pareto)


def test_within(pareto):
    measure(pareto)


@pytest.mark.pareto(budget={"latency": "<= 1 us"})
def test_without_torch(pareto):
    pareto.configure(rounds=2, warmup=1).measure(sorted, range(20000))
"""


def events(file: Path) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(file.read_text())["traceEvents"]
    return found


def names(file: Path) -> list[str]:
    return [each["name"] for each in events(file)]


def test_a_failing_case_has_the_trace_of_one_call(run: "Run", pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TESTS)
    session = run("--pareto", "--pareto-trace=traces", "-k", "over or within")
    assert session.exit_code == 1
    (file,) = (pytester.path / "traces").iterdir()
    assert file.name.startswith("test_it.py__test_over-")
    assert file.name.endswith(".now.json")
    assert "traces of 1 failing case in traces: ui.perfetto.dev opens them" in session.text
    found = names(file)
    assert found.count("pytest-pareto: the call") == 1
    assert found.count("module Net.fc") == found.count("aten::relu") == 1
    assert {each["ph"] for each in events(file)} >= {"X", "M"}


def test_it_lies_where_the_option_says_in_a_fresh_process_too(
    run: "Run", pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_it=TESTS)
    session = run("--pareto", "--pareto-trace=a/b", "--pareto-runs=2", "-k", "over")
    assert session.exit_code == 1
    (file,) = (pytester.path / "a" / "b").iterdir()
    assert "module Net.fc" in names(file)


def test_without_a_failing_case_there_is_no_trace(run: "Run", pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TESTS)
    session = run("--pareto", "--pareto-trace=traces", "-k", "within")
    assert session.exit_code == 0
    assert list((pytester.path / "traces").iterdir()) == []
    assert "traces of" not in session.text
    assert "no trace of" not in session.text


def test_a_case_without_a_trace_is_named(run: "Run", pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TESTS)
    session = run("--pareto", "--pareto-trace=traces", "-k", "without_torch")
    assert session.exit_code == 1
    text = " ".join(session.text.split())
    assert "no trace of test_it.py::test_without_torch: its call was not measured" in text
    assert list((pytester.path / "traces").iterdir()) == []


def test_old_traces_go_and_other_files_stay(run: "Run", pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TESTS)
    folder = pytester.mkdir("traces")
    old = [folder / f"test_x-0123abcd.{side}.json" for side in ("now", "before")]
    mine = folder / "notes.json"
    for file in (*old, mine):
        file.write_text("{}")
    run("--pareto", "--pareto-trace=traces", "-k", "within")
    assert list(folder.iterdir()) == [mine]


def test_a_file_is_no_folder_for_traces(run: "Run", pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TESTS)
    (pytester.path / "traces").write_text("mine")
    session = run("--pareto", "--pareto-trace=traces")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "traces cannot be written" in session.text
    assert "name a folder" in session.text
    assert (pytester.path / "traces").read_text() == "mine"


def test_a_folder_that_vanishes_is_told(run: "Run", pytester: pytest.Pytester) -> None:
    vanishing = "\n\ndef test_zz():\n    import shutil\n    shutil.rmtree('traces')\n"
    pytester.makepyfile(test_it=TESTS + vanishing)
    session = run("--pareto", "--pareto-trace=traces", "-k", "over or zz")
    assert session.exit_code == 1
    assert "FAIL  --pareto-trace: traces could not be written" in session.text


def test_a_baseline_holds_no_traces(run: "Run", pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TESTS)
    session = run("--pareto", "--pareto-trace=pareto_baselines/traces")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "lies in the baseline" in session.text
    assert not (pytester.path / "pareto_baselines").exists()


def test_collecting_removes_none(run: "Run", pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TESTS)
    old = pytester.mkdir("traces") / "test_x-0123abcd.now.json"
    old.write_text("{}")
    run("--pareto", "--pareto-trace=traces", "--collect-only")
    assert old.exists()
