"""Record a baseline, judge unchanged code five times and a planted slow-down once.

    python benchmarks/gpu/session/run.py FOLDER [NAME ...]

FOLDER gets the baseline and every session's output. NAME is one of baseline, planted and
unchanged-1 to unchanged-5; without any, all of them run. Prints the exit codes; 0 for each
unchanged session and 1 for the planted one is what should be.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SESSIONS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "baseline": (("--pareto-update=all",), {}),
    "planted": ((), {"PLANTED": "1"}),
    **{f"unchanged-{number}": (("-v", "--pareto-plot"), {}) for number in range(1, 6)},
}


def session(folder: Path, name: str, *options: str, **environment: str) -> int:
    """Run pytest once, and keep what it printed."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pareto"),
            *("--pareto-baseline", str(folder / "baseline"), *options, str(HERE)),
        ],
        env={**os.environ, "COLUMNS": "100", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    (folder / f"{name}.txt").write_text(done.stdout, encoding="utf-8")
    print(f"{name}: exit code {done.returncode}", flush=True)
    return done.returncode


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
    folder.mkdir(parents=True, exist_ok=True)
    for name in given.names:
        options, environment = SESSIONS[name]
        session(folder, name, *options, **environment)


if __name__ == "__main__":
    main()
