"""What levels consist of is recorded in one process of a session, within the bytes of a case."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.model.attribution import CASE_BYTES
from pytest_pareto.model.run import Run as MeasuredRun
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.results.reader import load_record
from tests.plugin.test_against import Repository, make_repository

if TYPE_CHECKING:
    from tests.plugin.conftest import Run

METER = """
import random
from pytest_pareto.meters import Better, Kind, Measurement, Metric, Scope
from pytest_pareto.model.attribution import Part, breakdown_of

TICKS = Metric("ticks", "s", Better.LOWER, Kind.RUN, Scope.HOST, 0.05, relative=True)

class Ticks:
    metrics = (TICKS,)

    def absence(self):
        return None

    def measure(self, calls):
        parts = breakdown_of(Part(name, value, 1) for name, value in calls.prepare()().items())
        return [Measurement(TICKS, (parts.total * random.gauss(1, 0.001),), breakdown=parts)]

def pytest_pareto_meters(config):
    return [Ticks()]
"""
TEST = """
def test_work(pareto):
    parts = {"load in Net.a": 0.01, "mul in Net.b": 0.02}
    pareto.configure(metrics=["ticks"]).measure(lambda: parts)
"""
CASE = "test_it.py::test_work"


def write(folder: Path, *, slow: bool = False) -> None:
    (folder / "conftest.py").write_text(METER)
    (folder / "test_it.py").write_text(TEST.replace("0.02", "0.09") if slow else TEST)


def known(runs: Sequence[MeasuredRun], case_id: str = CASE) -> list[bool]:
    """Return of each run whether it knows what its level consists of."""
    found = [run.cases[case_id].measurement("ticks") for run in runs]
    return [each is not None and each.breakdown is not None for each in found]


def recorded(pytester: pytest.Pytester, run: "Run", *arguments: str) -> SessionRecord:
    run("--pareto", "--pareto-json=found.json", *arguments)
    return load_record(pytester.path / "found.json")[1]


@pytest.mark.parametrize(
    ("arguments", "profiled"), [((), [True]), (("--pareto-runs=3",), [True, False, False])]
)
def test_one_process_of_a_session_records_parts(
    pytester: pytest.Pytester, run: "Run", arguments: tuple[str, ...], profiled: list[bool]
) -> None:
    write(pytester.path)
    record = recorded(pytester, run, *arguments)
    assert known(record.runs) == profiled


def test_what_is_measured_again_is_not_profiled(pytester: pytest.Pytester, run: "Run") -> None:
    write(pytester.path)
    run("--pareto", "--pareto-update", "--pareto-runs=2")
    write(pytester.path, slow=True)
    record = recorded(pytester, run, "--pareto-confirm=2")
    assert (known(record.runs), known(record.again)) == ([True], [False, False])
    # The session's own run explains what the others have confirmed.
    page = json.loads((pytester.path / "found.json").read_text())
    (metric,) = page["metrics"]
    assert metric["outcome"] == "WORSE"
    (moved,) = metric["attribution"]["contributions"]
    assert moved["name"] == "mul in Net.b"
    assert moved["candidate"] - moved["baseline"] == pytest.approx(0.07)


MANY = """
import pytest

@pytest.mark.parametrize("n", range(3))
def test_many(pareto, n):
    pareto.configure(metrics=["ticks"]).measure(
        lambda: {f"an operation {i} of many in Net.layer.{i % 50}": 1 / (1 + i) for i in range(900)}
    )
"""


def test_a_case_takes_2_kb_however_many_parts_it_has(pytester: pytest.Pytester, run: "Run") -> None:
    write(pytester.path)
    (pytester.path / "test_it.py").write_text(MANY)
    run("--pareto", "--pareto-update", "--pareto-runs=1")
    (file,) = (pytester.path / "pareto_baselines").rglob("test_it.profile.json")
    content = json.loads(file.read_text())
    frame = {"cases": {}, "schema": 1}
    assert len(content["cases"]) == 3
    size = (file.stat().st_size - len(json.dumps(frame, indent=2))) / 3
    assert CASE_BYTES / 2 < size <= CASE_BYTES + 2 * len("test_many[0]")
    ((_, _, folded, _),) = content["cases"]["test_many[0]"]["metrics"].values()
    assert folded > 800


# Old code beside the new


def against(repository: Repository, *arguments: str) -> tuple[str, SessionRecord]:
    """Compare the working tree with HEAD; return what was printed, and what was recorded."""
    once = ("--pareto-against=HEAD", "--pareto-runs=2", "--pareto-json=found.json")
    done = repository.run(*once, *arguments)
    file = repository.path / "found.json"
    assert file.exists(), done.stdout + done.stderr
    return done.stdout, load_record(file)[1]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Work of two parts, and a change that makes one of them slower."""
    made = make_repository(tmp_path)
    tests = made.path / "tests"
    write(tests)
    (tests / "test_work.py").unlink()
    test = (tests / "test_it.py").read_text()
    (tests / "test_it.py").write_text(f"import mypkg\n{test.replace('0.02', 'mypkg.SECONDS')}")
    made.commit("Work of two parts")
    made.change("0.02", "0.09")
    return made


def test_the_first_pair_has_the_parts_of_both_sides(repository: Repository) -> None:
    text, record = against(repository, "--pareto-confirm=1")
    assert known(record.runs, f"tests/{CASE}") == [True, False]
    assert known(record.old_runs, f"tests/{CASE}") == [True, False]
    assert record.again
    assert not any(known((*record.again, *record.old_again), f"tests/{CASE}"))
    assert "why: +70 ms  mul in Net.b: 20 → 90 ms\n" in text


ONE_AT_A_TIME = """
import pytest

@pytest.fixture(autouse=True)
def alone(pytestconfig):
    # As on a device whose memory is enough for one model.
    spec = pytestconfig.getoption("--pareto-child")
    if spec and json.loads(pathlib.Path(spec).read_text())["turns"]:
        raise MemoryError
"""


@pytest.mark.slow  # eight processes, after two that fail
def test_of_blocks_the_first_run_of_each_side_has_them(repository: Repository) -> None:
    conftest = repository.path / "tests" / "conftest.py"
    conftest.write_text(f"import json, pathlib\n{conftest.read_text()}{ONE_AT_A_TIME}")
    text, record = against(repository, "--pareto-confirm=0")
    assert "could not live at the same time" in " ".join(text.split())
    assert known(record.runs, f"tests/{CASE}") == [True, *[False] * (len(record.runs) - 1)]
    assert known(record.old_runs, f"tests/{CASE}") == known(record.runs, f"tests/{CASE}")
