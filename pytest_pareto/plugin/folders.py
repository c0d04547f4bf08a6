"""Where the baseline is, and the anchor beside it."""

from pathlib import Path

import pytest


def baseline_dir(config: pytest.Config) -> Path:
    """Return the folder of the baseline; it need not exist."""
    folder = _folder(config, "baseline")
    assert folder is not None  # the ini option has a default
    return folder


def own_dir(config: pytest.Config) -> Path:
    """Return the folder of the baseline that the project itself names."""
    return Path(config.rootpath, str(config.getini("pareto_baseline")).strip())


def anchor_dir(config: pytest.Config) -> Path | None:
    """Return the folder of the anchor, or None where none is asked for.

    Raises pytest.UsageError where it and the baseline lie in one another: updates would write it.
    """
    folder = _folder(config, "anchor")
    if folder is None:
        return None
    frozen, rolling = folder.resolve(), baseline_dir(config).resolve()
    if _in_one_another(frozen, rolling):
        raise pytest.UsageError(
            f"the anchor {folder.as_posix()} and the baseline {rolling.as_posix()} lie in one "
            "another, so that updates would write the anchor: give it a folder of its own, with a "
            "copy of the baseline"
        )
    return folder


def candidate_dir(config: pytest.Config) -> Path | None:
    """Return the folder in which a session leaves its candidate, or None where it leaves none.

    Raises pytest.UsageError where replacing it would remove something else.
    """
    folder = _folder(config, "candidate")
    if folder is None:
        return None
    from pytest_pareto.baseline.candidate import SESSION, holds_candidate

    ours = (folder / SESSION).resolve()
    kept = {"baseline": baseline_dir(config), "anchor": _folder(config, "anchor")}
    for what, other in kept.items():
        if other is not None and _in_one_another(ours, other.resolve()):
            raise pytest.UsageError(
                f"the candidate {folder.as_posix()} and the {what} {other.as_posix()} lie in one "
                "another, and each session replaces the candidate: give it a folder of its own"
            )
    if not holds_candidate(folder):
        raise pytest.UsageError(
            f"--pareto-candidate: {folder.as_posix()} holds something else, and each session "
            "replaces the candidate; name a folder that is empty or not there"
        )
    return folder


def _in_one_another(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _folder(config: pytest.Config, name: str) -> Path | None:
    """Return a folder given as an option, else as an ini value; an empty one is none."""
    given = config.getoption(f"--pareto-{name}")
    if given is not None:
        return Path(config.invocation_params.dir, given) if given or name == "baseline" else None
    ini = str(config.getini(f"pareto_{name}")).strip()
    return Path(config.rootpath, ini) if ini or name == "baseline" else None
