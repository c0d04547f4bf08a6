"""Load a baseline directory, and write the difference between two baselines to it.

`load`, `write` and `rename` are the entry points. The functions below them read one folder or file
each.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from pytest_pareto.baseline import layout, schema
from pytest_pareto.baseline.codec import (
    decode_environment,
    decode_module,
    decode_policy,
    encode_environment,
    encode_module,
    encode_policy,
    encode_profile,
    encode_samples,
)
from pytest_pareto.baseline.files import (
    check_writable,
    commit,
    directory_exists,
    json_files,
    locked,
    naming_option,
    read_text,
    recover,
)
from pytest_pareto.model.baseline import Baseline, CaseHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import BaselineError

__all__ = ["check_writable", "directory_exists", "load", "naming_option", "rename", "write"]


def load(directory: Path, hardware_key: str) -> Baseline:
    """Return the baseline for one kind of machine; a missing directory is an empty baseline.

    Raises BaselineError where any of its files, also of other machines, cannot be used.
    """
    own = layout.hardware_folder(hardware_key)
    if not directory_exists(directory):
        return Baseline(hardware_key, {}, {})
    recover(directory)
    environments = read_environments(directory)
    cases: dict[str, CaseHistory] = {}
    # This machine's own folder comes last: where both hold a metric, it takes precedence.
    for folder in (directory / layout.ANYWHERE_FOLDER, directory / own):
        for main in main_files(folder):
            merge_cases(cases, read_module(folder, main, environments))
    elsewhere = {
        folder.name: frozenset(stored_metrics(folder))
        for folder in hardware_folders(directory)
        if folder.name not in (own, layout.ANYWHERE_FOLDER)
    }
    path = directory / layout.policy_file(hardware_key)
    text = read_text(path)
    policy, edited = (None, False) if text is None else decode_policy(text, path.as_posix())
    return Baseline(
        hardware_key, cases, environments, elsewhere, policy=policy, policy_edited=edited
    )


def write(directory: Path, hardware_key: str, before: Baseline, after: Baseline) -> list[Path]:
    """Write the difference between two baselines of one kind of machine.

    Cases that are equal in both stay as the directory has them, even where it changed since
    ``before`` was read. Returns the files that were written or removed, sorted. After a crash
    either all of them are written or none. Raises BaselineError where that fails, or where another
    process has changed a case of the difference since; the old baseline is then unchanged.
    """
    folders = (layout.hardware_folder(hardware_key), layout.ANYWHERE_FOLDER)
    difference = {name: _changed(name, before, after) for name in folders}
    policy = after.policy if after.cases and after.policy != before.policy else None
    if not any(difference.values()) and policy is None:
        return []
    for name, modules in difference.items():
        for module in modules:
            layout.module_file(name, module)  # raises before anything is made
    with locked(directory):
        environments = {**read_environments(directory), **after.environments}
        pending: dict[Path, str | None] = {}
        if policy is not None:
            pending[directory / layout.policy_file(hardware_key)] = encode_policy(policy)
        for name, modules in difference.items():
            for module, changed in modules.items():
                pending |= _module_files(directory, name, module, changed, before, environments)
        if not pending:
            return []
        _commit(directory, pending, environments)
    return sorted(pending)


def rename(directory: Path, new_entry: Callable[[CaseHistory], CaseHistory]) -> list[str]:
    """Rewrite the cases of every machine under other names, all or none of them.

    ``new_entry`` returns a case with its new id, or with the new names of its metrics; the case
    itself where it keeps them. Entries get digests of their new names, but for those that were
    edited by hand, which still show it. Returns the ids of the cases that changed, sorted. Raises
    BaselineError where a new name is in use already, or where it cannot be written.
    """
    pending: dict[Path, str | None] = {}
    with locked(directory):
        environments = read_environments(directory)
        held = {
            folder: list(_cases(folder, environments)) for folder in hardware_folders(directory)
        }
        renamed = {
            folder: [(case, _digested_anew(case, new_entry(case))) for case in cases]
            for folder, cases in held.items()
        }
        moved = [(c, n) for pairs in renamed.values() for c, n in pairs if n != c]
        _refuse_names_in_use([case for cases in held.values() for case in cases], moved)
        for folder, pairs in renamed.items():
            old = Baseline(folder.name, {c.case_id: c for c, _ in pairs}, environments)
            new = replace(old, cases={n.case_id: n for _, n in pairs})
            for module, changed in _changed(folder.name, old, new).items():
                pending |= _module_files(directory, folder.name, module, changed, old, environments)
        if pending:
            _commit(directory, pending, environments)
    return sorted({case.case_id for case, _ in moved})


def _cases(folder: Path, environments: Container[str]) -> Iterator[CaseHistory]:
    for main in main_files(folder):
        yield from read_module(folder, main, environments).values()


def _digested_anew(old: CaseHistory, new: CaseHistory) -> CaseHistory:
    """Return a renamed case without the digests of its old names; itself where nothing changed."""
    if new == old:
        return old
    metrics = {
        name: history if history.edited else replace(history, digest=None)
        for name, history in new.metrics.items()
    }
    return replace(new, metrics=metrics)


def _refuse_names_in_use(
    cases: Iterable[CaseHistory], moved: Iterable[tuple[CaseHistory, CaseHistory]]
) -> None:
    """Raise BaselineError where a new name is that of an entry that keeps it, on any machine."""

    def names(case: CaseHistory) -> set[tuple[str, str]]:
        return {(case.case_id, metric) for metric in case.metrics}

    moved = list(moved)
    gone = {name for old, new in moved for name in names(old) - names(new)}
    kept = {name for case in cases for name in names(case)} - gone
    for old, new in moved:
        for case_id, metric in sorted((names(new) - names(old)) & kept):
            raise BaselineError(
                f"the baseline has {metric!r} of {case_id} already: nothing was renamed"
            )


def _commit(
    directory: Path, pending: dict[Path, str | None], environments: Mapping[str, Environment]
) -> None:
    """Write files with the environments that they refer to, and remove what is empty then."""
    pending |= _environment_files(directory, pending, environments)
    commit(directory, _in_safe_order(directory, pending))
    for path in pending:
        _remove_empty_folders(path.parent, directory)


def _changed(
    folder: str, before: Baseline, after: Baseline
) -> dict[str, dict[str, CaseHistory | None]]:
    """Return the cases that differ in a folder, by test module and case id.

    A case that no longer has metrics in the folder is None.
    """
    changed: dict[str, dict[str, CaseHistory | None]] = {}
    for case_id in sorted(before.cases.keys() | after.cases.keys()):
        old = _part_in_folder(before.cases.get(case_id), folder)
        new = _part_in_folder(after.cases.get(case_id), folder)
        if old != new:
            module, _ = layout.split_case_id(case_id)
            changed.setdefault(module, {})[case_id] = new
    return changed


def _part_in_folder(case: CaseHistory | None, folder: str) -> CaseHistory | None:
    if case is None:
        return None
    metrics = {n: h for n, h in case.metrics.items() if layout.belongs(h.scope, folder)}
    return replace(case, metrics=metrics) if metrics else None


_Texts: TypeAlias = tuple[str | None, str | None, str | None]
"""The texts of a module's main file, samples file and profile file, each None if not needed."""


def _texts(*cases: CaseHistory | None) -> _Texts:
    """Return the texts of the files of some cases."""
    present = [case for case in cases if case is not None]
    if not present:
        return None, None, None
    return encode_module(present), encode_samples(present), encode_profile(present)


def _files_of(main: Path) -> tuple[Path, Path, Path]:
    """Return a module's main file, samples file and profile file."""
    return main, Path(layout.samples_file(str(main))), Path(layout.profile_file(str(main)))


def _module_files(
    directory: Path,
    folder: str,
    module: str,
    changed: Mapping[str, CaseHistory | None],
    before: Baseline,
    environments: Mapping[str, Environment],
) -> dict[Path, str | None]:
    """Return the new texts of a module's files, as far as they change."""
    main = directory / layout.module_file(folder, module)
    stored = read_module(directory / folder, main, environments)
    for case_id, new in changed.items():
        old = _part_in_folder(before.cases.get(case_id), folder)
        _refuse_overtaken(main, case_id, stored.get(case_id), (old, new))
    cases = {**stored, **changed}
    texts = text, samples, profile = _texts(*cases.values())
    if text is not None:
        # A text that could not be read again must not be written.
        decode_module(
            text,
            samples,
            profile_text=profile,
            file=f"refused to write {main.as_posix()}",
            module=module,
            environments=environments,
        )
    files = zip(_files_of(main), texts, strict=True)
    return {path: new for path, new in files if new != read_text(path)}


def _refuse_overtaken(
    main: Path,
    case_id: str,
    stored: CaseHistory | None,
    expected: tuple[CaseHistory | None, CaseHistory | None],
) -> None:
    """Raise BaselineError where a case is stored neither as it was read nor as it will be."""
    if _texts(stored) not in [_texts(each) for each in expected]:
        raise BaselineError(
            f"{main.as_posix()}: {case_id} was changed by another process since this one has read "
            "it; nothing was written. Run again."
        )


def _environment_files(
    directory: Path, pending: Mapping[Path, str | None], environments: Mapping[str, Environment]
) -> dict[Path, str | None]:
    """Return the environments to write, and those to remove since no file refers to them."""
    texts = dict(pending)
    for folder in hardware_folders(directory) if directory_exists(directory) else ():
        for main in main_files(folder):
            texts.setdefault(main, read_text(main))
    used = {
        name
        for path, text in texts.items()
        if text is not None
        and layout.is_main_file(path)
        and path.parent.name != layout.POLICY_FOLDER
        for name in environment_references(text, path.as_posix())
    }
    kept = {
        directory / layout.environment_file(name): environments[name]
        for name in used
        if name in environments
    }
    files: dict[Path, str | None] = dict.fromkeys(
        path for path in json_files(directory / layout.ENVIRONMENT_FOLDER) if path not in kept
    )
    for path, environment in kept.items():
        text = encode_environment(environment)
        if text != read_text(path):
            files[path] = text
    return files


def _in_safe_order(directory: Path, pending: Mapping[Path, str | None]) -> dict[Path, str | None]:
    """Return the files in an order in which a crash half-way leaves no dangling references.

    Environments are written before samples and profiles, and those before the main files that need
    them. Files are removed last, in the reverse order.
    """

    def sort_key(path: Path) -> tuple[bool, int, Path]:
        environment = path.parent == directory / layout.ENVIRONMENT_FOLDER
        depth = 0 if environment else 2 if layout.is_main_file(path) else 1
        removed = pending[path] is None
        return removed, -depth if removed else depth, path

    return {path: pending[path] for path in sorted(pending, key=sort_key)}


def _remove_empty_folders(folder: Path, top: Path) -> None:
    while folder != top:
        try:
            folder.rmdir()
        except OSError:
            return  # not empty, or already gone
        folder = folder.parent


def hardware_folders(directory: Path) -> list[Path]:
    """Return the folders of every kind of machine, ``any`` among them."""
    return sorted(
        folder
        for folder in directory.iterdir()
        if folder.is_dir() and layout.is_results_folder(folder.name)
    )


def main_files(folder: Path) -> list[Path]:
    """Return the main files of one folder, which need not exist."""
    return [path for path in json_files(folder) if layout.is_main_file(path)]


def read_environments(directory: Path) -> dict[str, Environment]:
    """Return every environment of a baseline directory, by name."""
    return {
        path.stem: decode_environment(read_text(path) or "", path.as_posix())
        for path in json_files(directory / layout.ENVIRONMENT_FOLDER)
    }


def read_module(folder: Path, main: Path, environments: Container[str]) -> dict[str, CaseHistory]:
    """Return one test module's cases, by case id; a missing file has none."""
    text = read_text(main)
    if text is None:
        return {}
    module = layout.module_of(main.relative_to(folder))
    _, samples, profile = _files_of(main)
    cases = decode_module(
        text,
        read_text(samples),
        profile_text=read_text(profile),
        file=main.as_posix(),
        module=module,
        environments=environments,
    )
    check_scopes(cases, folder.name, main.as_posix())
    return cases


def check_scopes(cases: Mapping[str, CaseHistory], folder: str, file: str) -> None:
    """Raise BaselineError where a metric's scope does not fit the folder of its file."""
    for case in cases.values():
        for name, history in case.metrics.items():
            if not layout.belongs(history.scope, folder):
                rest = layout.split_case_id(case.case_id)[1]
                raise schema.corrupt(
                    file,
                    f"{schema.metric_place(rest, name)}.scope",
                    f"a metric of scope '{history.scope}' does not belong into {folder}/",
                )


def merge_cases(far: dict[str, CaseHistory], near: Mapping[str, CaseHistory]) -> None:
    """Add the cases ``near`` to ``far``; where both hold a metric, that of ``near`` is used."""
    for case_id, case in near.items():
        shared = far[case_id].metrics if case_id in far else {}
        far[case_id] = replace(case, metrics={**shared, **case.metrics})


def stored_metrics(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the case id and name of every metric in a folder."""
    for main in main_files(folder):
        module = layout.module_of(main.relative_to(folder))
        entries = schema.module_entries(read_text(main) or "", main.as_posix())
        for rest, (_, lines) in entries.items():
            for name in lines:
                yield layout.join_case_id(module, rest), name


def environment_references(text: str, file: str) -> Iterator[str]:
    """Yield the names of the environments that a main file's sessions refer to."""
    for _, lines in schema.module_entries(text, file).values():
        for content in lines.values():
            for session in content.sessions:
                yield session.env
