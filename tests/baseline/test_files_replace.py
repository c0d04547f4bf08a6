"""Replacing files all together or not at all, whatever fails."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pareto.baseline import files
from pytest_pareto.model.errors import BaselineError

FailAt = Callable[[str, int, BaseException], Callable[[], int]]
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
    files.replace_all({directory / name: text for name, text in NEW.items()})


def test_files_are_replaced_created_and_removed(directory: Path) -> None:
    _replace(directory)
    assert _content(directory) == {k: v for k, v in NEW.items() if v is not None}


def test_new_files_have_the_usual_permissions(directory: Path) -> None:
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
    directory: Path, fail_at: FailAt, function: str, call: int, named: str
) -> None:
    calls = fail_at(function, call, OSError(28, "No space left on device"))
    with pytest.raises(BaselineError) as caught:
        _replace(directory)
    assert calls() >= call
    assert str(caught.value) == (
        f"{(directory / named).as_posix()}: cannot be written (No space left on device). "
        "The old baseline is intact."
    )
    assert _content(directory) == OLD


def test_an_interrupt_leaves_the_old_baseline_and_stays_an_interrupt(
    directory: Path, fail_at: FailAt
) -> None:
    fail_at("replace", 2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        _replace(directory)
    assert _content(directory) == OLD


def test_a_file_that_cannot_be_restored_is_named(
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
from pytest_pareto.baseline import files

directory, function, call, new = json.loads(sys.argv[1])
real, calls = getattr(os, function), 0

def patched(*arguments, **keywords):
    global calls
    calls += 1
    if calls == call:
        os._exit(9)
    return real(*arguments, **keywords)

setattr(os, function, patched)
files.replace_all({Path(directory, name): text for name, text in new.items()})
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
    # Leftovers of the crash are never read as a baseline.
    read = [path.relative_to(directory).as_posix() for path in files.json_files(directory)]
    assert sorted(read) == sorted(OLD)


@pytest.mark.parametrize("name", ["", "none", "none/deeper"])
def test_a_writable_folder_passes_and_is_unchanged(directory: Path, name: str) -> None:
    files.check_writable(directory / name)
    assert _content(directory) == OLD
    assert not (directory / "none").exists()


@pytest.mark.parametrize("name", ["a.json", "a.json/deeper"])
def test_a_file_is_not_a_folder_for_a_baseline(directory: Path, name: str) -> None:
    with pytest.raises(BaselineError, match=r"/a\.json is a file where the baseline needs"):
        files.check_writable(directory / name)


def test_writability_is_tested_by_writing(directory: Path, fail_at: FailAt) -> None:
    """A full disk passes `os.access`; only writing fails."""
    assert os.access(directory, os.W_OK)
    fail_at("fsync", 1, OSError(28, "No space left on device"))
    with pytest.raises(BaselineError) as caught:
        files.check_writable(directory / "none")
    assert str(caught.value) == (
        f"{directory.as_posix()}/none: no baseline can be written here (No space left on device: "
        f"{directory.as_posix()}). Change its permissions."
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


@pytest.fixture
def linked(directory: Path) -> Path:
    """The directory with links: one to outside, one to a missing file, and one to be removed."""
    outside = directory / "elsewhere"
    outside.mkdir()
    for name in ("a.json", "c.json"):
        (directory / name).rename(outside / name)
        (directory / name).symlink_to(outside / name)
    (directory / "e" / "f").mkdir(parents=True)
    (directory / "e" / "f" / "new.json").symlink_to("../../elsewhere/later/new.json")
    return directory


def test_a_text_is_written_to_the_target_of_a_link(linked: Path) -> None:
    """The target may be outside the folder or not exist yet; the links stay links."""
    _replace(linked)
    assert (linked / "a.json").is_symlink()
    assert (linked / "elsewhere" / "a.json").read_text() == "new a"
    assert (linked / "e" / "f" / "new.json").is_symlink()
    assert (linked / "elsewhere" / "later" / "new.json").read_text() == "new f"
    assert not (linked / "c.json").is_symlink()
    assert (linked / "elsewhere" / "c.json").read_text() == "old c"
    assert not list(linked.rglob(".*.tmp"))


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_failure_leaves_links_unchanged(linked: Path, fail_at: FailAt, call: int) -> None:
    reached = fail_at("replace", call, OSError(5, "Input/output error"))
    with pytest.raises(BaselineError, match="The old baseline is intact"):
        _replace(linked)
    assert reached() >= call
    _check_links(linked)


def test_a_removed_link_is_restored(linked: Path, fail_at: FailAt) -> None:
    texts = {linked / "c.json": None, linked / "d" / "b.json": "new b"}
    fail_at("replace", 1, OSError(5, "Input/output error"))
    with pytest.raises(BaselineError, match="The old baseline is intact"):
        files.replace_all(texts)
    _check_links(linked)


def _check_links(linked: Path) -> None:
    assert (linked / "a.json").is_symlink()
    assert (linked / "elsewhere" / "a.json").read_text() == "old a"
    assert (linked / "c.json").is_symlink()
    assert (linked / "c.json").read_text() == "old c"
    assert (linked / "d" / "b.json").read_text() == "old b"
    assert (linked / "e" / "f" / "new.json").is_symlink()
    assert not (linked / "elsewhere" / "later" / "new.json").exists()


def test_two_links_to_one_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("old")
    (tmp_path / "c.json").symlink_to("a.json")
    with pytest.raises(BaselineError, match=r"two files of the baseline are links to .*a\.json"):
        files.replace_all({tmp_path / "c.json": "C", tmp_path / "a.json": "A"})
    assert (tmp_path / "a.json").read_text() == "old"
