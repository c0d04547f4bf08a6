"""Reading the folders of a baseline directory, one file or one folder at a time."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pytest_pareto.baseline import layout, wire
from pytest_pareto.baseline.codec import decode_environment, decode_module
from pytest_pareto.baseline.disk import json_files, read_text
from pytest_pareto.model.baseline import CaseHistory
from pytest_pareto.model.environment import Environment


def hardware_folders(directory: Path) -> list[Path]:
    """Return the folders of every kind of machine, ``any`` among them."""
    return sorted(
        folder
        for folder in directory.iterdir()
        if folder.is_dir() and layout.holds_results(folder.name)
    )


def main_files(folder: Path) -> list[Path]:
    """Return the main files of one folder, which need not exist."""
    return [path for path in json_files(folder) if not layout.is_samples_file(path)]


def read_environments(directory: Path) -> dict[str, Environment]:
    """Read every environment of a baseline directory, by name."""
    return {
        path.stem: decode_environment(read_text(path) or "", path.as_posix())
        for path in json_files(directory / layout.ENVIRONMENT_FOLDER)
    }


def read_module(folder: Path, main: Path, environments: Container[str]) -> dict[str, CaseHistory]:
    """Read one test module's cases, by case id; a file that is not there holds none."""
    text = read_text(main)
    if text is None:
        return {}
    module = layout.module_of(main.relative_to(folder))
    cases = decode_module(
        text,
        read_text(Path(layout.samples_file(str(main)))),
        file=main.as_posix(),
        module=module,
        environments=environments,
    )
    check_scopes(cases, folder.name, main.as_posix())
    return cases


def check_scopes(cases: Mapping[str, CaseHistory], folder: str, file: str) -> None:
    """Raise BaselineError where a metric of a file does not belong into its folder."""
    for case in cases.values():
        for name, history in case.metrics.items():
            if not layout.belongs(history.scope, folder):
                rest = layout.split_case_id(case.case_id)[1]
                raise wire.corrupt(
                    file,
                    f"{wire.metric_place(rest, name)}.scope",
                    f"a metric of scope '{history.scope}' does not belong into {folder}/",
                )


def join_cases(far: dict[str, CaseHistory], near: Mapping[str, CaseHistory]) -> None:
    """Add cases of a nearer folder to those of ``far``: where both hold a metric, it counts."""
    for case_id, case in near.items():
        shared = far[case_id].metrics if case_id in far else {}
        far[case_id] = replace(case, metrics={**shared, **case.metrics})


def held(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the case id and name of every metric that a folder holds."""
    for main in main_files(folder):
        module = layout.module_of(main.relative_to(folder))
        entries = wire.module_entries(read_text(main) or "", main.as_posix())
        for rest, (_, lines) in entries.items():
            for name in lines:
                yield layout.join_case_id(module, rest), name


def references(text: str, file: str) -> Iterator[str]:
    """Yield the names of the environments that a main file's sessions refer to."""
    for _, lines in wire.module_entries(text, file).values():
        for content in lines.values():
            for session in content.sessions:
                yield session.env
