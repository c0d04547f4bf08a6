"""A baseline with the digits that its files keep."""

from dataclasses import replace
from pathlib import Path

from pytest_pareto.baseline.codec import as_stored
from pytest_pareto.baseline.store import load, write
from pytest_pareto.model.attribution import Breakdown, Part
from pytest_pareto.model.baseline import Baseline
from tests.sessions import Levels, baseline, remembered


def test_as_stored_equals_writing_and_reading(tmp_path: Path) -> None:
    levels: Levels = {"device": [1 / 3, 2 / 3], "score": [[1 / 3, 0.25]] * 2}
    known, other = remembered("m.py::a", levels), remembered("n.py::b", {"device": [1 / 7]})
    parts = Breakdown((Part("aten::mm", 0.5, 2.0),), rest=0.125, folded=3)
    device = replace(known.metrics["device"], breakdown=parts)
    held = baseline(replace(known, metrics={**known.metrics, "device": device}), other)
    empty = Baseline(held.hardware_key, {}, {})
    write(tmp_path, held.hardware_key, empty, held)
    assert as_stored(held) == load(tmp_path, held.hardware_key)
    assert as_stored(held) != held
    assert as_stored(held).cases["m.py::a"].metrics["device"].breakdown == parts
