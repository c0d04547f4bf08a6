"""What a directory holds for whoever only wants to read: the results of one kind of machine."""

from pathlib import Path

from pytest_pareto.baseline import folders, layout
from pytest_pareto.baseline.disk import directory_exists
from pytest_pareto.baseline.machines import several_machines
from pytest_pareto.baseline.store import load
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.errors import BaselineError


def load_recorded(directory: Path, hardware_key: str | None = None) -> Baseline:
    """Read the results of one kind of machine, with those that mean the same on every machine.

    Without a key it is the only kind that there is. Raises BaselineError where there is no
    baseline, where it cannot be used, or where its machines are others or need a choice.
    """
    machines = recorded_machines(directory)
    if hardware_key is None and len(machines) > 1:
        raise several_machines(f"{directory.as_posix()} holds", machines)
    if hardware_key is not None and hardware_key not in machines:
        held = ", ".join(machines) or "none that belong to a machine"
        raise BaselineError(
            f"{directory.as_posix()} holds no results of {hardware_key!r}; there are: {held}"
        )
    baseline = load(directory, hardware_key or (machines or [layout.NO_MACHINE])[0])
    if not baseline.cases:
        raise BaselineError(
            f"{directory.as_posix()} holds no results: record some with "
            "pytest --pareto --pareto-update"
        )
    return baseline


def recorded_machines(directory: Path) -> list[str]:
    """Name the kinds of machine that a baseline has results of, each by its folder.

    Raises BaselineError where there is no baseline.
    """
    _require_baseline(directory)
    return [
        folder.name
        for folder in folders.hardware_folders(directory)
        if layout.is_of_a_machine(folder.name)
    ]


def _require_baseline(directory: Path) -> None:
    """Tell a baseline by its environments, which every one that was written has."""
    if directory.is_file():
        raise BaselineError(f"{directory.as_posix()} is a file; name the folder of a baseline")
    if not directory_exists(directory):
        raise BaselineError(
            f"there is no baseline at {directory.as_posix()}: record one with "
            "pytest --pareto --pareto-update, or name the folder that holds it"
        )
    if not directory_exists(directory / layout.ENVIRONMENT_FOLDER):
        inside = sorted(directory.glob(f"*/{layout.ENVIRONMENT_FOLDER}"))
        hint = f"; {inside[0].parent.as_posix()} is one" if inside else ""
        raise BaselineError(
            f"{directory.as_posix()} is no baseline: it has no folder "
            f"{layout.ENVIRONMENT_FOLDER}{hint}"
        )
