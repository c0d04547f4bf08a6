"""Shared folders that are complete or absent."""

from pathlib import Path

import pytest

from pytest_pareto.outputs.folders import locked, remove_folder


def test_a_folder_is_renamed_before_it_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a process killed while removing would leave a folder with some files missing."""
    folder = tmp_path / "album"
    folder.mkdir()
    (folder / "image").write_text("")
    with monkeypatch.context() as killed:
        killed.setattr("shutil.rmtree", lambda path, **_: None)
        remove_folder(folder)
    assert not folder.exists()
    assert [path.name.startswith(".made-") for path in tmp_path.iterdir()] == [True]
    with locked(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
