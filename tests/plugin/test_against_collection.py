"""Which tests older code has: listed by a process that runs none of them."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pytest_pareto.plugin.fresh_processes import ChildLine, ChildSpec

TESTS = """
import pytest

@pytest.fixture
def through(pareto):
    return pareto

@pytest.mark.parametrize("n", [1, 2])
def test_work(pareto, n): assert False

def test_by_another(through): assert False

@pytest.mark.pareto
def test_marked(request): assert False

@pytest.mark.skip
def test_skipped(pareto): assert False

class TestIn:
    def test_plain(self): assert False
"""
NAMES = ["work[1]", "work[2]", "by_another", "marked", "skipped", "plain"]
MEASURE = NAMES[:4]


def lists(path: Path, *arguments: str) -> list[ChildLine]:
    lines, spec = path / "lines", path / "spec"
    lines.unlink(missing_ok=True)
    spec.write_bytes(msgspec.json.encode(ChildSpec([], str(lines), lists=True)))
    quiet = [part for name in ("cov", "xdist", "hypothesispytest") for part in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", f"--pareto-child={spec}", *quiet, *arguments]
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"}
    done = subprocess.run(command, cwd=path, env=environment, capture_output=True, check=False)
    assert done.returncode in (0, 1, 5), done.stdout
    return [msgspec.json.decode(line, type=ChildLine) for line in lines.read_text().splitlines()]


def listed(path: Path, *arguments: str) -> dict[str, bool]:
    (line,) = [line for line in lists(path, *arguments) if line.listed is not None]
    assert line.listed is not None
    return {
        nodeid.partition("test_")[2].rpartition("test_")[2]: m for nodeid, m in line.listed.items()
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(TESTS)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ((), NAMES),
        (("-k", "work or plain", "tests"), ["work[1]", "work[2]", "plain"]),
        (("-m", "pareto"), ["marked"]),
        (("tests/test_it.py::test_work", "absent"), ["work[1]", "work[2]"]),
        (("tests/test_it.py::TestIn", "tests/test_it.py::test_gone"), ["plain"]),
        (("absent", "absent.py::test_it"), []),
    ],
)
def test_what_is_listed_is_chosen_as_in_any_session(
    project: Path, arguments: tuple[str, ...], names: list[str]
) -> None:
    assert listed(project, *arguments) == {name: name in MEASURE for name in names}


def test_what_cannot_be_collected_is_told_beside(project: Path) -> None:
    (project / "tests" / "test_more.py").write_text("import absent_module\n")
    uncollected = [line.uncollected for line in lists(project) if line.uncollected is not None]
    message = "ModuleNotFoundError: No module named 'absent_module'"
    assert uncollected == [("tests/test_more.py", message)]
    assert list(listed(project)) == NAMES
