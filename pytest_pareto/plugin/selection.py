"""Which cases of the baseline this session had to measure."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_pareto.model.session_record import EVERYTHING, Asked


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

    @property
    def asked(self) -> Asked:
        """What the session was asked for, as its record keeps it."""
        return Asked(
            tuple(dict.fromkeys(self._covered())),
            self.partial,
            self.stopped,
            tuple(sorted(self.skipped_modules)),
        )

    def _covered(self) -> Iterator[str]:
        """Yield the files and folders that the arguments name whole, relative to the root."""
        base, root = self._config.invocation_params.dir, self._config.rootpath
        for argument in self._config.args:
            if "::" in argument:
                continue
            path = Path(os.path.normpath(Path(base, argument)))
            # Node ids are of paths as they were typed, or of what these are links to.
            for covered, top in ((path, root), (path.resolve(), root.resolve())):
                if top.is_relative_to(covered):
                    yield EVERYTHING
                elif covered.is_relative_to(top):
                    yield covered.relative_to(top).as_posix()
