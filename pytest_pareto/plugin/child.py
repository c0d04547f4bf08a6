"""The plugin inside a fresh process: the child's end of `fresh_processes`.

`register_child` reads the parent's `ChildSpec`. `ChildHooks` runs the parent's tests in its order
and writes every report to a file; `ListingHooks` runs nothing, and writes which tests there are.
"""

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from pytest_pareto.measure.machine import probe_environment
from pytest_pareto.measure.torch_profiler import CallProfiler
from pytest_pareto.measure.turns import Turns
from pytest_pareto.plugin.fresh_processes import ChildLine, ChildSpec, TurnsSpec, write_line
from pytest_pareto.plugin.process_hooks import MeasuringHooks, why_uncollected
from pytest_pareto.plugin.progress import CHILD_PLUGIN
from pytest_pareto.plugin.recorder import KEEPER, MEASURED, PROFILER, TURNS
from pytest_pareto.runs.process import wait_at_barrier

_PARENT_OPTIONS: Mapping[str, object] = {
    # Options that select, order, repeat, stop, distribute or write belong to the parent;
    # the ini file's addopts would set them again in every child.
    "numprocesses": None, "dist": "no", "tx": [], "looponfail": False,
    "lf": False, "failedfirst": False, "newfirst": False,
    "stepwise": False, "stepwise_skip": False, "stepwise_reset": False,
    "maxfail": 0,
    "xmlpath": None, "htmlpath": None, "usepdb": False, "trace": False,
    "log_file": None, "report_log": None, "json_report_file": None,
    "reruns": None, "basetemp": None, "pastebin": None, "collectonly": False,
}  # fmt: skip
_SELECTION_OPTIONS: Mapping[str, object] = {"keyword": "", "markexpr": "", "deselect": None}
"""Options that select tests: the parent's node ids are already selected by them."""


def reset_parent_options(config: pytest.Config) -> None:
    """Reset the options that belong to the parent session.

    A child that lists tests keeps those that select: it selects as the parent does.
    """
    selection = {} if _read_spec(config).lists else _SELECTION_OPTIONS
    for name, value in ({**_PARENT_OPTIONS, **selection}).items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)


def register_child(config: pytest.Config) -> None:
    """Register the plugins of a child process, as its `ChildSpec` requires."""
    spec = _read_spec(config)
    if spec.lists:
        config.pluginmanager.register(ListingHooks(config, Path(spec.lines)), "pareto-lister")
        return
    if spec.may_lack:
        config.option.continue_on_collection_errors = True
    if spec.measured is not None:
        config.stash[MEASURED] = {
            test: None if names is None else frozenset(names)
            for test, names in spec.measured.items()
        }
    if spec.outputs is not None:
        config.stash[KEEPER] = spec.outputs.store()
    if spec.turns is not None:
        config.stash[TURNS] = _connect(spec.turns, spec.nodeids)
    if spec.profiles:
        config.stash[PROFILER] = CallProfiler(None if spec.traces is None else Path(spec.traces))
    config.pluginmanager.register(MeasuringHooks(), "pareto-measuring")
    config.pluginmanager.register(ChildHooks(config, spec), CHILD_PLUGIN)


def _connect(turns: TurnsSpec, nodeids: Sequence[str]) -> Turns:
    return Turns(_inherited(turns.descriptor), first=turns.first, seed=turns.seed, order=nodeids)


def _inherited(descriptor: int) -> socket.socket:
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)  # what the tests start must not keep it open
    return connection


class ChildHooks:
    """Selects the parent's tests and writes their reports for the parent."""

    def __init__(self, config: pytest.Config, spec: ChildSpec) -> None:
        self._config = config
        self._spec = spec
        self._barrier = None if spec.barrier is None else _inherited(spec.barrier)

    def _write(self, line: ChildLine) -> None:
        write_line(Path(self._spec.lines), line)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep exactly the parent's tests, in its order.

        Raises pytest.UsageError where one was not collected, unless the spec allows that.
        """
        by_id = {item.nodeid: item for item in items}
        lost = [nodeid for nodeid in self._spec.nodeids if nodeid not in by_id]
        if lost and not self._spec.may_lack:
            message = _lost_tests_message(lost)
            self._write(ChildLine(error=message))
            raise pytest.UsageError(message)
        items[:] = [by_id[nodeid] for nodeid in self._spec.nodeids if nodeid in by_id]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Wait until the parent lets this process go on, where others work before it."""
        barrier, self._barrier = self._barrier, None
        if barrier is not None and not wait_at_barrier(barrier):
            pytest.exit("the parent session has ended")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write what cannot be collected here: the reason why tests may be missing."""
        if report.failed:
            self._write(ChildLine(uncollected=(report.nodeid, why_uncollected(report))))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a test report for the parent."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._write(ChildLine(report=data))

    def report_progress(self, text: str) -> None:
        """Write the progress of long work within a test."""
        self._write(ChildLine(standing=text))

    def pytest_sessionfinish(self) -> None:
        """Write the environment, at the end: only now have the tests loaded what they use."""
        if TURNS in self._config.stash:
            self._config.stash[TURNS].close()
        environment = probe_environment({"pytest": pytest.__version__})
        self._write(ChildLine(environment=msgspec.to_builtins(environment)))


def _read_spec(config: pytest.Config) -> ChildSpec:
    written = Path(config.getoption("--pareto-child")).read_bytes()
    return msgspec.json.decode(written, type=ChildSpec)


def _lost_tests_message(nodeids: Sequence[str]) -> str:
    return (
        f"{len(nodeids)} tests were not collected again in a fresh process, such as "
        f"{nodeids[0]!r}; test ids must be the same each time (no random or time-dependent "
        "parameters, no sets in parametrize)"
    )


class ListingHooks:
    """Collects this folder's tests by the session's own arguments, and writes their node ids."""

    def __init__(self, config: pytest.Config, lines: Path) -> None:
        self._lines = lines
        self._requested: list[tuple[Path, str]] = []
        if not config.option.pyargs:
            self._keep_existing_arguments(config)

    def _keep_existing_arguments(self, config: pytest.Config) -> None:
        # pytest refuses a path, or a name within a module, that does not exist; older code may
        # lack either. So modules are collected whole, and names are filtered afterwards.
        root = config.rootpath.resolve()
        for argument in config.args:
            path, _, names = argument.partition("::")
            place = Path(config.invocation_params.dir, path).resolve()
            if place.exists() and place.is_relative_to(root):
                self._requested.append((place, names))
        config.args[:] = dict.fromkeys(str(place) for place, _ in self._requested)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Drop tests that the arguments do not name, before other plugins deselect."""
        items[:] = [item for item in items if self._is_requested(item)]

    def _is_requested(self, item: pytest.Item) -> bool:
        name = item.nodeid.partition("::")[2]
        return not self._requested or any(
            (place == item.path or place in item.path.parents)
            and (not names or name == names or name.startswith((f"{names}[", f"{names}::")))
            for place, names in self._requested
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write what cannot be collected, and so is not listed."""
        if report.failed:
            uncollected = (report.nodeid, why_uncollected(report))
            write_line(self._lines, ChildLine(uncollected=uncollected))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Write the node ids of all tests and whether each measures; run none."""
        listed = {item.nodeid: _measures(item) for item in session.items}
        write_line(self._lines, ChildLine(listed=listed))
        return True


def _measures(item: pytest.Item) -> bool:
    """Whether a test requests the fixture or has the marker, and is not skipped."""
    if item.get_closest_marker("skip") is not None:
        return False
    fixtures = getattr(item, "fixturenames", ())
    return "pareto" in fixtures or item.get_closest_marker("pareto") is not None
