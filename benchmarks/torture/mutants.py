"""Mutated files of every kind that the product reads, each read and judged.

Each kind of file has a reader, which reads a workspace with one mutated file and says what became
of the regression that is planted there. A mutant is made from the seed, its kind and its number.
"""

import contextlib
import io
import multiprocessing
import os
import random
import shutil
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest

from benchmarks.torture import material as made
from benchmarks.torture.faults import planted_fault
from benchmarks.torture.mutations import mutated, of_a_baseline
from benchmarks.torture.oracle import (
    Fate,
    Levels,
    Pair,
    anchor_fates,
    crept,
    evidence_of,
    fates,
    levels_of,
    planted,
    rewritten_since,
)
from benchmarks.torture.rows import Row, measured, merged
from pytest_pareto.baseline import files, store
from pytest_pareto.baseline.sources import PastBaselines, load_anchor
from pytest_pareto.cli import main
from pytest_pareto.cli.sides import ResultsSide, common_machine, open_side
from pytest_pareto.compare.stored import level_histories
from pytest_pareto.model.baseline import Baseline, Past, Revision
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.outputs.image_folder import read_albums
from pytest_pareto.outputs.images import make_thumbnails
from pytest_pareto.outputs.side_by_side import Side, SidePair, compose
from pytest_pareto.pipeline import accepted, judge_record
from pytest_pareto.results.reader import load_record
from pytest_pareto.testing.replay import read_readings

PART = "Mutated files"
_HANGS_AFTER_S = 20
_RULE = "say why it is accepted, with --reason TEXT"
"""What `accept` says where nothing is wrong with the files: it is the rule that is kept."""
_COMMAND_EVERY = 6
"""One of so many mutants is also put to the commands, which print what they read."""


class RefusedError(Exception):
    """A command ended with its own message, and a code that is no success."""


def command(*arguments: str) -> None:
    """Run a command of ``pytest-pareto`` in this process.

    Raises RefusedError where it ends with 2 and has printed no report, which would say why.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    if code == 2 and not out.getvalue().strip():
        raise RefusedError(err.getvalue())


class OfABaseline:
    """A baseline's files, judged against the session that is worse than the baseline.

    Each reader makes a workspace, names the files there of which one is mutated, and reads it:
    ``share`` is its share of all mutants, ``meaning`` is whether what numbers mean is mutated too.
    `read` returns the fate of what is planted, with ``whole`` by the commands too; it raises
    ParetoError or RefusedError where the product refuses the file.
    """

    meaning = True

    def __init__(self, fault: str, share: float, past: Path, results: Path) -> None:
        self.fault, self.share = fault, share
        content, self._record = load_record(results)
        self._key = content.session.hardware_key
        before = store.load(past, self._key)
        judgement = judge_record(self._record, Past(before)).judgement
        self._pairs, self._levels = planted(judgement), levels_of(before)
        self._known = frozenset(judgement.notices)
        self._past = past
        if len(self._pairs) < 2:
            raise RuntimeError(f"{results} is not red against {past}")

    def make(self, folder: Path) -> None:
        """Make a workspace."""
        shutil.copytree(self._past, folder / "pareto_baselines")

    def targets(self, folder: Path) -> Sequence[Path]:
        """Return the baseline's files."""
        return sorted((folder / "pareto_baselines").rglob("*.json"))

    def read(self, folder: Path, *, whole: bool) -> Fate:
        """Load and judge; ``whole`` also shows it, and reads it as history does."""
        directory = folder / "pareto_baselines"
        past = store.load(directory, self._key)
        judgement = judge_record(self._record, Past(past)).judgement
        after = rewritten_since(self._levels, levels_of(past))
        found = fates(judgement, self._pairs, after, known=self._known)
        if whole:
            command("show", str(directory), "-v", "--plot")
            self._read_as_history(directory)
        return found

    def _read_as_history(self, directory: Path) -> None:
        content = {p.relative_to(directory).as_posix(): p for p in directory.rglob("*.json")}
        reader = PastBaselines(self._key, lambda name: Path(name).read_bytes())
        past = reader.load({path: str(file) for path, file in content.items()})
        revision = Revision("0" * 40, "0" * 7, "2026-01-01", "x")
        level_histories([(0, revision, past), (1, revision, past)], diagnostics=True)


class OfAnAnchor(OfABaseline):
    """An anchor's files: the rolling baseline has followed, and the anchor alone is red."""

    def __init__(self, fault: str, share: float, past: Path, results: Path) -> None:
        super().__init__(fault, share, past, results)
        self._rolling = accepted(replace(self._record, anchored=True))
        self._record = replace(self._record, anchored=True)
        judgement = judge_record(self._record, Past(self._rolling, self._anchor(past))).judgement
        self._pairs, self._known = crept(judgement), frozenset(judgement.notices)
        if not self._pairs:
            raise RuntimeError(f"{results} has not crept since {past}")

    def _anchor(self, directory: Path) -> Baseline:
        return load_anchor(directory, self._key)

    def read(self, folder: Path, *, whole: bool) -> Fate:  # noqa: ARG002 - no command reads one
        """Load and judge."""
        anchor = self._anchor(folder / "pareto_baselines")
        judgement = judge_record(self._record, Past(self._rolling, anchor)).judgement
        after = rewritten_since(self._levels, levels_of(anchor))
        return anchor_fates(judgement, self._pairs, after, self._known)


class OfAJournal(OfABaseline):
    """What an update left that was interrupted: read, and finished, by whoever comes next."""

    meaning = False

    def make(self, folder: Path) -> None:
        """Interrupt an update behind the moment from which it counts."""
        super().make(folder)
        directory = folder / "pareto_baselines"
        before = store.load(directory, self._key)
        cases = {name: replace(case, front="f") for name, case in before.cases.items()}
        child = os.fork()
        if child == 0:
            try:
                files.replace_all = lambda *_: os._exit(0)
                store.write(directory, self._key, before, replace(before, cases=cases))
            finally:
                os._exit(1)
        if os.waitpid(child, 0)[1] != 0 or not (directory / files.COMMITTED).is_dir():
            raise RuntimeError("no journal was left")

    def targets(self, folder: Path) -> Sequence[Path]:
        """Return the journal's files."""
        return sorted((folder / "pareto_baselines" / files.COMMITTED).iterdir())


class OfNewResults:
    """The results file of the red session, as the new side of ``compare``."""

    meaning = False

    def __init__(self, fault: str, share: float, past: Path, results: Path) -> None:
        self.fault, self.share, self._past, self._results = fault, share, past, results
        content, record = load_record(results)
        judgement = judge_record(record, Past(store.load(past, content.session.hardware_key)))
        self._pairs = planted(judgement.judgement)
        self._evidence = {pair: evidence_of(record, pair) for pair in self._pairs}

    def make(self, folder: Path) -> None:
        """Make a workspace."""
        shutil.copytree(self._past, folder / "pareto_baselines")
        shutil.copy(self._results, folder / "results.json")

    def targets(self, folder: Path) -> Sequence[Path]:
        """Return the results file."""
        return [folder / "results.json"]

    def sides(self, folder: Path) -> tuple[Path, Path]:
        """Return the old and the new side."""
        return folder / "pareto_baselines", folder / "results.json"

    def read(self, folder: Path, *, whole: bool) -> Fate:
        """Judge as ``compare`` does; ``whole`` is that command, with all that it can print."""
        old, new = map(str, self.sides(folder))
        if whole:
            command("compare", old, new, "-vv", "--plot")
        with open_side(old) as a, open_side(new) as b:
            machine = common_machine(a, b, None)
            past, record = a.baseline(machine), b.record(machine, a)
            absences = tuple(a.absence_notices()) if isinstance(a, ResultsSide) else ()
        judgement = judge_record(record, Past(past)).judgement
        partial = record.asked.partial is not None or record.cut_short or bool(absences)
        return fates(judgement, self._pairs, self._rewritten(past, record), partial=partial)

    def _rewritten(self, past: Baseline, record: SessionRecord) -> Callable[[Pair], bool]:
        del past
        return lambda pair: evidence_of(record, pair) != self._evidence[pair]


class OfOldResults(OfNewResults):
    """A results file as the old side of ``compare``."""

    def __init__(self, fault: str, share: float, past: Path, results: Path, green: Path) -> None:
        super().__init__(fault, share, past, results)
        self._green = green
        self._levels: Levels = levels_of(accepted(load_record(green)[1]))
        self._pairs = frozenset(pair for pair in self._pairs if pair in self._levels)

    def make(self, folder: Path) -> None:
        """Make a workspace."""
        shutil.copy(self._green, folder / "old.json")
        shutil.copy(self._results, folder / "results.json")

    def targets(self, folder: Path) -> Sequence[Path]:
        """Return the old side."""
        return [folder / "old.json"]

    def sides(self, folder: Path) -> tuple[Path, Path]:
        """Return the old and the new side."""
        return folder / "old.json", folder / "results.json"

    def _rewritten(self, past: Baseline, record: SessionRecord) -> Callable[[Pair], bool]:
        del record
        return rewritten_since(self._levels, levels_of(past))


class OfACandidate(OfABaseline):
    """A candidate's files, accepted without the reason that its regression needs."""

    meaning = False

    def __init__(
        self, fault: str, share: float, past: Path, results: Path, candidate: Path
    ) -> None:
        super().__init__(fault, share, past, results)
        self._candidate = candidate

    def make(self, folder: Path) -> None:
        """Make a workspace."""
        super().make(folder)
        shutil.copytree(self._candidate, folder / "candidate")

    def targets(self, folder: Path) -> Sequence[Path]:
        """Return the candidate's files."""
        return sorted((folder / "candidate" / "session").rglob("*.json"))

    def read(self, folder: Path, *, whole: bool) -> Fate:
        """Accept, by name where ``whole``; then judge the same session once more."""
        directory = folder / "pareto_baselines"
        names = sorted({pair[0] for pair in self._pairs}) if whole else []
        refusal = None
        try:
            command("accept", str(folder / "candidate"), *names, "--baseline", str(directory))
        except RefusedError as error:
            refusal = error
        found = super().read(folder, whole=False)
        # Whoever accepts in writing what is worse gives a reason: nothing of that is consistent.
        if found is Fate.CONSISTENT:
            return Fate.SILENT
        if refusal is not None and found is Fate.RED:
            raise refusal
        return found


class OfOutputs:
    """The index and the images of accepted outputs, which decide nothing and are drawn."""

    meaning = False

    def __init__(self, fault: str, share: float, outputs: Path) -> None:
        self.fault, self.share, self._outputs = fault, share, outputs

    def make(self, folder: Path) -> None:
        """Make a workspace."""
        shutil.copytree(self._outputs, folder / "outputs")

    def targets(self, folder: Path) -> Sequence[Path]:
        """Return indexes, twice as often as one of two images."""
        found = sorted((folder / "outputs").glob("*/*/index.jsonl"))
        return [*found, *found, *(path.with_name("s1.png") for path in found)]

    def read(self, folder: Path, *, whole: bool) -> Fate:
        """Read the albums and draw of each one sample; ``whole`` all of them."""
        for machine in sorted((folder / "outputs").glob("[!.R]*")):
            for album in read_albums(machine):
                wanted = sorted(album.samples) if whole else ["s1"]
                images = [file for name in wanted if (file := album.file_of(name)) is not None]
                make_thumbnails(images)
                for file in images[:2]:
                    side = Side(file, 0.5)
                    compose(SidePair("x", 1, "s1", side, side))
        return Fate.REPORTED


class OfReadings:
    """Recorded readings, which meters replay."""

    meaning = False

    def __init__(self, fault: str, share: float, recorded: Path) -> None:
        self.fault, self.share, self._recorded = fault, share, recorded

    def make(self, folder: Path) -> None:
        """Make a workspace."""
        shutil.copy(self._recorded, folder / "readings.jsonl")

    def targets(self, folder: Path) -> Sequence[Path]:
        """Return the file."""
        return [folder / "readings.jsonl"]

    def read(self, folder: Path, *, whole: bool) -> Fate:  # noqa: ARG002 - there is one way
        """Read it."""
        read_readings(folder / "readings.jsonl")
        return Fate.RED


AnyReader = (
    OfABaseline | OfAnAnchor | OfAJournal | OfNewResults | OfOldResults | OfACandidate
    | OfOutputs | OfReadings
)  # fmt: skip


def readers(material: made.Material) -> list[AnyReader]:
    """Return the readers of all kinds of files, with the share of the mutants that each gets."""
    past, results = material.baseline, material.results
    h200 = (made.H200 / "pareto_baselines", made.H200 / "planted.json")
    return [
        OfABaseline("baseline, of each kind of metric", 0.32, past, results),
        OfABaseline("baseline, recorded on an H200", 0.14, *h200),
        OfAnAnchor("anchor", 0.08, past, results),
        OfAJournal("journal of an interrupted update", 0.08, past, results),
        OfNewResults("results, new side of compare", 0.08, past, results),
        OfNewResults("results of an H200, new side", 0.04, *h200),
        OfOldResults("results, old side of compare", 0.06, past, results, material.green_results),
        OfACandidate("candidate, accepted", 0.12, past, results, material.candidate),
        OfOutputs("outputs: index and images", 0.05, material.outputs),
        OfReadings("recorded readings", 0.03, made.H200_REPLAY),
    ]


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Raise TimeoutError where what is within hangs."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"it hangs, after {_HANGS_AFTER_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_HANGS_AFTER_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Worker:
    """Makes and reads mutants of one kind in a workspace of its own."""

    def __init__(self, reader: AnyReader, workspace: Path, seed: int) -> None:
        self._reader, self._seed = reader, seed
        self._fresh, self._folder = workspace / "fresh", workspace / "mutant"
        shutil.rmtree(workspace, ignore_errors=True)
        self._fresh.mkdir(parents=True)
        reader.make(self._fresh)
        self._folder.mkdir()

    def row(self, numbers: Sequence[int]) -> Row:
        """Return what became of the mutants with these numbers."""
        row = Row(PART, self._reader.fault)
        for number in numbers:
            self._one(number, row)
        return row

    def _one(self, number: int, row: Row) -> None:
        draw = random.Random(f"{self._seed} {self._reader.fault} {number}")
        shutil.rmtree(self._folder)
        shutil.copytree(self._fresh, self._folder)
        what = f"{self._reader.fault} {number}: {self._mutate(draw)}"
        with measured() as cost, warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", pytest.PytestAssertRewriteWarning)  # of `find_project`
            fate, text = self._read(whole=number % _COMMAND_EVERY == 0)
        row.add(fate, f"{what}{text}", cost.seconds, cost.mb)

    def _mutate(self, draw: random.Random) -> str:
        if self._reader.meaning and draw.random() < 0.4:
            return of_a_baseline(self._folder / "pareto_baselines", draw)
        target = draw.choice(self._reader.targets(self._folder))
        name, content = mutated(target.read_bytes(), draw)
        target.write_bytes(content)
        return f"{name} in {target.name}"

    def _read(self, *, whole: bool) -> tuple[Fate, str]:
        try:
            with _limited():
                return self._reader.read(self._folder, whole=whole), ""
        except (ParetoError, RefusedError) as error:
            return self._refusal(str(error), _place(error))
        except BaseException as error:  # that is what is counted
            if isinstance(error, KeyboardInterrupt):
                raise
            text = f"{type(error).__name__}: {str(error)[:150]} ({_place(error)})"
            return Fate.TRACEBACK, f": {text}"

    def _refusal(self, message: str, where: str) -> tuple[Fate, str]:
        """Return REFUSED where a message names a file or folder of the workspace."""
        if _RULE in message:
            return Fate.RED, ""
        names = {path.name for path in self._folder.rglob("*")} | {self._folder.name}
        names |= {path.name for path in self._fresh.rglob("*")}
        named = any(name in message for name in names if len(name) > 4)
        return (Fate.REFUSED, "") if named else (Fate.UNNAMED, f": {message[:200]} ({where})")


def _place(error: BaseException) -> str:
    """Return where an error was raised."""
    where = traceback.extract_tb(error.__traceback__)[-4:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(where))


_READERS: list[AnyReader] = []


def _chunk(task: tuple[int, Path, int, Sequence[int], str | None]) -> Row:
    at, workspace, seed, numbers, broken = task
    folder = workspace / f"{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)  # the commands read the configuration of the project that they are in
    (folder / "pytest.ini").write_text("[pytest]\n")
    with planted_fault(broken):
        return Worker(_READERS[at], folder / f"{at}", seed).row(numbers)


def run(
    material: made.Material,
    workspace: Path,
    *,
    count: int,
    seed: int,
    broken: str | None = None,
    processes: int = 2,
) -> list[Row]:
    """Return a row per kind of file, of ``count`` mutants together."""
    _READERS[:] = readers(material)
    tasks = []
    for at, reader in enumerate(_READERS):
        numbers = range(-(-int(count * reader.share * 1000) // 1000) + 1)
        size = max(50, len(numbers) // 16)
        chunks = [numbers[begin : begin + size] for begin in range(0, len(numbers), size)]
        tasks += [(at, workspace, seed, chunk, broken) for chunk in chunks]
    if processes == 1:
        return merged([_chunk(task) for task in tasks])
    with multiprocessing.get_context("fork").Pool(processes, maxtasksperchild=8) as pool:
        return merged(list(pool.imap(_chunk, tasks)))
