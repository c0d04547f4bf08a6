"""Scores per sample, in files of their own: id lists once, scores one line per metric."""

from collections.abc import Iterable, Mapping

from pytest_pareto.baseline import forms, layout, wire
from pytest_pareto.baseline.emit import block, line
from pytest_pareto.model.baseline import CaseHistory, Samples
from pytest_pareto.model.formatting import round_samples


def encode_samples(cases: Iterable[CaseHistory]) -> str | None:
    """Write the samples file of one test module's cases, or None where none has samples."""
    id_lists: dict[str, str] = {}
    tree: dict[str, Mapping[str, str]] = {}
    for case in cases:
        lines = {}
        for name, history in case.metrics.items():
            if history.samples is not None:
                ids = list(history.samples.ids)
                ids_key = layout.content_key(ids)
                id_lists[ids_key] = line(ids)
                values = round_samples(history.samples.values)
                lines[name] = line({"ids": ids_key, "values": values})
        if lines:
            tree[layout.split_case_id(case.case_id)[1]] = lines
    if not tree:
        return None
    return block({"schema": str(forms.SCHEMA), "ids": id_lists, "cases": tree}) + "\n"


class SamplesReader:
    """A samples file, handed out metric by metric; ``None`` is a file that is not there.

    Every method raises BaselineError where the file does not hold what it must.
    """

    def __init__(self, text: str | None, file: str, main_file: str) -> None:
        self._file = file
        self._main_file = main_file
        self._ids: Mapping[str, tuple[str, ...]] = {}
        self._lines: dict[tuple[str, str], object] = {}
        if text is None:
            return
        content = wire.convert(wire.parse(text, file), forms.SamplesFile, file, "")
        self._ids = {name: _id_list(ids, file, name) for name, ids in content.ids.items()}
        for rest, entry in content.cases.items():
            lines = wire.convert(entry, dict[str, object], file, f"cases{wire.key(rest)}")
            self._lines |= {(rest, name): scores for name, scores in lines.items()}

    def take(self, rest: str, name: str) -> Samples:
        """Return the scores of one paired metric, and count them as claimed."""
        place = _place(rest, name)
        if (rest, name) not in self._lines:
            raise wire.corrupt(
                self._file, place, f"expected the samples of a paired metric of {self._main_file}"
            )
        scores = wire.convert(self._lines.pop((rest, name)), forms.SamplesLine, self._file, place)
        wire.check_finite(scores.values, self._file, f"{place}.values")
        ids = self._ids.get(scores.ids)
        if ids is None:
            raise wire.corrupt(
                self._file, f"{place}.ids", f"expected a key of 'ids', got {scores.ids!r}"
            )
        if len(ids) != len(scores.values):
            raise wire.corrupt(
                self._file,
                f"{place}.values",
                f"expected {len(ids)} values, one per id, got {len(scores.values)}",
            )
        return Samples(ids, scores.values)

    def refuse_leftovers(self) -> None:
        """Refuse scores that no paired metric has claimed."""
        for rest, name in self._lines:
            raise wire.corrupt(
                self._file,
                _place(rest, name),
                f"samples of what is no paired metric of {self._main_file}",
            )


def _id_list(content: object, file: str, name: str) -> tuple[str, ...]:
    place = f"ids{wire.key(name)}"
    ids = wire.convert(content, tuple[str, ...], file, place)
    if len(set(ids)) < len(ids):
        raise wire.corrupt(file, place, "expected every id once")
    return ids


def _place(rest: str, name: str) -> str:
    return f"cases{wire.key(rest)}{wire.key(name)}"
