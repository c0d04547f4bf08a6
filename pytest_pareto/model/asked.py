"""Which tests a session was asked for: a case outside of that is not missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pytest_pareto.model.run import Run

EVERYTHING = "."
"""The root directory, as a path of what was asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a session was asked for.

    ``covered`` are files and folders, relative to the root directory. ``partial`` says why the
    session cannot tell what is missing, and ``stopped`` why it ended early; else they are None.
    ``skipped_modules`` skipped themselves when they were collected.
    """

    covered: tuple[str, ...] = (EVERYTHING,)
    partial: str | None = None
    stopped: str | None = None
    skipped_modules: tuple[str, ...] = ()

    def expects(self, case_id: str, runs: Sequence[Run]) -> bool:
        """Whether a session that ran to its end should have measured this case.

        A test that was collected should have; so should one of a module that the
        arguments cover, since it may be gone because it was renamed.
        """
        if any(_belongs(case_id, nodeid) for run in runs for nodeid in run.finished):
            return self.stopped is None
        return self.partial is None and self._covers(case_id.partition("::")[0])

    def skipped(self, case_id: str, runs: Sequence[Run]) -> bool:
        """Whether the case was not measured because its test, or its module, was skipped."""
        skipped = {*self.skipped_modules}.union(*(run.skipped for run in runs))
        module = case_id.partition("::")[0]
        return module in skipped or any(_belongs(case_id, nodeid) for nodeid in skipped)

    def _covers(self, module: str) -> bool:
        path = PurePosixPath(module)
        return any(PurePosixPath(c) in (path, *path.parents) for c in self.covered)


def _belongs(case_id: str, nodeid: str) -> bool:
    return case_id == nodeid or case_id.startswith(f"{nodeid}#")
