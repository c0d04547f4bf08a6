"""Where a session keeps outputs while its tests run: in a folder that ends with it."""

import contextlib
from pathlib import Path

import pytest

from pytest_pareto.outputs.accepted_outputs import accepted_albums
from pytest_pareto.outputs.image_folder import Album, read_albums
from pytest_pareto.plugin.child import Handed
from pytest_pareto.plugin.recording import KEEPER
from pytest_pareto.plugin.values import megabytes
from pytest_pareto.runs.legs import Side
from pytest_pareto.runs.tempfolders import prune_folders, run_folder

KEPT = pytest.StashKey["KeptOutputs"]()


class KeptOutputs:
    """Gives each side of a session a folder for outputs, at most ``most_b`` bytes each.

    The folder is in the temp folder, where it is removed when the session ends; what a killed
    session left there, the next one removes.
    """

    def __init__(self, config: pytest.Config, *, here: bool) -> None:
        """Make the folder; ``here`` is whether this process measures, instead of others."""
        self.root = config.rootpath
        self.cwd = config.invocation_params.dir
        self.artifacts = Path(self.root, str(config.getini("pareto_artifacts")).strip())
        self.most_b = megabytes(config, "pareto_outputs_mb")
        self.trouble: str | None = None
        self._folder: Path | None = None
        if self.most_b:
            self._open(config)
        config.stash[KEPT] = self
        handed = self.handed(Side.CANDIDATE)
        if here and handed is not None:
            config.stash[KEEPER] = handed.keeper()

    def _open(self, config: pytest.Config) -> None:
        prune_folders()
        stack = contextlib.ExitStack()
        config.add_cleanup(stack.close)
        try:
            self._folder = stack.enter_context(run_folder())
        except OSError as error:
            self.trouble = f"outputs are not kept: {error}; TMPDIR sets another folder"

    def handed(self, side: Side) -> Handed | None:
        """Return where a process of one side keeps outputs; None where none are kept."""
        if self._folder is None:
            return None
        return Handed(str(self._folder / str(side)), self.most_b)

    def albums(self, side: Side) -> list[Album]:
        """Return what was kept of one side in this session."""
        return [] if self._folder is None else read_albums(self._folder / str(side))

    def accepted(self, hardware_key: str) -> list[Album]:
        """Return what is kept of the baseline's outputs."""
        return accepted_albums(self.root, hardware_key) if self.most_b else []


def handed(config: pytest.Config, side: Side) -> Handed | None:
    """Return where the first run of a side keeps outputs; None where the session keeps none."""
    kept = config.stash.get(KEPT, None)
    return None if kept is None else kept.handed(side)
