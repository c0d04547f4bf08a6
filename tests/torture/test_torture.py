"""The harness of the fault matrix: a few hundred faults hold, and planted mistakes are seen.

The whole of it is ``make torture``.
"""

import random
from pathlib import Path

import pytest

from benchmarks.torture import __main__ as command
from benchmarks.torture import material, mutants
from benchmarks.torture.bombs import BOMBS
from benchmarks.torture.lives import GROUPS
from benchmarks.torture.mutations import mutated
from benchmarks.torture.oracle import Fate
from benchmarks.torture.rows import Row, in_columns, markdown, measured
from tests.busy import needs_wait_times

pytestmark = needs_wait_times  # forks, /proc and signals: Linux


def readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the kinds of files whose project has to be recorded first."""
    h200 = (material.H200 / "pareto_baselines", material.H200 / "planted.json")
    few = [
        mutants.OfABaseline("baseline", 0.5, *h200),
        mutants.OfAJournal("journal", 0.2, *h200),
        mutants.OfNewResults("results", 0.3, *h200),
    ]
    monkeypatch.setattr(mutants, "readers", lambda _: few)


def faults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int, broken: str | None = None
) -> Row:
    readers(monkeypatch)
    monkeypatch.chdir(tmp_path)
    found = mutants.run(
        material.Material(tmp_path), tmp_path, count=count, seed=7, broken=broken, processes=1
    )
    whole = Row("all", "all")
    for row in found:
        whole.merge(row)
    return whole


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # forks
def test_mutated_files_are_refused_told_or_as_red_as_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = faults(monkeypatch, tmp_path, 160)
    assert whole.broken == [], whole.examples
    assert whole.count > 160
    assert min(whole.fates[fate] for fate in (Fate.REFUSED, Fate.RED, Fate.REPORTED)) > 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_error_that_is_let_out_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert faults(monkeypatch, tmp_path, 60, "key-error").fates[Fate.TRACEBACK] > 0


def test_a_mutant_is_made_of_its_seed_alone() -> None:
    data = (material.H200 / "planted.json").read_bytes()
    made = [mutated(data, random.Random(seed)) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_the_matrix_names_what_is_broken() -> None:
    row = Row("Part", "a fault")
    row.add(Fate.RED, seconds=0.5)
    assert row.broken == []
    row.add(Fate.SILENT, "number 7", seconds=2.0, mb=300.0)
    assert row.broken == ["1 silent", "2.0 s", "300 MB"]
    assert row.examples == ["silent (2.00 s, 300 MB): number 7"]
    other = Row("Part", "a kill")
    other.add(Fate.NEW)
    assert "| a kill | 1 | 1 new | 0 | 0 | 0 |  |  |\n" in markdown([other])
    assert "| a fault | 2 | 1 red | 0 | 1 | 0 | 2.00 | 300 |\n" in markdown([row])
    assert [line.split() for line in in_columns([row])][1:] == [
        ["Part"],
        ["a", "fault", "2", "1", "red", "0", "1", "0", "2.00", "300"],
    ]


def test_memory_that_is_freed_again_was_taken() -> None:
    with measured() as cost:
        bytearray(64 * 2**20)
    assert 60 < cost.mb < 80
    with measured() as cost:
        pass
    assert cost.mb < 10


def test_the_page_holds_a_whole_run() -> None:
    page = command.PAGE.read_text(encoding="utf-8")
    _, _, rest = page.partition(command.MARKS[0])
    matrix, end, _ = rest.partition(command.MARKS[1])
    assert end
    rows = [line.split(" | ") for line in matrix.splitlines() if line.startswith("| ")]
    counts = [int(row[1].replace(",", "")) for row in rows if row[1].replace(",", "").isdigit()]
    assert sum(counts) >= sum(command.LEAST.values())
    assert {tuple(row[3:6]) for row in rows[1:] if row[1].strip()} == {("0", "0", "0")}
    for name in (*GROUPS, *BOMBS):
        assert f"| {name} |" in matrix


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "broken"),
    [("mutations", "mean"), ("kills", "journal"), ("lives", "green"), ("bombs", "bound")],
)
def test_what_is_left_out_is_seen(part: str, broken: str) -> None:
    assert command.main([part, "--count=2000", f"--break={broken}"]) == 1
