"""Texts of regular files, bounded before they are read."""

import os
import sys
from pathlib import Path

import pytest

from pytest_pareto.model.strict_json import JsonError, read_object, read_regular_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="devices and pipes of POSIX")


def test_the_text_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes("{é}\n".encode())
    assert read_regular_file(file, 5) == "{é}\n"
    link = tmp_path / "b.json"
    link.symlink_to(file)
    assert read_regular_file(link, 5) == "{é}\n"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    with file.open("wb") as sparse:
        sparse.truncate(10**12)
    with pytest.raises(JsonError, match=r"^it has 1000000\.0 MB, and at most 33\.6 MB are read$"):
        read_regular_file(file, 32 * 2**20)


@posix
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
def test_a_link_to_a_device_without_end(tmp_path: Path, device: str) -> None:
    link = tmp_path / "a.json"
    link.symlink_to(device)
    with pytest.raises(JsonError, match="it is a device or a pipe"):
        read_regular_file(link, 10)


@posix
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "a.json"
    os.mkfifo(pipe)
    with pytest.raises(JsonError, match="it is a device or a pipe"):
        read_regular_file(pipe, 10)


@posix
def test_what_cannot_be_read_is_an_error_of_the_system(tmp_path: Path) -> None:
    loop = tmp_path / "loop.json"
    loop.symlink_to(loop)
    for path, error in ((tmp_path, IsADirectoryError), (tmp_path / "no", FileNotFoundError)):
        with pytest.raises(error):
            read_regular_file(path, 10)
    with pytest.raises(OSError, match="symbolic links"):
        read_regular_file(loop, 10)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        read_regular_file(file, 10)


def test_a_million_objects_are_refused_before_they_are_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("json.loads", lambda *_, **__: pytest.fail("it was read"))
    text = '{"a":[' + ",".join(["[]"] * 1_000_000) + "]}"
    problem = r"^it has 1,000,002 objects and lists, and at most 1,000,000 are read$"
    with pytest.raises(JsonError, match=problem):
        read_object(text)
