"""What the installed plugin adds to pytest's start-up, without ``--pareto``.

Paired runs of ``pytest --co -q`` over one small file, with the plugin and without (as if it
were not installed), alternating. Prints the median of the differences, and what is loaded.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAIRS = 20
HEAVY = ("numpy", "scipy", "torch", "pynvml", "msgspec")
CONFTEST = f"""
import sys
def pytest_unconfigure():
    print("loaded:", *(m for m in {HEAVY!r} if m in sys.modules))
"""


def run(folder: Path, *args: str) -> tuple[float, str]:
    command = [sys.executable, "-m", "pytest", "--co", "-q", "-s", "-p", "no:cacheprovider", *args]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, done.stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "test_it.py").write_text("def test_it(): pass\n")
        run(folder)
        run(folder, "-p", "no:pareto")
        differences_s, without_s, output = [], [], ""
        for pair in range(PAIRS):
            order = [(), ("-p", "no:pareto")]
            times = {}
            for args in order if pair % 2 else reversed(order):
                times[args], text = run(folder, *args)
                output = output if args else text
            differences_s.append(times[()] - times["-p", "no:pareto"])
            without_s.append(times["-p", "no:pareto"])
    median_s = statistics.median(differences_s)
    deciles = statistics.quantiles(differences_s, n=10)
    print(f"pytest --co -q without the plugin: {1e3 * statistics.median(without_s):.0f} ms")
    print(
        f"added by the plugin: {1e3 * median_s:+.1f} ms, median of {PAIRS} pairs "
        f"(10-90 %: {1e3 * deciles[0]:+.1f} to {1e3 * deciles[-1]:+.1f} ms)"
    )
    print(next(line for line in output.splitlines() if "loaded:" in line))


if __name__ == "__main__":
    main()
