"""A fresh process that measures the session's tests, and all that it says."""

import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from pytest_pareto.model.environment import Environment
from pytest_pareto.plugin.child import ChildLine, ChildSpec
from pytest_pareto.plugin.collecting import RunBuilder
from pytest_pareto.runs.process import ChildProcess

_ORDERLY = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: where it ran, if it said so, and what was wrong, if anything."""

    environment: Environment | None
    trouble: str | None


def run_child(
    session: pytest.Session,
    builder: RunBuilder,
    *,
    measured: Iterable[str] | None = None,
    show: Callable[[pytest.TestReport], None] = lambda _: None,
) -> Ended:
    """Run the session's tests, in its order, in a process of their own.

    ``builder`` takes in every report, and ``show`` sees it as it comes. ``measured`` are the
    node ids of the tests that measure, the others call their functions once; None for all.
    """
    environment: Environment | None = None
    trouble: str | None = None
    with tempfile.TemporaryDirectory(prefix="pytest-pareto-") as folder:
        with _child(session, Path(folder), measured) as child:
            for text in child.lines():
                line = msgspec.json.decode(text, type=ChildLine)
                if line.report is not None:
                    report = _revive(session.config, line.report)
                    builder.add(report)
                    show(report)
                elif line.environment is not None:
                    environment = msgspec.convert(line.environment, Environment)
                else:
                    trouble = line.error
        if trouble is None and child.exit_code not in _ORDERLY:
            trouble = f"it ended with exit code {child.exit_code}:\n{child.tail()}"
    if trouble is None and environment is None:
        trouble = "it ended without saying where it ran"
    return Ended(environment, trouble)


def _child(session: pytest.Session, folder: Path, measured: Iterable[str] | None) -> ChildProcess:
    config = session.config
    lines, file = folder / "lines.jsonl", folder / "spec.json"
    spec = ChildSpec(
        nodeids=[item.nodeid for item in session.items],
        lines=str(lines),
        measured=None if measured is None else sorted(measured),
    )
    file.write_bytes(msgspec.json.encode(spec))
    ini = ["-c", str(config.inipath)] if config.inipath is not None else []
    arguments = [
        sys.executable,
        *(() if _imports_from_here(config) else ("-P",)),
        *("-m", "pytest", "--pareto-child", str(file), "--rootdir", str(config.rootpath)),
        *(*ini, *map(str, config.invocation_params.args)),
    ]
    log = folder / "log.txt"
    return ChildProcess(arguments, cwd=config.invocation_params.dir, log=log, lines=lines)


def _revive(config: pytest.Config, data: dict[str, object]) -> pytest.TestReport:
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    assert isinstance(report, pytest.TestReport)
    return report


def _imports_from_here(config: pytest.Config) -> bool:
    """Whether this pytest can import from its folder, as ``python -m pytest`` lets it."""
    here = str(config.invocation_params.dir)
    return any(entry in ("", here) for entry in sys.path)
