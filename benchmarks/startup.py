"""What the plugin adds to pytest's start-up, without ``--pareto``.

Paired runs of ``pytest --co -q`` over one small file, with the plugin and without, alternating;
no other plugin is loaded, whose start-up would drown the difference. Prints the median of the
differences in wall time and in processor time, and what is loaded.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAIRS = 20
PLUGIN = ("-p", "pytest_pareto.plugin")
HEAVY = ("numpy", "scipy", "torch", "pynvml", "msgspec")
CONFTEST = f"""
import sys
def pytest_unconfigure():
    print("loaded:", *(m for m in {HEAVY!r} if m in sys.modules))
"""


def run(folder: Path, *args: str) -> tuple[float, float, str]:
    """Return wall seconds, processor seconds and the output of one run."""
    command = [sys.executable, "-m", "pytest", "--co", "-q", "-s", "-p", "no:cacheprovider", *args]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    env = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
    wall_s = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall_s, cpu_s, done.stdout


def told(what: str, without_s: list[float], with_s: list[float]) -> str:
    added = [b - a for a, b in zip(without_s, with_s, strict=True)]
    tenth, *_, ninth = statistics.quantiles(added, n=10)
    return (
        f"{what}: {1e3 * statistics.median(without_s):.0f} ms without the plugin, "
        f"{1e3 * statistics.median(added):+.1f} ms with it (median of {PAIRS} pairs; "
        f"10-90 %: {1e3 * tenth:+.1f} to {1e3 * ninth:+.1f} ms)"
    )


def main() -> None:
    without, with_plugin = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "test_it.py").write_text("def test_it(): pass\n")
        run(folder)
        for pair in range(PAIRS):
            if pair % 2:
                without.append(run(folder))
            with_plugin.append(run(folder, *PLUGIN))
            if not pair % 2:
                without.append(run(folder))
    for position, what in enumerate(("wall time", "processor time")):
        sides = ([float(r[position]) for r in side] for side in (without, with_plugin))
        print(told(what, *sides))
    print(next(line for line in with_plugin[-1][2].splitlines() if "loaded:" in line))


if __name__ == "__main__":
    main()
