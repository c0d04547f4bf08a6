"""Fresh processes that run the session's tests, and the protocol between them and this process.

`run_children` runs them one after the other. Each reads a `ChildSpec` and writes lines of
`ChildLine`, both JSON; `plugin.child` is the other end. `child_arguments` returns its command line,
in which, on a leg of an interleaved session, paths into the project are mapped to the leg's tests.
"""

import json
import sys
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest

from pytest_pareto.measure.device import initialized_cuda
from pytest_pareto.measure.machine import free_memory_b, memory_in_use_b
from pytest_pareto.model.environment import Environment
from pytest_pareto.outputs.image_folder import OutputStore
from pytest_pareto.plugin.command_line import timeout_s
from pytest_pareto.plugin.process_hooks import RunBuilder
from pytest_pareto.plugin.progress import ProgressLine
from pytest_pareto.runs.legs import Leg, Side
from pytest_pareto.runs.process import POLL_S, Barrier, ChildProcess
from pytest_pareto.runs.tempfolders import run_folder

COMPLETED_EXIT_CODES = (
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    pytest.ExitCode.NO_TESTS_COLLECTED,
)
"""The exit codes of a child that completed its task, with or without failed tests."""

ShowReport = Callable[[pytest.TestReport], None]
MeasuredTests = Mapping[str, Collection[str] | None]
"""The tests that measure, by node id, with the metrics that meters measure there; None for all."""


class OutputFolder(msgspec.Struct, frozen=True):
    """The folder in which a process keeps outputs, and their limit in bytes."""

    folder: str
    most_b: int

    def store(self) -> OutputStore:
        """Return the store that keeps outputs in this folder."""
        return OutputStore(Path(self.folder), self.most_b)


class TurnsSpec(msgspec.Struct, frozen=True):
    """How a child takes turns: the descriptor of its connection, and what `Turns` needs."""

    descriptor: int
    first: bool
    seed: int


class ChildSpec(msgspec.Struct, frozen=True):
    """The task of a child process, which the parent writes to a JSON file.

    ``nodeids`` are the tests to run, in order, and ``lines`` the file that the child writes to.
    ``measured`` are the tests that measure, with the metrics that meters measure in each; None for
    all. ``may_lack`` is whether tests may be missing, since older code may lack what they import. A
    child that ``lists`` runs nothing: it collects its own tests, selected as the parent's are, and
    writes their node ids. ``outputs`` is where it keeps outputs; None for nowhere. ``turns`` are
    those with another live child; None where there is none. ``barrier`` is the descriptor of the
    connection at which the child waits before its tests; None for no wait. A child that
    ``profiles`` also records what each measured level consists of, and writes a trace of each case
    to the folder ``traces``; None for no traces.
    """

    nodeids: list[str]
    lines: str
    measured: dict[str, list[str] | None] | None = None
    may_lack: bool = False
    lists: bool = False
    outputs: OutputFolder | None = None
    turns: TurnsSpec | None = None
    barrier: int | None = None
    profiles: bool = False
    traces: str | None = None


class ChildLine(msgspec.Struct, frozen=True):
    """One line from child to parent: a test report, the environment at the end, or an error.

    ``uncollected`` is the node id of what could not be collected, mostly a module, and why.
    ``listed`` are a listing child's tests, in order, with whether each measures. ``standing`` is
    the progress of long work within a test, "" where that has ended.
    """

    report: dict[str, object] | None = None
    uncollected: tuple[str, str] | None = None
    listed: dict[str, bool] | None = None
    environment: dict[str, object] | None = None
    error: str | None = None
    standing: str | None = None


def read_line(text: str) -> ChildLine:
    """Parse a line that `write_line` has written."""
    return msgspec.convert(json.loads(text), ChildLine)


def write_line(file: Path, line: ChildLine) -> None:
    """Append a line for the parent."""
    # json, not msgspec, here and in `read_line`: a report may contain lone surrogates and NaN.
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(msgspec.structs.asdict(line)) + "\n")


@dataclass(frozen=True, slots=True)
class ChildResult:
    """How a child process ended: its environment, if it wrote one, and why it failed, or None."""

    environment: Environment | None
    error: str | None


def defers_to_pytest(session: pytest.Session) -> bool:
    """Whether pytest's own loop suffices: nothing is to run, or the collection has failed."""
    option = session.config.option
    failed = session.testsfailed and not option.continue_on_collection_errors
    return bool(option.collectonly or failed)


@dataclass(frozen=True, slots=True)
class ChildRun:
    """One run of the session's tests, in its order, in a fresh process.

    ``builder`` collects every report, and ``show`` is called with each as it arrives. ``outputs``
    is where the process keeps outputs; None for nowhere. ``measured`` are the tests that measure,
    the others call their functions once; None for all. ``profiles`` is whether it records what
    each level consists of, ``traces`` the folder for a trace of each case.
    """

    builder: RunBuilder
    show: ShowReport = lambda _: None
    outputs: OutputFolder | None = None
    measured: MeasuredTests | None = None
    profiles: bool = False
    traces: Path | None = None


def run_children(
    session: pytest.Session, runs: Sequence[ChildRun]
) -> Generator[ChildResult, None, None]:
    """Run the session's tests in fresh processes, one after the other; yield how each has ended.

    As many as memory allows start up together: what a test module imports takes seconds in each.
    No process starts up while another one works. When the generator is closed, the processes that
    wait are ended.
    """
    at_once = startups_at_once(session.config, _MOST_AT_ONCE)
    for start in range(0, len(runs), at_once):
        batch = runs[start : start + at_once]
        with ExitStack() as stack:
            children = [
                stack.enter_context(_Child(session, run, waits=len(batch) > 1)) for run in batch
            ]
            while not all(child.is_ready() for child in children):
                time.sleep(POLL_S)
            for child in children:
                yield child.finish()


_MOST_AT_ONCE = 8
CUDA_AT_IMPORT = pytest.StashKey[bool]()
"""Whether the test modules touch a GPU when they are imported, if this process has run tests."""


def startups_at_once(config: pytest.Config, most: int, processes: int = 1) -> int:
    """Return how many runs of so many ``processes`` may start up together: at most ``most``.

    Half of the free memory must last for them: this process has imported what each of them will
    import. Where that touches a GPU, each would hold memory of it while it waits, so that only one
    starts.
    """
    own_b, free_b = memory_in_use_b(), free_memory_b()
    uses_gpu = config.stash.get(CUDA_AT_IMPORT, initialized_cuda() is not None)
    if own_b is None or free_b is None or uses_gpu:
        return 1
    return max(1, min(most, free_b // (2 * processes * own_b)))


class _Child:
    """A process of `run_children`, which lives from entry to exit or until it has finished."""

    def __init__(self, session: pytest.Session, run: ChildRun, *, waits: bool) -> None:
        self._stack = ExitStack()
        self._reader = ChildReader(session, run.builder, run.show)
        self._barrier = self._stack.enter_context(Barrier()) if waits else None
        barrier = () if self._barrier is None else (self._barrier.childs,)
        folder = self._stack.enter_context(run_folder())
        lines = folder / "lines.jsonl"
        arguments = child_arguments(
            session,
            lines,
            folder / "spec.json",
            measured=run.measured,
            outputs=run.outputs,
            barrier=barrier[0].fileno() if barrier else None,
            profiles=run.profiles,
            traces=run.traces,
        )
        self._process = ChildProcess(
            arguments,
            cwd=session.config.invocation_params.dir,
            log=folder / "log.txt",
            lines=lines,
            timeout_s=timeout_s(session.config),
            inherited=barrier,
        )

    def __enter__(self) -> Self:
        self._stack.enter_context(self._process)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def is_ready(self) -> bool:
        """Return whether the process waits at its barrier, has none, or has ended."""
        return self._barrier is None or self._barrier.is_reached() or not self._goes_on()

    def finish(self) -> ChildResult:
        """Let the process run its tests, and return how it has ended.

        What it started itself is ended too, before another process works.
        """
        reader, process = self._reader, self._process
        if self._barrier is not None and reader.error is None:
            process.start_timer()
            self._barrier.open()
        with self._stack:
            while self._goes_on():
                time.sleep(POLL_S)
            if reader.error is None and process.exit_code not in COMPLETED_EXIT_CODES:
                reader.error = f"it ended with exit code {process.exit_code}:\n{process.tail()}"
        return ChildResult(reader.environment, reader.failure_reason())

    def _goes_on(self) -> bool:
        """Read what the process has written; return whether it goes on within its time limit."""
        try:
            ended = self._process.has_ended()
        except TimeoutError as error:
            self._reader.error = f"{error} (pareto_timeout):\n{self._process.tail()}"
            return False
        for text in self._process.new_lines():
            self._reader(text)
        return not ended


class ChildReader:
    """Reads the lines of a child process as they arrive."""

    def __init__(
        self, session: pytest.Session, builder: RunBuilder, show: ShowReport = lambda _: None
    ) -> None:
        self._config = session.config
        self._builder = builder
        self._show = show
        self._progress_line = ProgressLine(session.config)
        self.environment: Environment | None = None
        self.error: str | None = None

    def __call__(self, text: str) -> None:
        """Read one line."""
        line = read_line(text)
        if line.report is not None:
            report = _deserialize_report(self._config, line.report)
            self._builder.add(report)
            self._show(report)
        elif line.uncollected is not None:
            self._builder.add_uncollected(*line.uncollected)
        elif line.standing is not None:
            self._progress_line.update(line.standing)
        elif line.environment is not None:
            self.environment = msgspec.convert(line.environment, Environment)
        else:
            self.error = line.error

    def failure_reason(self) -> str | None:
        """Return why the child failed, also where it wrote no environment; None if it did not."""
        if self.error is None and self.environment is None:
            return "it ended without saying where it ran"
        return self.error


def child_arguments(  # noqa: PLR0913  (each is one part of a child's task)
    session: pytest.Session,
    lines: Path,
    file: Path,
    *,
    nodeids: Sequence[str] | None = None,
    measured: MeasuredTests | None = None,
    leg: Leg | None = None,
    may_lack: bool = False,
    lists: bool = False,
    outputs: OutputFolder | None = None,
    turns: TurnsSpec | None = None,
    barrier: int | None = None,
    profiles: bool = False,
    traces: Path | None = None,
) -> list[str]:
    """Return the command of a child that writes to ``lines``; write its task to ``file``.

    ``nodeids`` are its tests, by default those of this session. On a ``leg`` they are the leg's
    tests, and ``may_lack`` is whether some may be missing there. A child that ``lists`` runs none.
    """
    config = session.config
    spec = ChildSpec(
        nodeids=[item.nodeid for item in session.items] if nodeids is None else list(nodeids),
        lines=str(lines),
        measured=None
        if measured is None
        else {test: None if names is None else sorted(names) for test, names in measured.items()},
        may_lack=may_lack,
        lists=lists,
        outputs=outputs,
        turns=turns,
        barrier=barrier,
        profiles=profiles,
        traces=None if traces is None else str(traces),
    )
    file.write_bytes(msgspec.json.encode(spec))
    own = config.invocation_params.args
    ini = ["-c", str(config.inipath)] if config.inipath is not None else []
    return [
        sys.executable,
        *(() if _imports_from_here(config) else ("-P",)),
        *("-m", "pytest", "--pareto-child", str(file)),
        *("--rootdir", str(config.rootpath if leg is None else leg.tests.root)),
        *(*ini, *(own if leg is None else map_arguments(leg, own))),
    ]


def _deserialize_report(config: pytest.Config, data: dict[str, object]) -> pytest.TestReport:
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    assert isinstance(report, pytest.TestReport)
    reason: Any = report.longrepr
    if isinstance(reason, list):
        # The reason of a skip is a triple, which JSON has turned into a list.
        report.longrepr = reason[0], reason[1], reason[2]
    return report


def _imports_from_here(config: pytest.Config) -> bool:
    """Whether this pytest can import from its working folder, as under ``python -m pytest``."""
    here = str(config.invocation_params.dir)
    return any(entry in ("", here) for entry in sys.path)


_CONFIGURATION = ("-c", "--config-file")
"""Options whose paths are not mapped: both legs use the working tree's configuration."""


def map_arguments(leg: Leg, arguments: Sequence[str]) -> list[str]:
    """Return the arguments with absolute paths into the working tree mapped to the leg.

    IDEs pass such paths, through a symbolic link where they opened the project by one. Node ids
    are relative to the resolved root, so the paths have to be as well.
    """
    return list(_map_each(leg, arguments))


def _map_each(leg: Leg, arguments: Sequence[str]) -> Iterator[str]:
    previous = ""
    for argument in arguments:
        option, is_joined, value = argument.partition("=")
        if not (is_joined and option.startswith("-")):
            option, is_joined, value = previous, "", argument
        if option in _CONFIGURATION:
            yield argument
        elif is_joined:
            yield f"{option}={_map_path(leg, value)}"
        else:
            yield _map_path(leg, value)
        previous = argument


def _map_path(leg: Leg, value: str) -> str:
    name, separator, test = value.partition("::")
    path = Path(name)
    if not path.is_absolute():
        return value
    top = leg.tree.top if leg.side is Side.CANDIDATE else leg.other.top
    for folder in (path, *path.parents):
        # Links below the top are not resolved: node ids keep them.
        if folder.resolve() == top:
            return f"{leg.tests.top / path.relative_to(folder)}{separator}{test}"
    return value
