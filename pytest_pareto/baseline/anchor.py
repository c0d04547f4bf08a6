"""The anchor: a baseline that a release froze, read and never written."""

from pathlib import Path

from pytest_pareto.baseline.disk import directory_exists
from pytest_pareto.baseline.store import load
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.errors import BaselineError


def load_anchor(directory: Path, hardware_key: str) -> Baseline:
    """Read what the anchor says of one kind of machine.

    Raises BaselineError where it is not there, holds nothing or cannot be read: an anchor that
    was asked for and anchors nothing would pass whatever creeps.
    """
    try:
        there = directory_exists(directory)
        anchor = load(directory, hardware_key)
    except BaselineError as error:
        raise BaselineError(
            "the anchor cannot be used (no update writes it: restore it from git, or freeze it "
            f"anew by a copy of the baseline): {error}"
        ) from error
    if not there:
        raise BaselineError(f"there is no anchor in {directory.as_posix()}: {_WAYS_OUT}")
    if not anchor.cases and not any(anchor.elsewhere.values()):
        raise BaselineError(f"the anchor in {directory.as_posix()} holds no case: {_WAYS_OUT}")
    return anchor


_WAYS_OUT = "freeze one by a copy of the baseline, or configure none with --pareto-anchor="
