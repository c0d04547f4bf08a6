"""Updates of a baseline: whole after a kill at any moment, and one at a time."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pareto.baseline import files, store
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.errors import BaselineError

HERE = "nvidia-h200x1"
EMPTY = Baseline(HERE, {}, {})
KILLED = 9
STEPS = ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir", "open")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks, and locks of POSIX")
Case = Callable[..., CaseHistory]
History = Callable[..., MetricHistory]
Build = Callable[..., Baseline]


@pytest.fixture
def old(case: Case, history: History, baseline: Build) -> Baseline:
    return baseline(
        case(
            "t/test_a.py::test_x",
            accuracy=history("accuracy", (0.8,)),
            flops=history("flops", (1e12,)),
            latency=history("latency", (0.4, 0.41)),
        ),
        case("test_b.py::test_gone", latency=history("latency", (0.1,))),
    )


@pytest.fixture
def new(case: Case, history: History, baseline: Build) -> Baseline:
    return baseline(
        case(
            "t/test_a.py::test_x",
            accuracy=history("accuracy", (0.7,)),
            flops=history("flops", (2e12,)),
            latency=history("latency", (0.5, 0.51)),
        ),
        case("test_c.py::test_new", accuracy=history("accuracy", (0.6,))),
    )


@contextmanager
def dying(step: int) -> Iterator[None]:
    """Kill this process in the step-th call that changes a file, before it has any effect."""
    calls = 0

    def patched(real: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **keywords: object) -> object:
            nonlocal calls
            calls += 1
            if calls == step:
                os._exit(KILLED)
            return real(*arguments, **keywords)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, patched(getattr(os, name)))
        yield


def killed_at(step: int, action: Callable[[], object]) -> bool:
    """Run an action in a fork that dies at a step; return whether it died."""
    child = os.fork()
    if child == 0:
        try:
            with dying(step):
                action()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == KILLED


def hidden(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob(".*")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_kill_at_any_step_leaves_the_old_baseline_or_the_new(
    tmp_path: Path, old: Baseline, new: Baseline
) -> None:
    found = []
    for step in range(1, 400):
        directory = tmp_path / str(step)
        store.write(directory, HERE, EMPTY, old)
        before = store.load(directory, HERE)
        died = killed_at(step, lambda d=directory, b=before: store.write(d, HERE, b, new))  # type: ignore[misc]
        after = store.load(directory, HERE)
        assert after in (old, new), step
        assert hidden(directory) == [], step
        found.append(after == new)
        if not died:
            break
    assert not died
    assert len(found) > 40
    # Old up to one step, and new from there on.
    assert found == sorted(found)
    assert found.count(False) > 10
    assert found.count(True) > 10


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_a_kill_leaves_is_not_seen_by_git(
    tmp_path: Path, old: Baseline, new: Baseline
) -> None:
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    for step in range(1, 100, 4):
        directory = tmp_path / str(step)
        store.write(directory, HERE, EMPTY, old)
        before = store.load(directory, HERE)
        killed_at(step, lambda d=directory, b=before: store.write(d, HERE, b, new))  # type: ignore[misc]
        shown = subprocess.run(
            [*git, "status", "--porcelain", "-uall"], check=True, capture_output=True, text=True
        ).stdout
        assert "/." not in shown.replace('"', ""), shown


def test_a_file_that_hides_an_update_from_git_is_never_seen_half_written(
    tmp_path: Path, old: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git shows a `.gitignore` that is empty, as it is between its creation and its text."""
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    shown = []

    def write(path: Path, data: bytes) -> None:
        path.touch()
        status = [*git, "status", "--porcelain", "-uall"]
        shown.append(subprocess.run(status, check=True, capture_output=True, text=True).stdout)
        path.write_bytes(data)

    monkeypatch.setattr(files, "_write_durably", write)
    files._stage(tmp_path, tmp_path / files.STAGED, {tmp_path / "any" / "x.json": "{}"})
    assert shown == [""] * 3


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_recovery_that_is_killed_is_recovered(tmp_path: Path, old: Baseline, new: Baseline) -> None:
    for step in range(1, 400):
        directory = tmp_path / str(step)
        store.write(directory, HERE, EMPTY, old)
        before = store.load(directory, HERE)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "replace_all", lambda *_: os._exit(KILLED))
            assert killed_at(10**9, lambda d=directory, b=before: store.write(d, HERE, b, new))  # type: ignore[misc]
        died = killed_at(step, lambda d=directory: store.load(d, HERE))  # type: ignore[misc]
        assert store.load(directory, HERE) == new, step
        assert hidden(directory) == []
        if not died:
            break
    assert step > 10


def test_without_a_journal_a_kill_tears_the_baseline(
    tmp_path: Path, old: Baseline, new: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: files put in place one by one."""
    store.write(tmp_path, HERE, EMPTY, old)
    before = store.load(tmp_path, HERE)
    monkeypatch.setattr(store, "commit", lambda _, contents: files.replace_all(contents))
    torn = 0
    for step in range(1, 60):
        killed_at(step, lambda: store.write(tmp_path, HERE, before, new))
        try:
            torn += store.load(tmp_path, HERE) not in (old, new)
        except BaselineError:
            torn += 1
    assert torn > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_writer_finishes_what_another_one_left(
    tmp_path: Path, old: Baseline, new: Baseline
) -> None:
    store.write(tmp_path, HERE, EMPTY, old)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "replace_all", lambda *_: os._exit(KILLED))
        assert killed_at(10**9, lambda: store.write(tmp_path, HERE, old, new))
    front = {name: replace(case, front="other") for name, case in new.cases.items()}
    store.write(tmp_path, HERE, new, replace(new, cases=front))
    assert store.load(tmp_path, HERE).cases == front
    assert hidden(tmp_path) == []


def test_a_journal_that_leads_elsewhere_is_refused(tmp_path: Path, old: Baseline) -> None:
    directory = tmp_path / "baseline"
    store.write(directory, HERE, EMPTY, old)
    left = directory / files.COMMITTED
    for path in ("../x.json", "/elsewhere/x.json", "any/x.py"):
        left.mkdir()
        (left / "0.json").write_text("{}")
        (left / "manifest.json").write_text(f'{{"files":[["{path}","0.json"]]}}')
        with pytest.raises(BaselineError, match=r"is no file of the baseline\)\. Restore the"):
            store.load(directory, HERE)
        for file in left.iterdir():
            file.unlink()
        left.rmdir()
    assert store.load(directory, HERE) == old


@pytest.mark.parametrize(
    "manifest",
    ['{"files":[["any/x.json","\\u0000"]]}', "[" * 100_000, '{"files":[["a]ny/x.json",null]]}'],
    ids=["null byte", "deep", "no folder of a baseline"],
)
def test_a_damaged_journal_is_refused_by_name(tmp_path: Path, old: Baseline, manifest: str) -> None:
    store.write(tmp_path, HERE, EMPTY, old)
    (tmp_path / files.COMMITTED).mkdir()
    (tmp_path / files.COMMITTED / "manifest.json").write_text(manifest)
    with pytest.raises(BaselineError, match=r"was interrupted, and cannot be finished \("):
        store.load(tmp_path, HERE)


def test_another_process_is_waited_for(
    tmp_path: Path, old: Baseline, new: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(tmp_path, HERE, EMPTY, old)
    monkeypatch.setattr(files, "_WAIT_S", 0.2)
    with (
        files.locked(tmp_path),
        pytest.raises(BaselineError, match="another process is changing this baseline, and has"),
    ):
        store.write(tmp_path, HERE, old, new)
    assert store.load(tmp_path, HERE) == old
    store.write(tmp_path, HERE, old, new)
    assert store.load(tmp_path, HERE) == new


def test_an_update_of_what_another_process_has_changed_is_refused(
    tmp_path: Path, old: Baseline, new: Baseline
) -> None:
    store.write(tmp_path, HERE, EMPTY, old)
    front = {name: replace(case, front="other") for name, case in old.cases.items()}
    store.write(tmp_path, HERE, old, replace(old, cases=front))
    with pytest.raises(BaselineError, match="was changed by another process since this one has"):
        store.write(tmp_path, HERE, old, new)
    assert store.load(tmp_path, HERE).cases == front
