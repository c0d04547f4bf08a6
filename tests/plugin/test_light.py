"""With the plugin installed and ``--pareto`` absent, pytest must not notice."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    *("numpy", "scipy", "torch", "pynvml", "msgspec", "PIL", "greenlet", "jinja2"),
    *(f"pytest_pareto.{room}" for room in ("measure", "scoring", "outputs", "compare", "report")),
)

REPORT = """
import sys
def pytest_unconfigure():
    print("LOADED", *sorted(m for m in sys.modules if m.startswith({heavy!r})))
"""


@pytest.fixture(autouse=True, scope="module")
def alone() -> None:
    """Load whatever is installed, as a user's pytest does."""


def loaded(path: Path, *args: str) -> set[str]:
    (path / "conftest.py").write_text(REPORT.format(heavy=HEAVY))
    (path / "test_it.py").write_text("def test_it(): pass\n")
    unloaded = ("hypothesispytest", "cov", "xdist", "cacheprovider")
    quiet = [part for name in unloaded for part in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-q", "-s", *quiet, *args]
    done = subprocess.run(command, cwd=path, capture_output=True, text=True, check=False)
    (line,) = [line for line in done.stdout.splitlines() if "LOADED" in line]
    return set(line.split("LOADED")[1].split())


@pytest.mark.parametrize("args", [("--co",), ()])
def test_nothing_heavy_is_imported(tmp_path: Path, args: tuple[str, ...]) -> None:
    assert loaded(tmp_path, *args) == set()


def test_the_check_would_notice(tmp_path: Path) -> None:
    assert "numpy" in loaded(tmp_path, "--pareto", "--pareto-missing=warn")
