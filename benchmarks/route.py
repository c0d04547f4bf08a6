"""Count the files and functions that one red build runs through.

The demonstration is one test whose latency goes from 4 to 20 ms: its baseline is recorded, then
the slow session runs in this process under `sys.setprofile`. Counted are the package's own files
of which a function is entered, and their functions. For a reader who follows the record from
`judge_record` on, module-level functions are listed in the order of their first calls: a stay is
a row of functions in one file, a return is a stay in a file that the route had left before.

    python benchmarks/route.py [--list]
"""

import inspect
import os
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from types import CodeType, FrameType

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "pytest_pareto"
JUDGE = "judge_record"
TEST = """\
import os
import time

import pytest
from pytest_pareto.measure.meters.host_work import HostWorkMeter


# Before Python 3.12 these counts would take the profiler of the route away.
@pytest.mark.pareto(skip_metrics=[metric.name for metric in HostWorkMeter.metrics])
def test_step(pareto):
    pareto.measure(time.sleep, float(os.environ["STEP_S"]))
"""


class Route:
    """The functions of the package in the order of their first calls, by file and name."""

    def __init__(self) -> None:
        self._seen: set[CodeType] = set()
        self._judge: FrameType | None = None
        self._judged = False
        self.order: list[tuple[str, str]] = []
        self.judging: list[tuple[str, str]] = []

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Note a function when it is first called; class bodies and modules are none."""
        code = frame.f_code
        if event == "return" and frame is self._judge:
            self._judge, self._judged = None, True
        if event != "call" or not code.co_flags & inspect.CO_OPTIMIZED:
            return
        if not code.co_filename.startswith(f"{PACKAGE}{os.sep}"):
            return
        entry = str(Path(code.co_filename).relative_to(PACKAGE)), code.co_qualname
        if code.co_name == JUDGE and not self._judged:
            self._judge = frame
        if self._judge is not None and entry not in self.judging:
            self.judging.append(entry)
        if code not in self._seen:
            self._seen.add(code)
            self.order.append(entry)

    def stays(self) -> list[tuple[str, list[str]]]:
        """Return each stay of the judge's route: a file, and the functions entered there."""
        functions = [entry for entry in self.judging if entry[1].isidentifier()]
        return [
            (file, [name for _, name in entries])
            for file, entries in groupby(functions, key=lambda entry: entry[0])
        ]


def trace(folder: Path) -> tuple[int, Route]:
    """Run the slow session in this process; return its exit code and its route."""
    import pytest

    route = Route()
    os.environ["STEP_S"] = "0.020"
    os.chdir(folder)
    # Meters refuse to measure beside a profiler that they can see.
    sys.getprofile = lambda: None
    sys.setprofile(route)
    try:
        code = int(pytest.main(["--pareto", "-q", "-p", "no:cacheprovider", str(folder)]))
    finally:
        sys.setprofile(None)
        os.chdir(ROOT)
    return code, route


def main() -> None:
    """Record the baseline, trace the red session, and print the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_step.py").write_text(TEST)
        command = [sys.executable, "-m", "pytest", "--pareto", "--pareto-update", "-q"]
        environment = os.environ | {"STEP_S": "0.004", "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        code, route = trace(folder)
    stays = route.stays()
    if "--list" in sys.argv:
        for file in dict.fromkeys(file for file, _ in route.order):
            print(file)
        for file, names in stays:
            print(f"{file}: {', '.join(names)}")
    files = {file for file, _ in route.order}
    print(f"exit code {code}: {len(files)} files, {len(route.order)} functions")
    rooms = {file for file, _ in stays}
    print(
        f"from {JUDGE} on: {len(stays)} stays in {len(rooms)} files, "
        f"{len(stays) - len(rooms)} returns"
    )


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
