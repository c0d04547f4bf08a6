"""Inside a fresh process: the same tests in the same order, and every report to a file.

Inside a fresh process that runs nothing: which tests are there, and which of them measure.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from pytest_pareto.measure.machine import probe_environment
from pytest_pareto.plugin.fresh_processes import ChildLine, ChildSpec, write_line
from pytest_pareto.plugin.process_hooks import MeasuringHooks, why_uncollected
from pytest_pareto.plugin.progress import CHILD
from pytest_pareto.plugin.recorder import KEEPER, MEASURED

_NEUTRAL: Mapping[str, object] = {
    # Whatever selects, orders, repeats, stops, spreads or writes belongs to the parent;
    # the ini file's addopts ask for it again in every child.
    "numprocesses": None, "dist": "no", "tx": [], "looponfail": False,
    "lf": False, "failedfirst": False, "newfirst": False,
    "stepwise": False, "stepwise_skip": False, "stepwise_reset": False,
    "maxfail": 0,
    "xmlpath": None, "htmlpath": None, "usepdb": False, "trace": False,
    "log_file": None, "report_log": None, "json_report_file": None,
    "reruns": None, "basetemp": None, "pastebin": None, "collectonly": False,
}  # fmt: skip
_CHOSEN: Mapping[str, object] = {"keyword": "", "markexpr": "", "deselect": None}
"""What the parent's node ids have in them already."""


def neutralise(config: pytest.Config) -> None:
    """Undo the options that are the parent's business."""
    chosen = {} if _read_spec(config).lists else _CHOSEN
    for name, value in ({**_NEUTRAL, **chosen}).items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)


def register_child(config: pytest.Config) -> None:
    """Register what a child needs."""
    spec = _read_spec(config)
    if spec.lists:
        config.pluginmanager.register(Lister(config, Path(spec.lines)), "pareto-lister")
        return
    if spec.may_lack:
        config.option.continue_on_collection_errors = True
    if spec.measured is not None:
        config.stash[MEASURED] = frozenset(spec.measured)
    if spec.outputs is not None:
        config.stash[KEEPER] = spec.outputs.store()
    config.pluginmanager.register(MeasuringHooks(), "pareto-measuring")
    config.pluginmanager.register(Child(config, spec), CHILD)


class Child:
    """Selects the parent's tests and writes down what became of them."""

    def __init__(self, config: pytest.Config, spec: ChildSpec) -> None:
        self._config = config
        self._spec = spec

    def _write(self, line: ChildLine) -> None:
        write_line(Path(self._spec.lines), line)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep exactly the parent's tests, in its order."""
        by_id = {item.nodeid: item for item in items}
        lost = [nodeid for nodeid in self._spec.nodeids if nodeid not in by_id]
        if lost and not self._spec.may_lack:
            message = _lost(lost)
            self._write(ChildLine(error=message))
            raise pytest.UsageError(message)
        items[:] = [by_id[nodeid] for nodeid in self._spec.nodeids if nodeid in by_id]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Say what cannot be collected here: where tests may be missing, this is why."""
        if report.failed:
            self._write(ChildLine(uncollected=(report.nodeid, why_uncollected(report))))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Pass a report on."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._write(ChildLine(report=data))

    def stand(self, text: str) -> None:
        """Say where long work within a test stands."""
        self._write(ChildLine(standing=text))

    def pytest_sessionfinish(self) -> None:
        """Say where this was measured, now that the tests have loaded what they use."""
        environment = probe_environment({"pytest": pytest.__version__})
        self._write(ChildLine(environment=msgspec.to_builtins(environment)))


def _read_spec(config: pytest.Config) -> ChildSpec:
    written = Path(config.getoption("--pareto-child")).read_bytes()
    return msgspec.json.decode(written, type=ChildSpec)


def _lost(nodeids: Sequence[str]) -> str:
    return (
        f"{len(nodeids)} tests were not collected again in a fresh process, such as "
        f"{nodeids[0]!r}; test ids must be the same each time (no random or time-dependent "
        "parameters, no sets in parametrize)"
    )


class Lister:
    """Collects this folder's tests by the session's own arguments, and tells of them."""

    def __init__(self, config: pytest.Config, lines: Path) -> None:
        self._lines = lines
        self._asked: list[tuple[Path, str]] = []
        if not config.option.pyargs:
            self._ask_for_what_is_there(config)

    def _ask_for_what_is_there(self, config: pytest.Config) -> None:
        # pytest refuses a path that is not there, and a name within a module; older code may
        # have neither. So modules are collected whole, and the names are looked for afterwards.
        root = config.rootpath.resolve()
        for argument in config.args:
            path, _, names = argument.partition("::")
            place = Path(config.invocation_params.dir, path).resolve()
            if place.exists() and place.is_relative_to(root):
                self._asked.append((place, names))
        config.args[:] = dict.fromkeys(str(place) for place, _ in self._asked)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what was not asked for by name, before others choose."""
        items[:] = [item for item in items if self._is_asked(item)]

    def _is_asked(self, item: pytest.Item) -> bool:
        name = item.nodeid.partition("::")[2]
        return not self._asked or any(
            (place == item.path or place in item.path.parents)
            and (not names or name == names or name.startswith((f"{names}[", f"{names}::")))
            for place, names in self._asked
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Say what cannot be collected, and so is not listed."""
        if report.failed:
            uncollected = (report.nodeid, why_uncollected(report))
            write_line(self._lines, ChildLine(uncollected=uncollected))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Tell which tests there are, and run none."""
        listed = {item.nodeid: _measures(item) for item in session.items}
        write_line(self._lines, ChildLine(listed=listed))
        return True


def _measures(item: pytest.Item) -> bool:
    """Whether a test asks for the fixture, or says by the marker that it will."""
    if item.get_closest_marker("skip") is not None:
        return False
    fixtures = getattr(item, "fixturenames", ())
    return "pareto" in fixtures or item.get_closest_marker("pareto") is not None
