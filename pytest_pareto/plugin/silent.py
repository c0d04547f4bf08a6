"""Tests that fail in runs that are not shown: told once, by their cases or by the session."""

from collections.abc import Collection, Iterable, Mapping

from pytest_pareto.model.run import Run
from pytest_pareto.model.verdict import Judgement


class Silent:
    """Gathers what failed unseen. Of a test that fails in many runs the first is told."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def add(self, failures: Mapping[str, str]) -> None:
        """Take in what failed in one run, as texts by node id."""
        self._found = {**failures, **self._found}

    def beside(self, measuring: Collection[str], runs: Iterable[Run]) -> list[str]:
        """Tell what failed, but not of tests whose cases tell that they failed in the ``runs``.

        ``measuring`` are the tests that have cases: those that a failure in a run breaks.
        """
        told = {nodeid for run in runs for nodeid in run.failed}.intersection(measuring)
        return [text for nodeid, text in self._found.items() if nodeid not in told]


def measuring_in(runs: Iterable[Run]) -> set[str]:
    """Return the tests with cases that can fail the build."""
    return {case.nodeid for run in runs for case in run.cases.values() if case.gate}


def measuring_of(judgement: Judgement) -> set[str]:
    """Return the tests with judged cases that can fail the build."""
    compared = (case.comparison for case in judgement.cases)
    return {c.nodeid for c in compared if c.gate and c.missing is None and c.skipped is None}
