"""Reading one folder or file of a baseline directory."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pareto.baseline import codec, store
from pytest_pareto.model.baseline import CaseHistory, MetricHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import BaselineError
from pytest_pareto.model.metric import Scope

Case = Callable[..., CaseHistory]
History = Callable[..., MetricHistory]


def _put(path: Path, text: str | None) -> None:
    assert text is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def one(case: Case, history: History) -> CaseHistory:
    """A case with a paired metric."""
    return case(
        "t/test_m.py::test_a",
        accuracy=history("accuracy", (0.5,), env="e1"),
        latency=history("latency", (0.5,), (0.6,), epochs=(0, 1), env="e2"),
    )


def test_machine_folders_are_recognised(tmp_path: Path) -> None:
    for name in ("any", "_env", ".git", "b-x1", "a-x1"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").touch()
    assert [f.name for f in store.hardware_folders(tmp_path)] == ["a-x1", "any", "b-x1"]


def test_a_module_is_read_with_its_samples(tmp_path: Path, one: CaseHistory) -> None:
    folder, main = tmp_path / "h", tmp_path / "h/t/test_m.json"
    assert store.read_module(folder, main, {"e1", "e2"}) == {}
    assert store.main_files(folder) == []
    _put(main, codec.encode_module([one]))
    _put(main.with_name("test_m.samples.json"), codec.encode_samples([one]))
    assert store.main_files(folder) == [main]
    assert store.read_module(folder, main, {"e1", "e2"}) == {one.case_id: one}
    assert set(store.stored_metrics(folder)) == {
        (one.case_id, "accuracy"),
        (one.case_id, "latency"),
    }
    assert set(store.environment_references(main.read_text(), "m.json")) == {"e1", "e2"}


@pytest.mark.parametrize(("folder", "scope"), [("any", Scope.HOST), ("h", Scope.ANYWHERE)])
def test_a_metric_in_the_wrong_folder_is_an_error(
    tmp_path: Path, case: Case, history: History, folder: str, scope: Scope
) -> None:
    wrong = case("t/test_m.py::test_a", latency=history("latency", (1.0,), scope=scope, env="e1"))
    main = tmp_path / folder / "t/test_m.json"
    _put(main, codec.encode_module([wrong]))
    with pytest.raises(BaselineError) as caught:
        store.read_module(tmp_path / folder, main, {"e1"})
    assert str(caught.value).startswith(
        f'{main.as_posix()} at cases["test_a"].metrics["latency"].scope: a metric of scope '
        f"'{scope}' does not belong into {folder}/."
    )


def test_environments_are_read_by_name(tmp_path: Path, gpu: Environment) -> None:
    assert store.read_environments(tmp_path) == {}
    cpu = replace(gpu, gpu_product=None, gpu_count=0)
    _put(tmp_path / "_env/e1.json", codec.encode_environment(gpu))
    _put(tmp_path / "_env/e2.json", codec.encode_environment(cpu))
    assert store.read_environments(tmp_path) == {"e1": gpu, "e2": cpu}
    _put(tmp_path / "_env/e3.json", "{}")
    with pytest.raises(BaselineError, match=r"_env/e3\.json at schema"):
        store.read_environments(tmp_path)
