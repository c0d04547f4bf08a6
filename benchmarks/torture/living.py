"""Runs the odd lives of a test, each in a fork with pytest's own entry point, and judges them."""

import io
import json
import multiprocessing
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from benchmarks.torture import material as made
from benchmarks.torture.faults import planted_fault
from benchmarks.torture.lives import GROUPS, Life
from benchmarks.torture.oracle import Fate
from benchmarks.torture.rows import Row, merged
from pytest_pareto.baseline import store
from pytest_pareto.model.errors import ParetoError

PART = "Lives of a test that has regressed"
_HANGS_AFTER_S = 60
_OURS = re.compile(r"pytest_pareto/\S+\.py:\d+: (?!ParetoError|KeyboardInterrupt)[A-Z]\w+")
"""A line of a traceback that ends in this package, with no error of its own."""


def run(
    material: made.Material,
    workspace: Path,
    *,
    broken: str | None = None,
    groups: Mapping[str, Sequence[Life]] = GROUPS,
    processes: int = 2,
) -> list[Row]:
    """Return a row per group of lives."""
    tasks = [
        (material, workspace, group, life, broken)
        for group, lives in groups.items()
        for life in lives
    ]
    if processes == 1:
        return merged([_one(task) for task in tasks])
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        return merged(list(pool.imap(_one, tasks)))


def _one(task: tuple[made.Material, Path, str, Life, str | None]) -> Row:
    material, workspace, group, life, broken = task
    row = Row(PART, group)
    folder = workspace / f"{os.getpid()}"
    prepared = _prepare(material, folder, life)
    if prepared is not None:
        row.add(Fate.TRACEBACK, f"{life.name}: cannot be prepared: {prepared}")
        return row
    before = _content(folder / "pareto_baselines")
    code, output = _run(folder, life, broken)
    fate, text = _judge(life, code, output)
    after = _content(folder / "pareto_baselines")
    if after != before and not life.writes:
        fate, text = Fate.TORN, "the baseline was changed"
    if before and not life.writes:
        try:
            store.load(folder / "pareto_baselines", material.key)
        except ParetoError as error:
            fate, text = Fate.TORN, str(error)
    row.add(fate, f"{life.name}: exit code {code}: {text}\n{output[-1500:]}")
    return row


def _prepare(material: made.Material, folder: Path, life: Life) -> str | None:
    """Make the project of one life; return why it cannot be made, or None."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("pareto_baselines", ".pareto_candidate"):
        shutil.copytree(material.root / name, folder / name)
    (folder / "world.json").write_text(json.dumps(made.RED))
    (folder / "conftest.py").write_text(f"{made.CONFTEST}\n{life.conftest}\n")
    (folder / "pytest.ini").write_text(f"[pytest]\n{life.ini}")
    file = folder / "test_model.py"
    file.write_text(life.source if life.source or life.name == "the file empty" else _source(life))

    def rename(old: str, new: str) -> None:
        text = file.read_text()
        assert old in text, old
        file.write_text(text.replace(old, new))

    def corrupt() -> None:
        (main,) = (folder / "pareto_baselines" / material.key).glob("test_model.json")
        main.write_text("{")

    cwd = Path.cwd()
    os.chdir(folder)
    try:
        exec(life.prepare, {"rename": rename, "corrupt": corrupt})
    except Exception as error:
        return repr(error)
    finally:
        os.chdir(cwd)
    return None


def _source(life: Life) -> str:
    text = made.MODEL
    test = "def test_generate(pareto, sleep, variant):\n    world = WORLD[variant]\n"
    measured = '    pareto.measure(sleep, world["seconds"])\n'
    mark = '@pytest.mark.parametrize("variant"'
    assert test in text
    assert measured in text
    begun = f"def test_generate(pareto, sleep, variant{life.needs}):\n"
    world = "    world = WORLD[variant]\n"
    text = text.replace(test, begun + (f"    {life.before}\n" if life.before else "") + world)
    between = f"    {life.between}\n" if life.between else ""
    call = f"    {life.call}\n" if life.call else measured
    text = text.replace(measured, call + between)
    text = text.replace(
        mark, f"{life.top}\n{life.marks}\n{mark}" if life.marks else f"{life.top}\n{mark}"
    )
    return f"{text}    {life.after}\n" if life.after else text


def _run(folder: Path, life: Life, broken: str | None) -> tuple[int, str]:
    out = folder.with_suffix(".out")
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            signal.alarm(_HANGS_AFTER_S)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.chdir(folder)
            os.environ |= life.env
            descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            confirm = [] if any("confirm" in arg for arg in life.args) else ["--pareto-confirm=0"]
            cache = [] if "cacheprovider" in life.args else ["-p", "no:cacheprovider"]
            arguments = ["--pareto", *confirm, *cache, *life.args]
            with planted_fault(broken):
                code = int(pytest.main(arguments))
            _flush()
            os._exit(code)
        except SystemExit as error:
            os._exit(error.code if isinstance(error.code, int) else 1)
        except BaseException:  # as the interpreter does, with a code that is no success
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, out.read_text(errors="replace")


def _flush() -> None:
    import sys

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, io.UnsupportedOperation):
            continue


def _judge(life: Life, code: int, output: str) -> tuple[Fate, str]:
    problem = _problem(life, code, output)
    if problem is not None:
        return Fate.TRACEBACK, problem
    if code != 0:
        return Fate.RED, ""
    if life.ends:
        return Fate.UNREPORTED, ""
    if life.reported and re.search(life.reported, " ".join(output.split()), re.IGNORECASE):
        return Fate.REPORTED, ""
    return Fate.SILENT, "green"


def _problem(life: Life, code: int, output: str) -> str | None:
    """Return what must never be seen of a session, or None."""
    if code == -signal.SIGALRM:
        return "it hangs"
    if "INTERNALERROR" in output and not life.breaks:
        return "an internal error"
    if re.search("IndentationError|SyntaxError", output) and life.name != "a syntax error":
        return "the table is wrong: this life cannot be read"
    ours = _OURS.search(output)
    return None if ours is None else ours[0]


def _content(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
