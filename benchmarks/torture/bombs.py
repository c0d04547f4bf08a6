"""Bombs: files that cost time or memory, each read in a process of its own, within bounds.

``python -m benchmarks.torture.bombs NAME FOLDER`` sets one off and prints a line of JSON.
"""

import importlib
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.torture.faults import planted_fault
from benchmarks.torture.material import use_quiet_environment
from benchmarks.torture.oracle import Fate
from benchmarks.torture.rows import Row, peak_mb

PART = "Bombs, each in a process of its own"
KEY = "cpu-xx1"
_LIMIT_B = 4 * 2**30
_HANGS_AFTER_S = 30

Bomb = Callable[[Path], None]


def _nested(path: Path) -> None:
    path.write_text('{"schema":1,"cases":' + "[" * 3_000_000)


def _nested_objects(path: Path) -> None:
    path.write_text('{"schema":1,"cases":' + '{"a":' * 3_000_000)


def _digits(path: Path) -> None:
    path.write_text('{"schema":' + "9" * 10**6 + ',"cases":{}}')


def _exponent(path: Path) -> None:
    path.write_text('{"schema":1,"cases":{"a":1e' + "9" * 10**6 + "}}")


def _many_cases(path: Path) -> None:
    path.write_text('{"schema":1,"cases":{' + ",".join(f'"{n}":{{}}' for n in range(10**6)) + "}}")


def _many_numbers(path: Path) -> None:
    path.write_text('{"schema":1,"cases":[' + ",".join(["1"] * 10**7) + "]}")


def _many_empty_lists(path: Path) -> None:
    path.write_text('{"schema":1,"cases":[' + ",".join(["[]"] * (10**7)) + "]}")


def _many_keys(path: Path) -> None:
    keys = ",".join(f'"k{n}":1' for n in range(60_000))
    path.write_text('{"schema":1,"cases":{},' + keys + ',"k0":1}')


def _one_key(path: Path) -> None:
    path.write_text("{" + ",".join(['"schema":1'] * 10**6) + "}")


def _spaces(path: Path) -> None:
    path.write_text("{" + " " * (30 * 2**20) + "}")


def _conflicts(path: Path) -> None:
    path.write_text("<<<<<<<x\n" * 2_000_000)


def _escapes(path: Path) -> None:
    path.write_text('{"schema":1,"cases":{"' + "\\u00e9" * 4_000_000 + '":1}}')


def _one_string(path: Path) -> None:
    path.write_text('{"schema":1,"cases":{"' + "x" * (30 * 2**20) + '":1}}')


def _hundred_mb(path: Path) -> None:
    path.write_bytes(b" " * 100 * 2**20)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    cwd = Path.cwd()
    os.chdir(path.parent)  # a name of a socket may have 108 bytes
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)
    os.chdir(cwd)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _folder(path: Path) -> None:
    path.mkdir()


def _unreadable(path: Path) -> None:
    path.symlink_to("/proc/self/mem")


BOMBS: Mapping[str, Bomb] = {
    "three million brackets": _nested,
    "three million objects in one another": _nested_objects,
    "a number of a million digits": _digits,
    "an exponent of a million digits": _exponent,
    "a million cases": _many_cases,
    "ten million numbers": _many_numbers,
    "ten million lists": _many_empty_lists,
    "60,000 keys, one of them twice": _many_keys,
    "one key, a million times": _one_key,
    "30 MB of spaces": _spaces,
    "two million marks of a merge conflict": _conflicts,
    "four million escapes": _escapes,
    "a string of 30 MB": _one_string,
    "100 MB": _hundred_mb,
    "a terabyte without content": _sparse,
    "a link to an endless device": _device,
    "a pipe": _fifo,
    "a socket": _socket,
    "a link to itself": _loop,
    "a link to nothing": _dangling,
    "a folder": _folder,
    "a link to memory": _unreadable,
}


def _places(folder: Path) -> dict[str, Path]:
    """Return the file that each kind of reader is given."""
    return {
        "baseline": folder / "b" / KEY / "test_x.json",
        "environment": folder / "b" / "_env" / "aaaaaaaaaaaa.json",
        "policy": folder / "b" / "_policy" / f"{KEY}.json",
        "results": folder / "results.json",
        "candidate": folder / "c" / "session" / "candidate.json",
        "journal": folder / "b" / ".pareto_committed" / "manifest.json",
    }


def _names(folder: Path) -> list[str]:
    return [".pareto_committed", *(path.name for path in _places(folder).values())]


def _read(kind: str, folder: Path) -> None:
    from pytest_pareto.baseline.candidate import read_candidate
    from pytest_pareto.baseline.store import load
    from pytest_pareto.results.reader import load_record

    if kind == "results":
        load_record(folder / "results.json")
    elif kind == "candidate":
        read_candidate(folder / "c")
    else:
        load(folder / "b", KEY)


def main(kind: str, folder: Path, broken: str | None) -> None:
    """Read one bomb, and print what came of it."""
    from pytest_pareto.model.errors import ParetoError

    for module in ("baseline.candidate", "baseline.store", "results.reader"):
        importlib.import_module(f"pytest_pareto.{module}")  # what that takes is no bomb's

    resource.setrlimit(resource.RLIMIT_AS, (_LIMIT_B, _LIMIT_B))
    before_mb, started_s, wall_s = peak_mb(anew=True), time.process_time(), time.monotonic()
    fate, text = Fate.SILENT, "it was read"
    try:
        with planted_fault(broken):
            _read(kind, folder)
    except ParetoError as error:
        named = any(part in str(error) for part in _names(folder))
        fate, text = (Fate.REFUSED if named else Fate.UNNAMED), str(error)[:300]
    except BaseException as error:
        fate, text = Fate.TRACEBACK, f"{type(error).__name__}: {str(error)[:300]}"
    seconds = time.process_time() - started_s
    found = [fate, text, seconds, peak_mb() - before_mb, time.monotonic() - wall_s]
    print(json.dumps(found))


def run(
    workspace: Path, *, broken: str | None = None, bombs: Mapping[str, Bomb] = BOMBS
) -> list[Row]:
    """Return a row per bomb, each in place of every kind of file."""
    return [_row(name, bomb, workspace, broken) for name, bomb in bombs.items()]


def _row(name: str, bomb: Bomb, workspace: Path, broken: str | None) -> Row:
    row = Row(PART, name)
    for kind in _places(workspace):
        folder = workspace / name.replace(" ", "_").replace(",", "") / kind
        path = _places(folder)[kind]
        path.parent.mkdir(parents=True)
        (folder / "b" / KEY).mkdir(parents=True, exist_ok=True)
        bomb(path)
        command = [
            sys.executable,
            "-m",
            "benchmarks.torture.bombs",
            kind,
            str(folder),
            broken or "",
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_HANGS_AFTER_S, check=False
            )
        except subprocess.TimeoutExpired:
            row.add(Fate.TRACEBACK, f"{kind}: it hangs", _HANGS_AFTER_S)
            continue
        if not done.stdout:
            row.add(Fate.TRACEBACK, f"{kind}: {done.returncode}: {done.stderr[-300:]}")
            continue
        fate, text, seconds, mb, _ = json.loads(done.stdout)
        if fate == Fate.SILENT and _may_be_absent(name, kind):
            fate = Fate.REPORTED
        row.add(Fate(fate), f"{kind}: {text}", seconds, mb)
        if path.is_file() and not path.is_symlink():
            path.unlink()
    return row


def _may_be_absent(name: str, kind: str) -> bool:
    """Whether it is as if there were no such file: the case is new, or there is no journal."""
    absent = {
        "a link to nothing": ("baseline", "journal", "policy"),
        "a link to itself": ("journal",),
        "a folder": ("baseline", "environment"),
    }
    return kind in absent.get(name, ())


if __name__ == "__main__":
    use_quiet_environment()
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3] or None)
