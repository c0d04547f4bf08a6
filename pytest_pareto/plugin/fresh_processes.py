"""Fresh processes that run the session's tests, and the lines that they write to this one.

`run_child` runs one process. `ChildSpec` is what it is given and `ChildLine` what it writes, both
as JSON; `plugin.child` is the other end. `child_arguments` is its command line: of a leg of an
interleaved session, paths into the project mean the leg's tests.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_pareto.model.environment import Environment
from pytest_pareto.outputs.image_folder import OutputStore
from pytest_pareto.plugin.command_line import timeout_s
from pytest_pareto.plugin.process_hooks import RunBuilder
from pytest_pareto.plugin.progress import Standing
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.process import ChildProcess
from pytest_pareto.runs.tempfolders import run_folder

ORDERLY = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
"""The exit codes of a child that did what it was asked."""

Show = Callable[[pytest.TestReport], None]


class Handed(msgspec.Struct, frozen=True):
    """A folder in which a process keeps outputs, and how many bytes of them."""

    folder: str
    most_b: int

    def store(self) -> OutputStore:
        """Return the store that keeps them."""
        return OutputStore(Path(self.folder), self.most_b)


class ChildSpec(msgspec.Struct, frozen=True):
    """What the parent hands to its child, as a JSON file.

    ``measured`` are the tests that measure, where not all of them do. ``may_lack`` is whether
    tests may be missing here, as older code may lack what they import. A child that ``lists``
    runs nothing: it collects tests of its own, chosen as the parent's are, and tells of them.
    ``outputs`` is where it keeps outputs, if it does.
    """

    nodeids: list[str]
    lines: str
    measured: list[str] | None = None
    may_lack: bool = False
    lists: bool = False
    outputs: Handed | None = None


class ChildLine(msgspec.Struct, frozen=True):
    """One line from child to parent: a test report, the environment at the end, or an error.

    ``uncollected`` is the node id of what could not be collected, mostly a module, and why.
    ``listed`` are a listing child's tests, in order, with whether they measure. ``standing`` is
    where long work within a test stands, "" where it has ended.
    """

    report: dict[str, object] | None = None
    uncollected: tuple[str, str] | None = None
    listed: dict[str, bool] | None = None
    environment: dict[str, object] | None = None
    error: str | None = None
    standing: str | None = None


def read_line(text: str) -> ChildLine:
    """Read what `write_line` wrote."""
    return msgspec.convert(json.loads(text), ChildLine)


def write_line(file: Path, line: ChildLine) -> None:
    """Append a line for the parent."""
    # json, not msgspec: a report's own text may hold lone surrogates and NaN. So for reading.
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(msgspec.structs.asdict(line)) + "\n")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: where it ran, if it said so, and what was wrong, if anything."""

    environment: Environment | None
    trouble: str | None


def leaves_to_pytest(session: pytest.Session) -> bool:
    """Whether pytest's own loop says all there is to say, as it would without fresh processes."""
    option = session.config.option
    failed = session.testsfailed and not option.continue_on_collection_errors
    return bool(option.collectonly or failed)


def run_child(
    session: pytest.Session,
    builder: RunBuilder,
    *,
    measured: Iterable[str] | None = None,
    show: Show = lambda _: None,
    outputs: Handed | None = None,
) -> Ended:
    """Run the session's tests, in its order, in a process of their own.

    ``builder`` takes in every report, and ``show`` sees it as it comes. ``measured`` are the
    node ids of the tests that measure, the others call their functions once; None for all.
    ``outputs`` is where they keep outputs, if they do.
    """
    hearing = Hearing(session, builder, show)
    with run_folder() as folder:
        lines, log = folder / "lines.jsonl", folder / "log.txt"
        arguments = child_arguments(
            session, lines, folder / "spec.json", measured=measured, outputs=outputs
        )
        cwd = session.config.invocation_params.dir
        limit_s = timeout_s(session.config)
        with ChildProcess(arguments, cwd=cwd, log=log, lines=lines, timeout_s=limit_s) as child:
            try:
                for text in child.lines():
                    hearing(text)
            except TimeoutError as error:
                hearing.trouble = f"{error} (pareto_timeout):\n{child.tail()}"
        if hearing.trouble is None and child.exit_code not in ORDERLY:
            hearing.trouble = f"it ended with exit code {child.exit_code}:\n{child.tail()}"
    return Ended(hearing.environment, hearing.missing())


class Hearing:
    """Takes in what a child says, line by line."""

    def __init__(
        self, session: pytest.Session, builder: RunBuilder, show: Show = lambda _: None
    ) -> None:
        self._config = session.config
        self._builder = builder
        self._show = show
        self._standing = Standing(session.config)
        self.environment: Environment | None = None
        self.trouble: str | None = None

    def __call__(self, text: str) -> None:
        """Hear one line."""
        line = read_line(text)
        if line.report is not None:
            report = _revive(self._config, line.report)
            self._builder.add(report)
            self._show(report)
        elif line.uncollected is not None:
            self._builder.add_uncollected(*line.uncollected)
        elif line.standing is not None:
            self._standing.tell(line.standing)
        elif line.environment is not None:
            self.environment = msgspec.convert(line.environment, Environment)
        else:
            self.trouble = line.error

    def missing(self) -> str | None:
        """Say what was wrong with the child, or what it left unsaid, if anything."""
        if self.trouble is None and self.environment is None:
            return "it ended without saying where it ran"
        return self.trouble


def child_arguments(  # noqa: PLR0913  (each is one thing that a child is told)
    session: pytest.Session,
    lines: Path,
    file: Path,
    *,
    nodeids: Sequence[str] | None = None,
    measured: Iterable[str] | None = None,
    leg: Leg | None = None,
    may_lack: bool = False,
    lists: bool = False,
    outputs: Handed | None = None,
) -> list[str]:
    """Return the command of a child that writes to ``lines``; its task is put into ``file``.

    ``nodeids`` are its tests, if not those of this session. Where it runs on a ``leg``, they are
    where that has them, and ``may_lack`` is whether some of them may be missing there. A child
    that ``lists`` runs none.
    """
    config = session.config
    spec = ChildSpec(
        nodeids=[item.nodeid for item in session.items] if nodeids is None else list(nodeids),
        lines=str(lines),
        measured=None if measured is None else sorted(measured),
        may_lack=may_lack,
        lists=lists,
        outputs=outputs,
    )
    file.write_bytes(msgspec.json.encode(spec))
    own = config.invocation_params.args
    ini = ["-c", str(config.inipath)] if config.inipath is not None else []
    return [
        sys.executable,
        *(() if _imports_from_here(config) else ("-P",)),
        *("-m", "pytest", "--pareto-child", str(file)),
        *("--rootdir", str(config.rootpath if leg is None else leg.tests.root)),
        *(*ini, *(own if leg is None else arguments_on(leg, own))),
    ]


def _revive(config: pytest.Config, data: dict[str, object]) -> pytest.TestReport:
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    assert isinstance(report, pytest.TestReport)
    told: Any = report.longrepr
    if isinstance(told, list):
        # Why a test was skipped is a triple, and JSON knows lists alone.
        report.longrepr = told[0], told[1], told[2]
    return report


def _imports_from_here(config: pytest.Config) -> bool:
    """Whether this pytest can import from its folder, as ``python -m pytest`` lets it."""
    here = str(config.invocation_params.dir)
    return any(entry in ("", here) for entry in sys.path)


_CONFIGURATION = ("-c", "--config-file")
"""Both legs run under the working tree's configuration, wherever their tests are."""


def arguments_on(leg: Leg, arguments: Sequence[str]) -> list[str]:
    """Return the arguments with absolute paths into the working tree turned into the leg's.

    An IDE gives such paths, and where it opened the project by a link they go by that link. Node
    ids are relative to the root, which is the real one: so the paths have to be.
    """
    return list(_mapped(leg, arguments))


def _mapped(leg: Leg, arguments: Sequence[str]) -> Iterator[str]:
    previous = ""
    for argument in arguments:
        option, is_joined, value = argument.partition("=")
        if not (is_joined and option.startswith("-")):
            option, is_joined, value = previous, "", argument
        if option in _CONFIGURATION:
            yield argument
        elif is_joined:
            yield f"{option}={_on_leg(leg, value)}"
        else:
            yield _on_leg(leg, value)
        previous = argument


def _on_leg(leg: Leg, value: str) -> str:
    name, separator, test = value.partition("::")
    path = Path(name)
    if not path.is_absolute():
        return value
    top = leg.tree.top if leg.side is Side.CANDIDATE else leg.other.top
    for folder in (path, *path.parents):
        # Links below the top are left as they are: node ids keep them.
        if folder.resolve() == top:
            return f"{leg.tests.top / path.relative_to(folder)}{separator}{test}"
    return value
