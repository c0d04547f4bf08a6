"""Rows, bounds and the table: what misses is marked, and everything fits 100 columns."""

from pathlib import Path

import pytest

from benchmarks.calibration.rows import (
    Bound,
    Row,
    at_least,
    at_most,
    share_of,
    spread_out,
)
from benchmarks.calibration.table import BEGIN, BESIDE_PEERS, END, HEAD, Finished, cells, fill


@pytest.mark.parametrize(
    ("bound", "inside", "outside", "text"),
    [
        (at_most(7.5), 0.075, 0.076, "≤ 7.5"),
        (at_least(95), 0.95, 0.949, "≥ 95"),
        (Bound(0.75, 0.85), 0.8, 0.86, "75-85"),
        (Bound(0.75, 0.85), 0.75, 0.74, "75-85"),
    ],
)
def test_a_bound(bound: Bound, inside: float, outside: float, text: str) -> None:
    assert bound.holds(inside)
    assert not bound.holds(outside)
    assert str(bound) == text


def test_a_row_without_a_bound_is_only_told() -> None:
    assert not Row("x", 10, 0.99).missed
    assert Row("x", 10, 0.99, at_most(5)).missed


def test_only_independent_draws_have_an_error() -> None:
    assert Row("x", 100, 0.5, simulated=True).error == pytest.approx(0.05)
    assert Row("x", 100, 0.0, simulated=True).error == pytest.approx(0.0099, abs=1e-4)
    assert Row("x", 100, 0.5).error is None


def test_cells_are_in_per_cent() -> None:
    row = Row("x", 12_345, 0.0444, at_most(4), {"asv": 0.251}, simulated=True)
    assert cells(row) == ("x", "12,345", "4.4 ±0.2", "≤ 4 ✗", "·", "25", "·", "·", "·", "·")
    assert cells(Row("x", 10, 0.9996))[2] == "100"
    assert cells(Row("x", 10, 0.9994))[2] == "99.9"


def test_a_line_fits_a_hundred_columns() -> None:
    assert len(BESIDE_PEERS.line(HEAD)) == 100


def test_items_are_picked_evenly_and_never_too_many() -> None:
    assert list(spread_out(range(10), 5)) == [0, 2, 4, 6, 8]
    assert list(spread_out(range(11), 5)) == [0, 3, 6, 9]
    assert list(spread_out(range(3), 5)) == [0, 1, 2]
    assert share_of([True, False, False, True]) == 0.5


def test_the_page_is_filled_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n", encoding="utf-8")
    table = BESIDE_PEERS.markdown([Finished("Title", (Row("x", 10, 0.5),), 1.0)])
    for _ in range(2):
        fill(page, table)
        assert page.read_text(encoding="utf-8") == f"before\n{BEGIN}\n{table}\n{END}after\n"
    assert "| **Title** |" in table
    assert "| x | 10 | 50.0 |" in table


def test_a_page_without_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the lines"):
        fill(page, "")
    assert page.read_text(encoding="utf-8") == "nothing\n"
