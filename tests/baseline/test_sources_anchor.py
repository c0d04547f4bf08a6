"""A configured anchor is read completely, or its error gives the reason."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_pareto.baseline.sources import load_anchor
from pytest_pareto.baseline.store import load, write
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.errors import BaselineError


@pytest.fixture
def full(
    case: Callable[..., CaseHistory],
    history: Callable[..., MetricHistory],
    baseline: Callable[..., Baseline],
) -> Baseline:
    return baseline(case("test_a.py::test_x", energy=history("energy", (3.0,))))


@pytest.fixture
def frozen(tmp_path: Path, full: Baseline) -> Path:
    folder = tmp_path / "anchor"
    write(folder, full.hardware_key, Baseline(full.hardware_key, {}, {}), full)
    return folder


def test_an_anchor_is_read_like_a_baseline(frozen: Path, full: Baseline) -> None:
    assert load_anchor(frozen, full.hardware_key) == load(frozen, full.hardware_key)


def test_an_anchor_of_another_machine_is_accepted(frozen: Path) -> None:
    anchor = load_anchor(frozen, "apple-m3-max")
    assert any(anchor.elsewhere.values())


def missing(folder: Path) -> None:
    """Remove the folder."""


def a_file(folder: Path) -> None:
    folder.write_text("")


def corrupt(folder: Path) -> None:
    (folder / "any").mkdir(parents=True)
    (folder / "any" / "test_a.json").write_text("<<<<<<< HEAD")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (missing, "there is no anchor in .*/anchor: freeze one by a copy of the baseline"),
        (Path.mkdir, "the anchor in .*/anchor holds no case: freeze one"),
        (a_file, r"the anchor cannot be used \(no update writes it.*is a file where"),
        (corrupt, r"the anchor cannot be used \(no update writes it.*test_a\.json"),
    ],
)
def test_an_unusable_anchor_is_an_error(
    tmp_path: Path, make: Callable[[Path], None], message: str
) -> None:
    make(tmp_path / "anchor")
    with pytest.raises(BaselineError, match=message):
        load_anchor(tmp_path / "anchor", "cpu")
