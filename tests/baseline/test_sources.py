"""Reading recorded results: the choice of the machine, and directories that are no baseline."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pareto.baseline.sources import load_recorded, machines_of, recorded_machines
from pytest_pareto.baseline.store import write
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import BaselineError


@pytest.fixture
def record(
    tmp_path: Path,
    gpu: Environment,
    case: Callable[..., CaseHistory],
    history: Callable[..., MetricHistory],
) -> Callable[..., Path]:
    """Write a baseline for some kinds of machine."""

    def recorded(*keys: str, metric: str = "latency") -> Path:
        held = case("test_a.py::test_a", **{metric: history(metric, (1.0, 1.1))})
        for key in keys:
            before = Baseline(key, {}, {})
            after = Baseline(key, {held.case_id: held}, {_env(held): gpu})
            write(tmp_path, key, before, after)
        return tmp_path

    return recorded


def _env(case: CaseHistory) -> str:
    (history,) = case.metrics.values()
    return history.newest.env


def test_the_only_machine_needs_no_name(record: Callable[..., Path]) -> None:
    assert load_recorded(record("cpu-a")).hardware_key == "cpu-a"
    assert list(load_recorded(record("cpu-a"), "cpu-a").cases) == ["test_a.py::test_a"]


def test_results_of_every_machine_need_no_name(record: Callable[..., Path]) -> None:
    assert list(load_recorded(record("cpu-a", metric="flops")).cases) == ["test_a.py::test_a"]


def test_several_machines_need_a_choice(record: Callable[..., Path]) -> None:
    folder = record("cpu-a", "gpu-b")
    with pytest.raises(BaselineError, match=r"2 kinds of machine.*--hardware KEY: cpu-a, gpu-b"):
        load_recorded(folder)
    assert load_recorded(folder, "gpu-b").hardware_key == "gpu-b"
    with pytest.raises(BaselineError, match=r"no results of 'gpu-c'; there are: cpu-a, gpu-b"):
        load_recorded(folder, "gpu-c")


@pytest.mark.parametrize("key", ["any", "../cpu-a", ""])
def test_unknown_machines(record: Callable[..., Path], key: str) -> None:
    with pytest.raises(BaselineError, match="there are: none that belong to a machine"):
        load_recorded(record("cpu-a", metric="flops"), key)


def test_directories_that_are_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"there is no baseline at .*record one with"):
        load_recorded(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    (tmp_path / "empty" / "_env").mkdir(parents=True)
    with pytest.raises(BaselineError, match="empty holds no results: record some"):
        load_recorded(tmp_path / "empty")
    with pytest.raises(BaselineError, match="file is a file; name the folder"):
        load_recorded(tmp_path / "file")
    (tmp_path / "project" / "sources").mkdir(parents=True)
    with pytest.raises(BaselineError, match=r"is no baseline: it has no folder _env$"):
        load_recorded(tmp_path / "project")
    (tmp_path / "project" / "kept" / "_env").mkdir(parents=True)
    with pytest.raises(BaselineError, match=r"no folder _env; .*/project/kept is one$"):
        load_recorded(tmp_path / "project")


def test_past_files_give_the_same_machines(tmp_path: Path) -> None:
    for folder in ("cpu-a", "cpu-b", "any", "_env", ".git"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "test_m.json").touch()
    files = [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.json")]
    assert set(recorded_machines(tmp_path)) == machines_of(files) == {"cpu-a", "cpu-b"}
