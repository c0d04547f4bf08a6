"""A whole baseline directory: read, and changed by the difference only."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_pareto.baseline import store
from pytest_pareto.baseline.files import COMMITTED
from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import BaselineError, ParetoError

Case = Callable[..., CaseHistory]
History = Callable[..., MetricHistory]
Build = Callable[..., Baseline]

HERE = "nvidia-h200x1"
EMPTY = Baseline(HERE, {}, {})


@pytest.fixture
def full(case: Case, history: History, baseline: Build) -> Baseline:
    """Return two modules; one case has metrics of this machine and of every machine."""
    return baseline(
        case(
            "t/test_a.py::test_x[::]",
            accuracy=history("accuracy", (0.5,)),
            flops=history("flops", (1e12,)),
            latency=history("latency", (0.4, 0.41), (0.5,), epochs=(0, 1)),
        ),
        case("t/test_a.py::test_y", latency=history("latency", (0.1,))),
        case("test_b.py::test_z", energy=history("energy", (3.0,))),
    )


def _files(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_text() for path in files}


def _touched(directory: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(directory).as_posix() for path in paths]


def _without(baseline: Baseline, *case_ids: str) -> Baseline:
    cases = {c: h for c, h in baseline.cases.items() if c not in case_ids}
    return replace(baseline, cases=cases)


def test_a_missing_directory_is_an_empty_baseline(tmp_path: Path) -> None:
    assert store.load(tmp_path / "none", HERE) == EMPTY
    assert store.load(tmp_path, HERE) == EMPTY


def test_a_file_in_the_place_of_the_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BaselineError, match="is a file where the baseline needs a directory"):
        store.load(tmp_path / "file", HERE)


@pytest.mark.parametrize("key", ["any", "../x", "_env"])
def test_a_hardware_key_must_be_a_folder_name(tmp_path: Path, key: str) -> None:
    with pytest.raises(ParetoError, match="cannot name a hardware folder"):
        store.load(tmp_path, key)
    with pytest.raises(ParetoError, match="cannot name a hardware folder"):
        store.write(tmp_path, key, EMPTY, EMPTY)


def test_written_baselines_can_be_read(tmp_path: Path, full: Baseline) -> None:
    directory = tmp_path / "new" / "baselines"
    paths = store.write(directory, HERE, EMPTY, full)
    (env,) = full.environments
    assert _touched(directory, paths) == [
        f"_env/{env}.json",
        "any/t/test_a.json",
        f"{HERE}/t/test_a.json",
        f"{HERE}/t/test_a.samples.json",
        f"{HERE}/test_b.json",
    ]
    assert sorted(_files(directory)) == _touched(directory, paths)
    assert store.load(directory, HERE) == full


def test_unchanged_baselines_are_not_written(tmp_path: Path, full: Baseline) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    assert store.write(tmp_path, HERE, full, full) == []
    # A difference beyond the stored digits is not written.
    y = full.cases["t/test_a.py::test_y"]
    session = y.metrics["latency"].newest
    nearly = replace(
        y.metrics["latency"], sessions=(replace(session, runs=(session.runs[0] + 1e-12,)),)
    )
    after = replace(full, cases={**full.cases, y.case_id: replace(y, metrics={"latency": nearly})})
    assert after != full
    assert store.write(tmp_path, HERE, full, after) == []
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}


def test_only_files_with_a_change_are_written(
    tmp_path: Path, full: Baseline, case: Case, history: History
) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    z = case("test_b.py::test_z", energy=history("energy", (4.0,)))
    after = replace(full, cases={**full.cases, z.case_id: z})
    assert _touched(tmp_path, store.write(tmp_path, HERE, full, after)) == [f"{HERE}/test_b.json"]
    assert store.load(tmp_path, HERE) == after


def test_a_new_source_goes_to_both_folders_of_a_case(tmp_path: Path, full: Baseline) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    x = replace(full.cases["t/test_a.py::test_x[::]"], source="other")
    after = replace(full, cases={**full.cases, x.case_id: x})
    assert _touched(tmp_path, store.write(tmp_path, HERE, full, after)) == [
        "any/t/test_a.json",
        f"{HERE}/t/test_a.json",
    ]
    assert store.load(tmp_path, HERE) == after


def test_cases_without_a_change_stay_as_the_directory_has_them(
    tmp_path: Path, full: Baseline, case: Case, history: History
) -> None:
    """A pull during a long session must not be reverted by what was read before it."""
    store.write(tmp_path, HERE, EMPTY, full)
    pulled = case("t/test_a.py::test_y", latency=history("latency", (0.2,)))
    new = case("t/test_a.py::test_new", latency=history("latency", (0.3,)))
    theirs = replace(full, cases={**full.cases, pulled.case_id: pulled, new.case_id: new})
    store.write(tmp_path, HERE, full, theirs)
    x = replace(full.cases["t/test_a.py::test_x[::]"], front="other")
    ours = replace(full, cases={**full.cases, x.case_id: x})
    store.write(tmp_path, HERE, full, ours)
    assert store.load(tmp_path, HERE).cases == {**theirs.cases, x.case_id: x}


def test_a_dropped_case_removes_its_files_and_folders(tmp_path: Path, full: Baseline) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    after = _without(full, "t/test_a.py::test_x[::]", "t/test_a.py::test_y")
    assert _touched(tmp_path, store.write(tmp_path, HERE, full, after)) == [
        "any/t/test_a.json",
        f"{HERE}/t/test_a.json",
        f"{HERE}/t/test_a.samples.json",
    ]
    assert store.load(tmp_path, HERE) == after
    assert not (tmp_path / "any").exists()
    assert not (tmp_path / HERE / "t").exists()


def test_dropping_the_last_case_leaves_nothing(tmp_path: Path, full: Baseline) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    store.write(tmp_path, HERE, full, _without(full, *full.cases))
    assert list(tmp_path.iterdir()) == []


def test_other_machines_are_listed_with_their_metrics(tmp_path: Path, full: Baseline) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    other = store.load(tmp_path, "cpu-xx8")
    assert other.hardware_key == "cpu-xx8"
    assert {c: set(h.metrics) for c, h in other.cases.items()} == {
        "t/test_a.py::test_x[::]": {"flops"}
    }
    assert other.holder("t/test_a.py::test_x[::]", "latency") == HERE
    assert other.holder("t/test_a.py::test_x[::]", "flops") is None
    assert other.holder("test_b.py::test_gone", "latency") is None
    assert store.load(tmp_path, HERE).elsewhere == {}


def test_this_machine_s_own_entry_takes_precedence(
    tmp_path: Path, full: Baseline, case: Case, history: History
) -> None:
    """Another machine recorded a metric with the scope `anywhere`; this one has not yet."""
    store.write(tmp_path, HERE, EMPTY, full)
    flops = full.cases["t/test_a.py::test_x[::]"].metrics["flops"]
    theirs = case("test_b.py::test_z", source="newer", energy=replace(flops, unit="J"))
    store.write(tmp_path, "cpu-xx8", EMPTY, replace(full, cases={theirs.case_id: theirs}))
    assert store.load(tmp_path, HERE).cases == full.cases
    assert store.load(tmp_path, "cpu-xx8").cases[theirs.case_id] == theirs


def test_a_metric_that_changes_scope_moves(
    tmp_path: Path, full: Baseline, case: Case, history: History
) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    flops = full.cases["t/test_a.py::test_x[::]"].metrics["flops"]
    z = case("test_b.py::test_z", energy=replace(flops, unit="J"))
    after = replace(full, cases={**full.cases, z.case_id: z})
    assert _touched(tmp_path, store.write(tmp_path, HERE, full, after)) == [
        "any/test_b.json",
        f"{HERE}/test_b.json",
    ]
    assert not (tmp_path / HERE / "test_b.json").exists()
    assert store.load(tmp_path, HERE) == after


def test_an_unused_environment_is_removed(
    tmp_path: Path, gpu: Environment, case: Case, history: History
) -> None:
    newer = replace(gpu, software={"torch": "2.14.0"})
    old_key, new_key = environment_key(gpu), environment_key(newer)
    case_id = "test_b.py::test_z"
    old = Baseline(HERE, {case_id: case(case_id, energy=history("energy", (3.0,)))}, {old_key: gpu})
    updated = case(case_id, energy=history("energy", (3.0,), env=new_key))
    new = replace(old, cases={case_id: updated}, environments={old_key: gpu, new_key: newer})
    for key in (HERE, "nvidia-h200x2"):
        store.write(tmp_path, key, EMPTY, old)
    assert _touched(tmp_path, store.write(tmp_path, HERE, old, new)) == [
        f"_env/{new_key}.json",
        f"{HERE}/test_b.json",
    ]
    assert set(store.load(tmp_path, HERE).environments) == {old_key, new_key}
    assert f"_env/{old_key}.json" in _touched(
        tmp_path, store.write(tmp_path, "nvidia-h200x2", old, new)
    )
    assert store.load(tmp_path, HERE).environments == {new_key: newer}


def test_another_machine_s_dangling_reference_is_kept(
    tmp_path: Path, full: Baseline, gpu: Environment, case: Case, history: History
) -> None:
    cpu = replace(gpu, gpu_product=None, gpu_count=0)
    key = environment_key(cpu)
    a = case("test_b.py::test_a", latency=history("latency", (1.0,), env=key))
    store.write(tmp_path, "cpu-xx8", EMPTY, Baseline("cpu-xx8", {a.case_id: a}, {key: cpu}))
    (tmp_path / "_env" / f"{key}.json").unlink()
    store.write(tmp_path, HERE, EMPTY, full)
    assert store.load(tmp_path, HERE).cases == full.cases
    with pytest.raises(BaselineError, match=rf"expected an environment of _env/, got '{key}'"):
        store.load(tmp_path, "cpu-xx8")


def test_a_dangling_reference_of_this_machine_is_an_error(tmp_path: Path, full: Baseline) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    (env,) = full.environments
    (tmp_path / "_env" / f"{env}.json").unlink()
    with pytest.raises(BaselineError, match=rf"expected an environment of _env/, got '{env}'"):
        store.load(tmp_path, HERE)


def test_a_corrupt_file_of_another_machine_is_an_error_here_too(
    tmp_path: Path, full: Baseline
) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    (tmp_path / HERE / "test_b.json").write_text("<<<<<<< HEAD\n")
    with pytest.raises(BaselineError, match=r"test_b\.json: unresolved merge conflict at line 1"):
        store.load(tmp_path, "cpu-xx8")


@pytest.mark.parametrize(
    ("runs", "samples", "problem"),
    [
        ((float("nan"),), True, r"runs\[0\]: expected a finite number, got nan"),
        ((), True, "Expected `array` of length >= 1"),
        ((0.5,), False, "expected the samples of a paired metric"),
    ],
)
def test_unreadable_text_is_not_written(
    tmp_path: Path,
    full: Baseline,
    case: Case,
    history: History,
    runs: tuple[float, ...],
    samples: bool,
    problem: str,
) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    old = _files(tmp_path)
    accuracy = history("accuracy", runs)
    bad = case(
        "test_b.py::test_z", accuracy=accuracy if samples else replace(accuracy, samples=None)
    )
    after = replace(full, cases={**full.cases, bad.case_id: bad})
    with pytest.raises(BaselineError, match=problem) as caught:
        store.write(tmp_path, HERE, full, after)
    assert str(caught.value).startswith("refused to write ")
    assert _files(tmp_path) == old


@pytest.mark.parametrize("case_id", ["../x/test_a.py::t", "/x/test_a.py::t", "a\\b.py::t"])
def test_hostile_ids_write_nothing(
    tmp_path: Path, full: Baseline, case: Case, history: History, case_id: str
) -> None:
    directory = tmp_path / "deep" / "baselines"
    after = replace(
        full, cases={**full.cases, case_id: case(case_id, latency=history("latency", (1.0,)))}
    )
    with pytest.raises(ParetoError, match="cannot have a baseline"):
        store.write(directory, HERE, EMPTY, after)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_failing_write_leaves_the_old_baseline(
    tmp_path: Path, full: Baseline, monkeypatch: pytest.MonkeyPatch, function: str, call: int
) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    old = _files(tmp_path)
    after = replace(
        full, cases={c: replace(h, front="g", source="t") for c, h in full.cases.items()}
    )
    real, calls = getattr(os, function), 0

    def fails(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(os, function, fails)
    with pytest.raises(BaselineError, match="The old baseline is intact"):
        store.write(tmp_path, HERE, full, after)
    assert _files(tmp_path) == old
    monkeypatch.undo()
    store.write(tmp_path, HERE, full, after)
    assert store.load(tmp_path, HERE) == after


def test_referenced_files_are_written_first_and_removed_last(
    tmp_path: Path, full: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    replaces, unlinks = os.replace, os.unlink

    def recorded_replace(source: str, target: str) -> None:
        steps.append(Path(target).relative_to(tmp_path).as_posix())
        replaces(source, target)

    def recorded_unlink(path: Path | str, **about: Any) -> None:
        if isinstance(path, Path) and path.suffix == ".json" and path.parent.name != COMMITTED:
            steps.append(path.relative_to(tmp_path).as_posix())
        unlinks(path, **about)

    monkeypatch.setattr(os, "replace", recorded_replace)
    monkeypatch.setattr(os, "unlink", recorded_unlink)
    (env,) = full.environments
    expected = [
        f"_env/{env}.json",
        f"{HERE}/t/test_a.samples.json",
        "any/t/test_a.json",
        f"{HERE}/t/test_a.json",
        f"{HERE}/test_b.json",
    ]
    store.write(tmp_path, HERE, EMPTY, full)
    assert steps == expected
    steps.clear()
    store.write(tmp_path, HERE, full, _without(full, *full.cases))
    assert steps == [*expected[2:], expected[1], expected[0]]


def test_reading_and_planning_need_no_heavy_import() -> None:
    """Reading a baseline needs only `msgspec` and the standard library."""
    program = (
        "import sys, pytest_pareto.baseline.store, pytest_pareto.baseline.updates\n"
        "heavy = {'numpy', 'scipy', 'torch', 'pynvml', 'pytest', 'pickle'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(os.name != "posix", reason="devices and pipes of POSIX")
@pytest.mark.parametrize("bomb", ["device", "pipe", "large"])
def test_a_bomb_in_place_of_a_file_is_refused_at_once(
    tmp_path: Path, full: Baseline, bomb: str
) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    file = tmp_path / HERE / "test_b.json"
    file.unlink()
    if bomb == "device":
        file.symlink_to("/dev/zero")
    elif bomb == "pipe":
        os.mkfifo(file)
    else:
        file.write_bytes(b" " * (33 * 2**20))
    with pytest.raises(BaselineError, match=r"test_b\.json: .*Restore it from git\."):
        store.load(tmp_path, HERE)


@pytest.mark.parametrize("name", [".json", "..json", "...json"])
def test_a_file_of_no_module_is_refused_by_name(tmp_path: Path, full: Baseline, name: str) -> None:
    store.write(tmp_path, HERE, EMPTY, full)
    (tmp_path / HERE / name).write_text('{"schema": 1, "cases": {}}')
    with pytest.raises(BaselineError, match=rf"^{re.escape(name)}: no test file has its results"):
        store.load(tmp_path, HERE)
