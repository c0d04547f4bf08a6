"""Which cases of the baseline this session had to measure."""

from pathlib import Path

import pytest

from pytest_pareto.model.run import Run


class Selection:
    """What was asked for on the command line: a case outside of it is not missing."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.deselected: set[str] = set()
        self.stopped: str | None = None
        self.skipped_modules: set[str] = set()

    @property
    def partial(self) -> str | None:
        """Say why this session cannot tell what is missing, or None."""
        option = self._config.option
        if self.stopped is not None:
            return self.stopped
        if self.deselected:
            return f"{len(self.deselected)} deselected"
        if self.is_remembered:
            return "--lf or --sw"
        if option.ignore or option.ignore_glob:
            return "--ignore"
        return None

    @property
    def is_remembered(self) -> bool:
        """Whether an earlier session's outcome chose the tests."""
        option = self._config.option
        return bool(getattr(option, "lf", False) or getattr(option, "stepwise", False))

    def expects(self, case_id: str, runs: tuple[Run, ...]) -> bool:
        """Whether a session that ran to its end should have measured this case.

        A test that was collected should have; so should one of a module that the
        arguments cover, since it may be gone because it was renamed.
        """
        if any(_belongs(case_id, nodeid) for run in runs for nodeid in run.finished):
            return self.stopped is None
        return self.partial is None and self._covers(case_id.partition("::")[0])

    def skipped(self, case_id: str, runs: tuple[Run, ...]) -> bool:
        """Whether the case was not measured because its test, or its module, was skipped."""
        skipped = self.skipped_modules.union(*(run.skipped for run in runs))
        module = case_id.partition("::")[0]
        return module in skipped or any(_belongs(case_id, nodeid) for nodeid in skipped)

    def _covers(self, module: str) -> bool:
        base, root = self._config.invocation_params.dir, self._config.rootpath
        path = (root / module).resolve()
        for argument in self._config.args:
            if "::" in argument:
                continue
            covered = Path(base, argument).resolve()
            if path == covered or covered in path.parents:
                return True
        return False


def _belongs(case_id: str, nodeid: str) -> bool:
    return case_id == nodeid or case_id.startswith(f"{nodeid}#")
