"""Tests of paths as they are typed."""

import os
from pathlib import Path

import pytest

from pytest_pareto.report.text import relative_path


@pytest.mark.parametrize(
    ("path", "spelled"),
    [("/a/b/c/d.py", "c/d.py"), ("/a/x", "../x"), ("/a/b", "."), ("/a/b/../b/e", "e")],
)
def test_path_is_relative_to_the_working_directory(path: str, spelled: str) -> None:
    assert relative_path(Path(path), Path("/a/b")) == spelled


def test_path_on_another_drive_stays_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    def relpath(*_: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", relpath)
    assert relative_path(Path("/a/b"), Path("/a")) == "/a/b"
