"""Where the baseline is, and the anchor beside it."""

from pathlib import Path

import pytest


def baseline_dir(config: pytest.Config) -> Path:
    """Return the folder of the baseline; it need not exist."""
    folder = _folder(config, "baseline")
    assert folder is not None  # the ini option has a default
    return folder


def anchor_dir(config: pytest.Config) -> Path | None:
    """Return the folder of the anchor, or None where none is asked for.

    Raises pytest.UsageError where it and the baseline lie in one another: updates would write it.
    """
    folder = _folder(config, "anchor")
    if folder is None:
        return None
    frozen, rolling = folder.resolve(), baseline_dir(config).resolve()
    if frozen.is_relative_to(rolling) or rolling.is_relative_to(frozen):
        raise pytest.UsageError(
            f"the anchor {folder.as_posix()} and the baseline {rolling.as_posix()} lie in one "
            "another, so that updates would write the anchor: give it a folder of its own, with a "
            "copy of the baseline"
        )
    return folder


def _folder(config: pytest.Config, name: str) -> Path | None:
    """Return a folder given as an option, else as an ini value; an empty one is none."""
    given = config.getoption(f"--pareto-{name}")
    if given is not None:
        return Path(config.invocation_params.dir, given) if given or name == "baseline" else None
    ini = str(config.getini(f"pareto_{name}")).strip()
    return Path(config.rootpath, ini) if ini or name == "baseline" else None
