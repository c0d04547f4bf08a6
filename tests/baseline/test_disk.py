"""Files replaced all together or not at all, whatever fails on the way."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_pareto.baseline import disk
from pytest_pareto.model.errors import BaselineError

OLD = {"a.json": "old a", "d/b.json": "old b", "c.json": "old c"}
NEW = {"a.json": "new a", "d/b.json": "new b", "c.json": None, "e/f/new.json": "new f"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory that holds `OLD`."""
    for name, text in OLD.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def _content(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_text() for path in files}


def _replace(directory: Path) -> None:
    disk.replace_all({directory / name: text for name, text in NEW.items()})


def _fail_at(
    monkeypatch: pytest.MonkeyPatch, name: str, call: int, error: BaseException
) -> Callable[[], int]:
    """Let the n-th call of an os function fail; return a count of its calls."""
    real = getattr(os, name)
    calls = 0

    def patched(*arguments: Any, **keywords: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise error
        return real(*arguments, **keywords)

    monkeypatch.setattr(os, name, patched)
    return lambda: calls


def test_files_are_written_made_and_removed(directory: Path) -> None:
    _replace(directory)
    assert _content(directory) == {k: v for k, v in NEW.items() if v is not None}


def test_new_files_are_as_readable_as_any_other(directory: Path) -> None:
    _replace(directory)
    (directory / "plain").touch()
    assert (directory / "a.json").stat().st_mode == (directory / "plain").stat().st_mode


@pytest.mark.parametrize(
    ("function", "call", "named"),
    [
        ("fsync", 1, "a.json"),
        ("fsync", 2, "d/b.json"),
        ("fsync", 3, "e/f/new.json"),
        ("replace", 1, "a.json"),
        ("replace", 2, "d/b.json"),
        ("replace", 3, "e/f/new.json"),
        ("unlink", 1, "c.json"),
    ],
)
def test_any_failure_leaves_the_old_baseline(
    directory: Path, monkeypatch: pytest.MonkeyPatch, function: str, call: int, named: str
) -> None:
    calls = _fail_at(monkeypatch, function, call, OSError(28, "No space left on device"))
    with pytest.raises(BaselineError) as caught:
        _replace(directory)
    assert calls() >= call
    assert str(caught.value) == (
        f"{(directory / named).as_posix()}: cannot be written (No space left on device). "
        "The old baseline is intact."
    )
    assert _content(directory) == OLD


def test_an_interrupt_leaves_the_old_baseline_and_stays_an_interrupt(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_at(monkeypatch, "replace", 2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        _replace(directory)
    assert _content(directory) == OLD


def test_a_file_that_cannot_be_put_back_is_named(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace
    calls = 0

    def only_once(source: str, target: str) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(30, "Read-only file system")
        real(source, target)

    monkeypatch.setattr(os, "replace", only_once)
    with pytest.raises(BaselineError) as caught:
        _replace(directory)
    a, b = (directory / name for name in ("a.json", "d/b.json"))
    assert str(caught.value) == (
        f"{b.as_posix()}: cannot be written (Read-only file system). These files could not be "
        f"put back, restore them from git: {a.as_posix()}."
    )
    assert _content(directory) == OLD | {"a.json": "new a"}


def test_a_folder_in_the_place_of_a_file_is_an_error(directory: Path) -> None:
    (directory / "e/f/new.json").mkdir(parents=True)
    with pytest.raises(BaselineError, match="cannot be written"):
        _replace(directory)
    assert _content(directory) == OLD


_CRASH = """
import json, os, sys
from pathlib import Path
from pytest_pareto.baseline import disk

directory, function, call, new = json.loads(sys.argv[1])
real, calls = getattr(os, function), 0

def patched(*arguments, **keywords):
    global calls
    calls += 1
    if calls == call:
        os._exit(9)
    return real(*arguments, **keywords)

setattr(os, function, patched)
disk.replace_all({Path(directory, name): text for name, text in new.items()})
"""


@pytest.mark.parametrize(("function", "call", "replaced"), [("fsync", 2, 0), ("replace", 2, 1)])
def test_a_crash_leaves_every_file_whole(
    directory: Path, function: str, call: int, replaced: int
) -> None:
    arguments = json.dumps([str(directory), function, call, NEW])
    command = [sys.executable, "-c", _CRASH, arguments]
    assert subprocess.run(command, check=False).returncode == 9
    left = _content(directory)
    assert sum(left[name] == NEW[name] for name in OLD) == replaced
    assert all(left[name] in (OLD[name], NEW[name]) for name in OLD)
    # What the crash left behind is never taken for a baseline.
    read = [path.relative_to(directory).as_posix() for path in disk.json_files(directory)]
    assert sorted(read) == sorted(OLD)


def test_reading_text(tmp_path: Path) -> None:
    assert disk.read_text(tmp_path / "none.json") is None
    (tmp_path / "crlf.json").write_bytes(b"a\r\nb\r\n")
    assert disk.read_text(tmp_path / "crlf.json") == "a\nb\n"
    (tmp_path / "latin.json").write_bytes(b'{"\xff": 1}')
    with pytest.raises(BaselineError, match=r"latin\.json: expected UTF-8 text \(.*byte 2\)"):
        disk.read_text(tmp_path / "latin.json")
    with pytest.raises(BaselineError, match=r"cannot be read \(Is a directory\)"):
        disk.read_text(tmp_path)


def test_listing_json_files(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "README.md").touch()
    names = [path.relative_to(directory).as_posix() for path in disk.json_files(directory)]
    assert names == ["a.json", "c.json", "d/b.json"]
    assert disk.json_files(directory / "none") == []
    denied = PermissionError(13, "Permission denied", str(directory / "d"))
    _fail_at(monkeypatch, "scandir", 2, denied)
    with pytest.raises(BaselineError, match=r"/d: cannot be read \(Permission denied\)"):
        disk.json_files(directory)


def test_whether_a_directory_is_there(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk.directory_exists(directory)
    assert not disk.directory_exists(directory / "none")
    for path in (directory / "a.json", directory / "a.json" / "deeper" / "still"):
        with pytest.raises(BaselineError, match=r"/a\.json is a file where the baseline needs"):
            disk.directory_exists(path)
    _fail_at(monkeypatch, "stat", 1, PermissionError(13, "Permission denied"))
    with pytest.raises(BaselineError, match=r"cannot be read \(Permission denied\)"):
        disk.directory_exists(directory)


@pytest.mark.parametrize("name", ["", "none", "none/deeper"])
def test_a_writable_place_passes_and_stays_as_it_was(directory: Path, name: str) -> None:
    disk.check_writable(directory / name)
    assert _content(directory) == OLD
    assert not (directory / "none").exists()


@pytest.mark.parametrize("name", ["a.json", "a.json/deeper"])
def test_a_file_is_no_place_for_a_baseline(directory: Path, name: str) -> None:
    with pytest.raises(BaselineError, match=r"/a\.json is a file where the baseline needs"):
        disk.check_writable(directory / name)


def test_writing_is_tried_and_not_asked_for(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk says yes to `os.access`; only writing tells."""
    assert os.access(directory, os.W_OK)
    _fail_at(monkeypatch, "fsync", 1, OSError(28, "No space left on device"))
    with pytest.raises(BaselineError) as caught:
        disk.check_writable(directory / "none")
    assert str(caught.value) == (
        f"{directory.as_posix()}/none: no baseline can be written here (No space left on device: "
        f"{directory.as_posix()}); change its permissions, or choose a directory with "
        "--pareto-baseline."
    )
    assert _content(directory) == OLD


def test_a_left_over_that_cannot_be_removed_hides_no_error(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "unlink", _denied)
    monkeypatch.setattr(os, "fsync", _denied)
    with pytest.raises(BaselineError, match="The old baseline is intact"):
        _replace(directory)


def _denied(*arguments: object, **keywords: object) -> None:
    raise PermissionError(13, "Permission denied")
