"""What the plugin adds to pytest's start-up, without ``--pareto``.

Two fresh environments with the same pytest, one of them with the plugin installed (from a wheel
of this checkout, without its dependencies). Runs ``pytest --co -q`` over one small file in both,
alternating, and prints the median of the differences in wall time. On a machine whose speed
changes from second to second those pairs scatter by ten times what is looked for, so where
valgrind is installed the instructions of both are counted too: they repeat within 0.1 %.

    python benchmarks/startup.py [pairs] [another package, measured the same way for scale ...]
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
HEAVY = ("numpy", "scipy", "torch", "pynvml", "msgspec")
CONFTEST = f"""
import sys
def pytest_unconfigure():
    print("loaded:", *(m for m in {HEAVY!r} if m in sys.modules))
"""
COLLECT = ("-m", "pytest", "--co", "-q", "-s", "-p", "no:cacheprovider")
COUNT = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
# Users have bytecode: without it every start would compile the plugin anew.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def environment(folder: Path, *packages: str) -> str:
    """Make a virtual environment with pytest and the packages, and return its Python."""
    venv.create(folder, with_pip=True, symlinks=True)
    python = str(folder / "bin" / "python")
    install = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check")
    subprocess.run((*install, "-c", str(CHECKOUT / "constraints.txt"), "pytest"), check=True)
    for package in packages:
        no_deps = ("--no-deps",) if package == str(CHECKOUT) else ()
        subprocess.run((*install, *no_deps, package), check=True)
    return python


def wall_s(python: str, project: Path) -> float:
    started = time.perf_counter()
    subprocess.run(
        (python, *COLLECT), cwd=project, env=ENVIRONMENT, capture_output=True, check=True
    )
    return time.perf_counter() - started


def instructions(python: str, project: Path) -> int:
    env = ENVIRONMENT | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(
        (*COUNT, python, *COLLECT), cwd=project, env=env, capture_output=True, text=True, check=True
    )
    counted = re.findall(r"Collected : (\d+)", done.stderr)
    return max(int(count) for count in counted)  # a plugin may fork: the parent counts on


def compare(name: str, bare: str, added: str, project: Path, pairs: int) -> None:
    sides: dict[str, list[float]] = {bare: [], added: []}
    for python in sides:
        wall_s(python, project)  # writes the bytecode
    for pair in range(pairs):
        for python in (bare, added) if pair % 2 else (added, bare):
            sides[python].append(wall_s(python, project))
    without_s, with_s = sides.values()
    added_s = [b - a for a, b in zip(without_s, with_s, strict=True)]
    low, _, high = statistics.quantiles(added_s, n=4)
    print(
        f"{name}: {1e3 * statistics.median(added_s):+.1f} ms on "
        f"{1e3 * statistics.median(without_s):.0f} ms of wall time "
        f"(median of {pairs} pairs; half of them within {1e3 * low:+.1f} to {1e3 * high:+.1f} ms)"
    )
    if shutil.which("valgrind"):
        before, after = (instructions(python, project) for python in sides)
        print(
            f"{name}: {(after - before) / 1e6:+.1f} million instructions on "
            f"{before / 1e6:.0f} million ({after / before - 1:+.1%})"
        )


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = folder / "project"
        project.mkdir()
        (project / "conftest.py").write_text(CONFTEST)
        (project / "test_it.py").write_text("def test_it(): pass\n")
        bare = environment(folder / "bare")
        for number, package in enumerate((str(CHECKOUT), *sys.argv[2:])):
            added = environment(folder / f"with{number}", package)
            compare(Path(package).name if number else "pytest-pareto", bare, added, project, pairs)
        command = (str(folder / "with0/bin/python"), *COLLECT)
        told = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    print(next(line for line in told.stdout.splitlines() if "loaded:" in line))


if __name__ == "__main__":
    main()
