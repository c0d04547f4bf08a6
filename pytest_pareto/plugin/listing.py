"""The ref's own tests: what they are now, so that one that is gone is missed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.plugin.child import read_line
from pytest_pareto.plugin.children import ORDERLY, child_arguments
from pytest_pareto.plugin.counts import timeout_s
from pytest_pareto.runs.leg_process import listen
from pytest_pareto.runs.legs import Leg, same_folder
from pytest_pareto.runs.tempfolders import run_folder


@dataclass(frozen=True, slots=True)
class Listed:
    """The node ids of the ref's own tests, in order, with whether they measure.

    ``notices`` say what could not be learned.
    """

    tests: Mapping[str, bool] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def list_tests(session: pytest.Session, leg: Leg) -> Listed:
    """Collect the ref's tests with its code, chosen as the session's own are.

    Where that fails, so much is said, and the comparison goes on: it does not need them.
    """
    own = _with_own_tests(session, leg)
    if own is None:
        return Listed()
    heard = _Heard()
    try:
        with run_folder() as folder:
            listen(
                own,
                lambda lines: child_arguments(
                    session,
                    lines,
                    folder / "spec.json",
                    nodeids=(),
                    leg=own,
                    lists=True,
                ),
                folder=folder / "run",
                hear=heard,
                timeout_s=timeout_s(session.config),
                orderly=ORDERLY,
            )
    except ParetoError as error:
        first, *rest = str(error).splitlines()
        why = f"{first} {rest[-1]}" if rest else first
        return Listed(notices=(f"whether a test of the old code is gone is not known: {why}",))
    # Where an id has a path in it, the same one here has another.
    here, there = str(own.other.top), str(own.tree.top)
    tests = {nodeid.replace(there, here): measures for nodeid, measures in heard.tests.items()}
    return Listed(tests, heard.notices())


def _with_own_tests(session: pytest.Session, leg: Leg) -> Leg | None:
    """Return the ref's leg with the ref's tests; None where it has no folder to start them in."""
    start = same_folder(session.config.invocation_params.dir, leg.other, leg.tree)
    return replace(leg, tests=leg.tree, cwd=start) if start.is_dir() else None


class _Heard:
    """Takes in what the listing child says."""

    def __init__(self) -> None:
        self.tests: dict[str, bool] = {}
        self._uncollected: list[tuple[str, str]] = []

    def __call__(self, text: str) -> None:
        line = read_line(text)
        if line.listed is not None:
            self.tests = line.listed
        elif line.uncollected is not None:
            self._uncollected.append(line.uncollected)

    def notices(self) -> tuple[str, ...]:
        if not self._uncollected:
            return ()
        nodeid, why = self._uncollected[0]
        more = f" (and {len(self._uncollected) - 1} more)" if len(self._uncollected) > 1 else ""
        notice = (
            f"as of the old code, {nodeid}{more} cannot be collected, so that it is not known "
            f"whether a test of it is gone: {why}"
        )
        return (notice,)
