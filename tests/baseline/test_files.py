"""Reading folders and files, and the errors of that."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pareto.baseline import files
from pytest_pareto.model.errors import BaselineError

FailAt = Callable[[str, int, BaseException], Callable[[], int]]
FILES = ("a.json", "c.json", "d/b.json")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory that holds `FILES`."""
    (tmp_path / "d").mkdir()
    for name in FILES:
        (tmp_path / name).write_text("{}")
    return tmp_path


def test_reading_text(tmp_path: Path) -> None:
    assert files.read_text(tmp_path / "none.json") is None
    (tmp_path / "crlf.json").write_bytes(b"a\r\nb\r\n")
    assert files.read_text(tmp_path / "crlf.json") == "a\nb\n"
    (tmp_path / "latin.json").write_bytes(b'{"\xff": 1}')
    with pytest.raises(BaselineError, match=r"latin\.json: expected UTF-8 text \(.*byte 2\)"):
        files.read_text(tmp_path / "latin.json")
    with pytest.raises(BaselineError, match=r"cannot be read \(Is a directory\)"):
        files.read_text(tmp_path)


def test_listing_json_files(directory: Path, fail_at: FailAt) -> None:
    (directory / "README.md").touch()
    names = [path.relative_to(directory).as_posix() for path in files.json_files(directory)]
    assert names == [*FILES]
    assert files.json_files(directory / "none") == []
    denied = PermissionError(13, "Permission denied", str(directory / "d"))
    fail_at("scandir", 2, denied)
    with pytest.raises(BaselineError, match=r"/d: cannot be read \(Permission denied\)"):
        files.json_files(directory)


def test_whether_a_directory_exists(directory: Path, fail_at: FailAt) -> None:
    assert files.directory_exists(directory)
    assert not files.directory_exists(directory / "none")
    for path in (directory / "a.json", directory / "a.json" / "deeper" / "still"):
        with pytest.raises(BaselineError, match=r"/a\.json is a file where the baseline needs"):
            files.directory_exists(path)
    fail_at("stat", 1, PermissionError(13, "Permission denied"))
    with pytest.raises(BaselineError, match=r"cannot be read \(Permission denied\)"):
        files.directory_exists(directory)


def test_errors_name_the_option_of_the_folder(directory: Path) -> None:
    with (
        pytest.raises(BaselineError, match=r"a directory\. Choose another folder with --this\.$"),
        files.naming_option("--this"),
    ):
        files.directory_exists(directory / "a.json")
