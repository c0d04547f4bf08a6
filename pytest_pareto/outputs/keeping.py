"""The outputs of one process, while its tests run."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pytest_pareto.outputs.album import AlbumWriter, Room
from pytest_pareto.outputs.disk import remove
from pytest_pareto.outputs.names import case_name

Keep = Callable[[str, object], None]
"""Takes a sample's id and its output."""


class Keeper:
    """Keeps outputs below a folder, at most ``most_b`` bytes of images."""

    def __init__(self, folder: Path, most_b: int) -> None:
        self._folder = folder
        self._room = Room(most_b)
        self._count = 0
        self._written: dict[str, list[tuple[Path, AlbumWriter]]] = {}

    def begin(self, nodeid: str) -> None:
        """Forget what an earlier try of a test left, if it is run again."""
        for folder, writer in self._written.pop(nodeid, []):
            remove(folder)
            self._room.give_back(writer.size_b)

    def keep(self, nodeid: str, case_id: str, metrics: Sequence[str]) -> Keep:
        """Return what takes the outputs of one evaluation, which these metrics score."""
        self._count += 1
        folder = self._folder / f"{self._count}-{case_name(case_id)}"
        writer = AlbumWriter(folder, case_id, metrics, self._room)
        self._written.setdefault(nodeid, []).append((folder, writer))
        return writer.keep
