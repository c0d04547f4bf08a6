"""A baseline with the digits that its files keep."""

from pathlib import Path

from pytest_pareto.baseline.codec import as_stored
from pytest_pareto.baseline.store import load, write
from pytest_pareto.model.baseline import Baseline
from tests.sessions import Levels, baseline, remembered


def test_as_stored_equals_writing_and_reading(tmp_path: Path) -> None:
    levels: Levels = {"device": [1 / 3, 2 / 3], "score": [[1 / 3, 0.25]] * 2}
    held = baseline(remembered("m.py::a", levels), remembered("n.py::b", {"device": [1 / 7]}))
    empty = Baseline(held.hardware_key, {}, {})
    write(tmp_path, held.hardware_key, empty, held)
    assert as_stored(held) == load(tmp_path, held.hardware_key)
    assert as_stored(held) != held
