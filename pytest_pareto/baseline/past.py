"""Baselines as they once were: of many commits, each of whose files is decoded once."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath

from pytest_pareto.baseline import folders, layout
from pytest_pareto.baseline.codec import decode_environment, decode_levels
from pytest_pareto.model.baseline import Baseline, CaseHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import BaselineError

Files = Mapping[str, str]
"""The files of one baseline: by path below its folder, the name of the content."""


def machines_of(files: Iterable[str]) -> set[str]:
    """Return the names of all kinds of machine that have results of their own."""
    tops = {PurePosixPath(path).parts[0] for path in files if "/" in path}
    return set(filter(layout.is_of_a_machine, tops))


class PastBaselines:
    """Reads what many baselines said of one kind of machine, without scores per sample.

    ``content_of`` returns the bytes behind a name, which stands for the same ones each time.
    """

    def __init__(self, hardware_key: str, content_of: Callable[[str], bytes]) -> None:
        self._key = layout.hardware_folder(hardware_key)
        self._content_of = content_of
        self._environments: dict[tuple[str, str], Environment] = {}
        self._modules: dict[tuple[str, str, frozenset[str]], dict[str, CaseHistory]] = {}

    def load(self, files: Files) -> Baseline:
        """Return a baseline; raises BaselineError where a file of it cannot be used."""
        environments = {
            PurePosixPath(path).stem: self._environment(path, name)
            for path, name in files.items()
            if PurePosixPath(path).parts[0] == layout.ENVIRONMENT_FOLDER and _is_json(path)
        }
        known = frozenset(environments)
        cases: dict[str, CaseHistory] = {}
        for folder in (layout.ANYWHERE_FOLDER, self._key):
            for path, name in sorted(files.items()):
                if _is_main(path, folder):
                    folders.join_cases(cases, self._module(path, name, known))
        return Baseline(self._key, cases, environments)

    def _environment(self, path: str, name: str) -> Environment:
        known = (path, name)
        if known not in self._environments:
            self._environments[known] = decode_environment(self._text(path, name), path)
        return self._environments[known]

    def _module(self, path: str, name: str, environments: frozenset[str]) -> dict[str, CaseHistory]:
        known = (path, name, environments)
        if known not in self._modules:
            folder, *rest = PurePosixPath(path).parts
            module = layout.module_of(PurePosixPath(*rest))
            text = self._text(path, name)
            cases = decode_levels(text, file=path, module=module, environments=environments)
            folders.check_scopes(cases, folder, path)
            self._modules[known] = cases
        return self._modules[known]

    def _text(self, path: str, name: str) -> str:
        try:
            return self._content_of(name).decode("utf-8")
        except UnicodeDecodeError as error:
            raise BaselineError(
                f"{path}: expected UTF-8 text ({error.reason} at byte {error.start})."
            ) from error


def _is_json(path: str) -> bool:
    return path.endswith(".json")


def _is_main(path: str, folder: str) -> bool:
    file = PurePosixPath(path)
    inside = len(file.parts) > 1 and file.parts[0] == folder
    return inside and _is_json(path) and not layout.is_samples_file(file)
