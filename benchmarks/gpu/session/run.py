"""Record a baseline, judge unchanged code five times and a planted slow-down once.

    python benchmarks/gpu/session/run.py FOLDER      # for the baseline and every session's output

Prints the exit codes; 0 for each unchanged session and 1 for the planted one is what should be.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


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
    """Run all of them."""
    folder = Path(sys.argv[1]).resolve()
    session(folder, "baseline", "--pareto-update=all")
    session(folder, "planted", PLANTED="1")
    for number in range(1, 6):
        session(folder, f"unchanged-{number}", "-v", "--pareto-plot")


if __name__ == "__main__":
    main()
