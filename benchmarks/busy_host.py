"""Sessions on a busy host: none is red for the load, each has its reason; on a quiet one all count.

A tiny CPU project with a stored baseline, and real ``pytest --pareto`` sessions of it, each a
process of its own that confirms what it flags. Parts, in the order in which they are run:

- ``record``: record three sessions, which show what sessions differ by. The host has to be quiet:
  on a busy one nothing is recorded.
- ``quiet``: sessions of unchanged code. None may be red.
- ``slower``: sessions of code that takes 1.3 times as long. At least 90 % must be caught.
- ``busy``: sessions of unchanged code beside busy loops. None may be red.
- ``record-busy``: record a baseline beside busy loops. A latency that it holds must be that of the
  quiet host, within 10 %: a process that got its core may be recorded.

Exits with 1 where a bound is missed. The load of the machine is in each line: a ``quiet`` part on a
machine that is not quiet ends with cases that are not comparable, and proves nothing.

    python benchmarks/busy_host.py [record quiet slower busy record-busy] [--sessions 20]
        [--loops 4] [--project FOLDER]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

CHECKOUT = Path(__file__).parents[1]
PARTS = ("record", "quiet", "slower", "busy", "record-busy")
SLOWER = 1.3
CAUGHT_SHARE = 0.9
LENGTHENED = 1.1
TEST = """
import os
import time

import numpy as np
import pytest

SLOWER = float(os.environ["SLOWER"])


def python():
    total = 0
    for number in range(int(60_000 * SLOWER)):
        total += number * number
    return total


def threads(matrix=np.random.default_rng(0).random((384, 384))):
    for _ in range(int(10 * SLOWER)):
        matrix @ matrix


def waiting():
    time.sleep(0.004 * SLOWER)
    return sum(range(int(20_000 * SLOWER)))


@pytest.mark.parametrize("work", [python, threads, waiting])
def test_work(pareto, work):
    pareto.measure(work)
"""


@dataclass(frozen=True)
class Session:
    """What one session came to: its exit code, and each latency's outcome and reason by case."""

    exit_code: int
    seconds: float
    load: float
    outcomes: dict[str, str]
    reasons: dict[str, str]
    changes: dict[str, float | None]

    @property
    def line(self) -> str:
        """The session in one line."""
        cases = ", ".join(
            f"{case} {outcome}" + ("" if (by := self.changes[case]) is None else f" {by:+.0%}")
            for case, outcome in self.outcomes.items()
        )
        color = "red" if self.exit_code else "green"
        return f"  {color}, {self.seconds:.0f} s, load {self.load:.1f}: {cases}"


def run_session(project: Path, *options: str, slower: float = 1.0) -> Session:
    """Run one session in a process of its own and return what it came to."""
    results = project / "results.json"
    results.unlink(missing_ok=True)
    path = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
    hidden = {"CI", "BUILD_NUMBER", "PYTEST_ADDOPTS"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    env |= {"PYTHONPATH": path, "SLOWER": str(slower)}
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pareto", *options)
    started = time.perf_counter()
    done = subprocess.run(
        (*command, f"--pareto-json={results}"),
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 1) or not results.is_file():
        sys.exit(f"a session broke:\n{done.stdout}\n{done.stderr}")
    records = [r for r in json.loads(results.read_text())["metrics"] if r["metric"] == "latency"]
    case_of = {r["case"]: r["case"].partition("[")[2].rstrip("]") for r in records}
    return Session(
        done.returncode,
        seconds,
        os.getloadavg()[0],
        {case_of[r["case"]]: r["outcome"] for r in records},
        {case_of[r["case"]]: r["reason"] or "" for r in records},
        {case_of[r["case"]]: r["estimate"] for r in records},
    )


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Run so many processes that never rest."""
    loops = [subprocess.Popen((sys.executable, "-c", "while True: pass")) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def record(project: Path) -> bool:
    """Record three sessions; return whether the baseline holds every latency."""
    for mode in ("all", "runs", "runs"):
        session = run_session(project, f"--pareto-update={mode}", "--pareto-runs=5")
        print(session.line)
    missing = [case for case, outcome in session.outcomes.items() if outcome == "NOT_COMPARABLE"]
    if missing:
        print(f"  not recorded: {', '.join(missing)}: {session.reasons[missing[0]]}")
    return not missing


def recorded_s(project: Path) -> dict[str, float]:
    """Return the latency of the newest session that a baseline holds, by case, in seconds."""
    levels = {}
    for file in project.glob("pareto_baselines/*/test_work.json"):
        for case, entry in json.loads(file.read_text())["cases"].items():
            if "latency" in entry["metrics"]:
                levels[case] = fmean(entry["metrics"]["latency"]["sessions"][-1]["runs"])
    return levels


def run_sessions(project: Path, count: int, *, slower: float = 1.0) -> list[Session]:
    """Run sessions one after another, print a line of each, and count outcomes and reasons."""
    sessions = []
    for _ in range(count):
        sessions.append(run_session(project, slower=slower))
        print(sessions[-1].line, flush=True)
    outcomes = Counter(outcome for s in sessions for outcome in s.outcomes.values())
    print("  outcomes:", ", ".join(f"{n} {outcome}" for outcome, n in outcomes.most_common()))
    reasons = Counter(
        f"{outcome}: {s.reasons[case]}"
        for s in sessions
        for case, outcome in s.outcomes.items()
        if s.changes[case] is None
    )
    for reason, cases in reasons.most_common():
        print(f"  {cases} {reason}")
    print(f"  {sum(s.seconds for s in sessions) / count:.1f} s a session")
    return sessions


def red(sessions: Sequence[Session]) -> int:
    return sum(session.exit_code != 0 for session in sessions)


def run_part(part: str, project: Path, count: int, loops: int) -> bool:
    """Run one part; return whether its bound is kept."""
    print(f"{part}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    match part:
        case "record":
            return record(project)
        case "quiet":
            found = red(run_sessions(project, count))
            print(f"  {found} of {count} unchanged sessions red; bound 0")
            return found == 0
        case "slower":
            sessions = run_sessions(project, count, slower=SLOWER)
            caught = sum(s.exit_code == 1 and "WORSE" in s.outcomes.values() for s in sessions)
            print(f"  {caught} of {count} caught; bound {CAUGHT_SHARE:.0%}")
            return caught >= CAUGHT_SHARE * count
        case "busy":
            with busy_loops(loops):
                sessions = run_sessions(project, count)
            bare = sum(not all(s.reasons.values()) for s in sessions)
            print(f"  {red(sessions)} of {count} red beside {loops} busy loops; bound 0")
            print(f"  {bare} of {count} with a latency that has no reason")
            return red(sessions) == 0
        case _:
            quiet = recorded_s(project)
            with busy_loops(loops), tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "test_work.py").write_text(TEST)
                record(Path(folder))
                busy = recorded_s(Path(folder))
            ratios = {case: level / quiet[case] for case, level in busy.items() if case in quiet}
            print("  recorded, of the quiet host's:", ratios or "nothing")
            return set(busy) == set(ratios) and all(r <= LENGTHENED for r in ratios.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="part", default=PARTS, help=", ".join(PARTS))
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--loops", type=int, default=4)
    parser.add_argument("--project", type=Path, help="where baseline and test are kept")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        project = arguments.project or Path(folder)
        project.mkdir(parents=True, exist_ok=True)
        (project / "test_work.py").write_text(TEST)
        kept = [
            run_part(part, project, arguments.sessions, arguments.loops) for part in arguments.parts
        ]
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
