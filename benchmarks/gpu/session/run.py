"""Record a baseline, judge unchanged code five times and a planted slow-down once.

    python benchmarks/gpu/session/run.py FOLDER [NAME ...]

FOLDER gets a project of its own with the baseline in it, as a user has, and what every session
printed and reported. NAME is one of baseline, planted and unchanged-1 to unchanged-5; without any,
all of them run. Prints the exit codes; 0 for each unchanged session and 1 for the planted one is
what should be.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
REPORTS = {"html": "html", "json": "json", "markdown": "md", "openmetrics": "om"}
SESSIONS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "baseline": (("--pareto-update=all",), {}),
    "planted": ((), {"PLANTED": "1"}),
    **{f"unchanged-{number}": (("-v", "--pareto-plot"), {}) for number in range(1, 6)},
}


def session(folder: Path, name: str, *options: str, **environment: str) -> int:
    """Run pytest once in the project, and keep what it printed."""
    told = ["-p", "no:cacheprovider", "--no-header", "--tb=no"]
    told += [f"--pareto-{kind}={folder / name}.{end}" for kind, end in REPORTS.items()]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--pareto", *options, *told],
        cwd=folder / "project",
        env={**os.environ, "COLUMNS": "80", "PYTHONPATH": _path(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    (folder / f"{name}.txt").write_text(done.stdout, encoding="utf-8")
    print(f"{name}: exit code {done.returncode}", flush=True)
    return done.returncode


def _path() -> str:
    """Let the project's tests import the pipelines of this folder's parent, wherever they are."""
    return os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))


def make_project(folder: Path) -> None:
    """Copy the tests, unless an earlier call did: its baseline lies beside them."""
    (folder / "project").mkdir(parents=True, exist_ok=True)
    for name in ("test_pipeline.py", "pytest.ini"):
        shutil.copy(HERE / name, folder / "project")


def main() -> None:
    """Run those that are named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", default=[*SESSIONS])
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in SESSIONS]
    if unknown:
        parser.error(f"no such session: {', '.join(unknown)}; there are {', '.join(SESSIONS)}")
    folder = given.folder.resolve()
    make_project(folder)
    for name in given.names:
        options, environment = SESSIONS[name]
        session(folder, name, *options, **environment)


if __name__ == "__main__":
    main()
