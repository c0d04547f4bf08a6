"""Folders that are whole or not there."""

from pathlib import Path

import pytest

from pytest_pareto.outputs.folders import locked, remove


def test_what_is_being_removed_has_its_name_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever is killed while removing leaves a folder that lacks some of its files."""
    folder = tmp_path / "album"
    folder.mkdir()
    (folder / "image").write_text("")
    with monkeypatch.context() as killed:
        killed.setattr("shutil.rmtree", lambda path, **_: None)
        remove(folder)
    assert not folder.exists()
    assert [path.name.startswith(".made-") for path in tmp_path.iterdir()] == [True]
    with locked(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
