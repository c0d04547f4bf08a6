"""Kills aimed at the writing: an update, an acceptance and a candidate, ended at every step.

A killed process has no chance to clean up. Whoever reads next has to find the old baseline or the
new one, whole; git must never have shown what was left, and the next session removes it.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.torture import material as made
from benchmarks.torture.faults import planted_fault
from benchmarks.torture.oracle import Fate
from benchmarks.torture.rows import Row
from pytest_pareto.baseline import store
from pytest_pareto.baseline.candidate import read_candidate
from pytest_pareto.baseline.updates import UpdateMode, plan_update
from pytest_pareto.cli import main
from pytest_pareto.model.baseline import Baseline, Past
from pytest_pareto.model.errors import BaselineError, ParetoError
from pytest_pareto.pipeline import judge_record
from pytest_pareto.results.reader import load_record

PART = "Kills, aimed at the writing"
_STEPS = ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir", "open", "write")
_SAFE = 10**6
UNKILLED = "two updates at once"
"""The row in which nothing is killed."""


@contextmanager
def dying(step: int, within: str) -> Iterator[None]:
    """Kill this process before its step-th call that changes something below a folder."""
    calls = 0

    def patched(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            nonlocal calls
            # A descriptor has no name; behind the first step it is of a file that is written.
            here = within in str(arguments[0]) or (isinstance(arguments[0], int) and calls > 0)
            calls += here
            if here and calls == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **keywords)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in _STEPS:
            patch.setattr(os, name, patched(getattr(os, name)))
        yield


def forked(action: Callable[[], object], folder: Path) -> int:
    """Start an action in a fork, in a folder and without output; return its process."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.chdir(folder)
        with (folder / ".log").open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            result = action()
            code = int(result) if isinstance(result, int) else 0
    except BaselineError:
        code = 2
    except BaseException:
        (folder / ".log").write_text(traceback.format_exc())
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """Wait for a process; return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Project:
    """A copy of the project in a git repository, put back before every kill."""

    def __init__(self, material: made.Material, folder: Path) -> None:
        self.root, self._material = folder, material
        self.baseline, self.key = folder / "pareto_baselines", material.key
        shutil.rmtree(folder, ignore_errors=True)
        made.copy_into(folder, [*material.root.glob("*.py"), *material.root.glob("*.ini")])
        shutil.copy(material.root / "world.json", folder)
        (folder / ".gitignore").write_text(".log\nout\n")
        self._git("init", "--quiet")
        self.reset()
        self._git("add", "-A")
        self._git("-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-m", "x")
        self.old = store.load(self.baseline, self.key)
        self.session = load_record(material.results)[1]

    def _git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.root), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def reset(self) -> None:
        """Put the old baseline and the red session's candidate back."""
        for name in ("pareto_baselines", ".pareto_candidate"):
            shutil.rmtree(self.root / name, ignore_errors=True)
            shutil.copytree(self._material.root / name, self.root / name)

    def accept(self, *names: str) -> int:
        """Accept the candidate by the command."""
        return main(["accept", ".pareto_candidate", *names, "--reason", "meant"])

    def update(self) -> int:
        """Judge the red session and write what an update of it writes."""
        before = store.load(self.baseline, self.key)
        policy = replace(self.session.policy, accepts_new=True, accepts_changes=True)
        judged = judge_record(replace(self.session, policy=policy), Past(before))
        after, _ = plan_update(before, judged, UpdateMode.CHANGED, prune=frozenset())
        store.write(self.baseline, self.key, before, after)
        return 0

    def shown_by_git(self) -> bool:
        """Whether git shows a file that only a kill has left."""
        lines = self._git("status", "--porcelain", "-uall").replace('"', "").splitlines()
        return any(Path(line[3:]).name.startswith(".") or "/." in line for line in lines)

    def state(self, new: Baseline | None) -> tuple[Fate, str]:
        """Return whether the next reader finds the old baseline or the new one, whole.

        Without ``new`` it is one in which all that had changed has a new epoch.
        """
        if self.shown_by_git():
            return Fate.TORN, "git shows what was left"
        try:
            found = store.load(self.baseline, self.key)
        except ParetoError as error:
            return Fate.TORN, str(error)
        left = [path.name for path in self.baseline.rglob(".*")]
        if left:
            return Fate.TORN, f"left behind: {', '.join(left)}"
        if found == self.old:
            return Fate.OLD, ""
        whole = found == new if new is not None else self._is_whole(found)
        return (Fate.NEW, "") if whole else (Fate.TORN, "neither old nor new")

    def _is_whole(self, found: Baseline) -> bool:
        epochs = {
            history.newest.epoch - self.old.cases[case_id].metrics[name].newest.epoch
            for case_id, case in found.cases.items()
            for name, history in case.metrics.items()
            if "small" in case_id and history.gates
        }
        return epochs == {1}


def _at_every_step(
    project: Project, fault: str, action: Callable[[], int], within: str = "/pareto_baselines"
) -> Row:
    row = Row(PART, fault)
    project.reset()
    if ended(forked(action, project.root)) != 0:
        raise RuntimeError(f"{fault}: {(project.root / '.log').read_text()}")
    new = store.load(project.baseline, project.key)
    if new == project.old:
        raise RuntimeError(f"{fault} changes nothing")
    for step in range(1, 400):
        project.reset()

        def one(step: int = step) -> int:
            with dying(step, within):
                return action()

        if ended(forked(one, project.root)) != -signal.SIGKILL:
            break  # it has fewer steps
        row.add(*_named(project.state(new), fault, step))
    return row


def _named(state: tuple[Fate, str], fault: str, step: int | str) -> tuple[Fate, str]:
    return state[0], f"{fault}, step {step}: {state[1]}"


def _recovery(project: Project) -> Row:
    """Kill an update where it counts, then the reader that finishes it, at every step."""
    row = Row(PART, "recovery of an update, at every step")
    project.reset()
    project.update()
    new = store.load(project.baseline, project.key)

    def interrupted() -> int:
        with pytest.MonkeyPatch.context() as patch:
            from pytest_pareto.baseline import files

            patch.setattr(files, "replace_all", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            return project.update()

    for step in range(1, 400):
        project.reset()
        ended(forked(interrupted, project.root))

        def read(step: int = step) -> int:
            with dying(step, "/pareto_baselines"):
                store.load(project.baseline, project.key)
                return 0

        if ended(forked(read, project.root)) != -signal.SIGKILL:
            break
        row.add(*_named(project.state(new), row.fault, step))
    return row


def _whole_processes(project: Project, draw: random.Random, count: int) -> list[Row]:
    """Kill whole processes at a random moment once they write."""
    session = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--pareto", "--pareto-runs=1"]
    reason = ["--reason", "meant"]
    commands = {
        "sessions with --pareto-update, at random": [*session, "--pareto-update"],
        "pytest-pareto accept, at random": [
            "-m",
            "pytest_pareto",
            "accept",
            ".pareto_candidate",
            *reason,
        ],
    }
    rows = []
    for fault, arguments in commands.items():
        row = Row(PART, fault)
        for number in range(count):
            project.reset()
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=project.root,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            deadline = time.monotonic() + 60
            writing = project.baseline / ".pareto_update"
            while process.poll() is None and time.monotonic() < deadline:
                if writing.exists() or (project.baseline / ".pareto_committed").exists():
                    time.sleep(draw.choice((0.0, 2e-3, 1e-2, 3e-2)) * draw.random())
                    process.kill()
                    break
            killed = process.wait() == -signal.SIGKILL
            state = project.state(None)
            if killed:
                row.add(*_named(state, fault, number))
            elif state[0] is not Fate.NEW:
                row.add(Fate.TORN, f"{fault}, {number}: it ended, and is not written: {state[1]}")
        rows.append(row)
    return rows


def _candidates(project: Project, count: int) -> Row:
    """Kill sessions that leave a candidate, at the steps of its writing."""
    row = Row(PART, "sessions that leave a candidate, by step")
    for step in range(1, count + 1):
        project.reset()

        def run(step: int = 2 * step) -> int:
            with dying(step, "/.pareto_candidate"):
                return int(
                    pytest.main(["-q", "-p", "no:cacheprovider", "--pareto", "--pareto-confirm=0"])
                )

        if ended(forked(run, project.root)) != -signal.SIGKILL:
            break
        try:
            offers = read_candidate(project.root / ".pareto_candidate").offers
            fate, text = (Fate.NEW, "") if len(offers) == 2 else (Fate.TORN, "half a candidate")
        except ParetoError as error:
            reported = "there is no candidate" in str(error)
            fate, text = (Fate.REFUSED, "") if reported else (Fate.TORN, str(error))
        if project.shown_by_git():
            fate, text = Fate.TORN, "git shows what was left"
        row.add(fate, f"{row.fault} {step}: {text}")
    return row


def _two_at_once(project: Project, draw: random.Random, count: int) -> list[Row]:
    """Run an update and an acceptance at the same time; kill one of them in every second round."""
    both, one = Row(PART, UNKILLED), Row(PART, "two at once, one of them killed")
    for number in range(2 * count):
        project.reset()
        kill = number % 2 == 1
        step = draw.randrange(1, 48) if kill else _SAFE

        def first(step: int = step) -> int:
            with dying(step, "/pareto_baselines"):
                return project.update()

        children = [forked(first, project.root), forked(project.accept, project.root)]
        codes = sorted(ended(child) for child in children)
        if kill and -signal.SIGKILL not in codes:
            continue  # the other one had written before, so that this one was refused
        row = one if kill else both
        fate, text = project.state(None)
        if not kill and fate is Fate.OLD:
            fate, text = Fate.TORN, "neither was written"
        if any(code not in (0, 2, -signal.SIGKILL) for code in codes):
            fate, text = Fate.TRACEBACK, (project.root / ".log").read_text()[-300:]
        row.add(fate, f"{row.fault} {number}, {codes}: {text}")
    return [both, one]


def run(
    material: made.Material, workspace: Path, *, count: int, seed: int, broken: str | None = None
) -> list[Row]:
    """Return the rows of the kills; ``count`` scales the random ones."""
    draw = random.Random(seed)
    project = Project(material, workspace / "project")
    with planted_fault(broken):
        rows = [
            _at_every_step(project, "updates, at every step", project.update),
            _at_every_step(project, "pytest-pareto accept, at every step", project.accept),
        ]
        if count:
            rows += [
                _recovery(project),
                *_two_at_once(project, draw, count),
                _candidates(project, count),
                *_whole_processes(project, draw, count),
            ]
    return rows
