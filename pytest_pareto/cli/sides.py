"""What `compare` takes for a side: a baseline's folder, a file of results, or a git ref."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from pytest_pareto.baseline import layout
from pytest_pareto.baseline.sources import machine_choice_error, newest_runs, recorded_machines
from pytest_pareto.baseline.store import load
from pytest_pareto.cli.console import own_baseline
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.pipeline import accepted
from pytest_pareto.report.text import relative_path
from pytest_pareto.results.json_schema import ResultsFile
from pytest_pareto.results.reader import load_record
from pytest_pareto.runs.git_objects import commit_of, extract_folder


@dataclass(frozen=True, slots=True)
class Stored:
    """A baseline in a folder, with the kinds of machine that it has results of."""

    name: str
    directory: Path
    machines: tuple[str, ...]

    def baseline(self, machine: str) -> Baseline:
        """Read what it holds of one kind of machine."""
        with _named(self.directory, self.name):
            found = load(self.directory, machine)
        if not found.cases:
            raise ParetoError(
                f"{self.name} holds no results: record some with pytest --pareto --pareto-update"
            )
        return found

    def record(self, machine: str, other: "Side") -> SessionRecord:
        """Return its newest session, under the tolerances of the other side."""
        known = other.policies() if isinstance(other, Written) else {}
        whose = f"those of {other.name} hold" if known else "those of built-in metrics hold"
        notice = f"{self.name} holds no tolerances: {whose}, and 0 for the rest"
        runs = newest_runs(self.baseline(machine), known)
        return SessionRecord(runs, Policy(), notices=(notice,))


@dataclass(frozen=True, slots=True)
class Written:
    """A session in a file of results."""

    name: str
    content: ResultsFile
    session: SessionRecord

    @property
    def machines(self) -> tuple[str, ...]:
        """The kinds of machine that measured it: one, or it cannot be compared."""
        runs = (*self.session.runs, *self.session.again)
        return tuple(sorted({run.environment.hardware_key for run in runs}))

    def policies(self) -> Mapping[tuple[str, str], Metric]:
        """Return the metrics as its tests declare them, by case id and name."""
        return {
            (case_id, m.metric.name): m.metric
            for run in self.session.runs
            for case_id, case in run.cases.items()
            for m in case.measurements
        }

    def baseline(self, machine: str) -> Baseline:  # noqa: ARG002 - it is of one machine only
        """Return the baseline that the session would have left."""
        found = accepted(alone(self.session))
        if not found.cases:
            raise ParetoError(f"{self.name} holds no complete case, and so nothing to compare with")
        return found

    def record(self, machine: str, other: "Side") -> SessionRecord:  # noqa: ARG002 - as above
        """Return the session, which accepts nothing of what it finds."""
        policy = self.session.policy.accepting_nothing()
        notices = (*alone(self.session).notices, *self._left_out())
        return replace(alone(self.session), policy=policy, notices=notices)

    def lacks(self) -> Iterator[str]:
        """Say why cases may be absent, so that on the other side they look new."""
        stopped = self.session.asked.stopped
        if stopped is not None:
            yield f"{self.name} was cut short ({stopped}): what it did not measure is new here"
        for nodeid in sorted({n for run in self.session.runs for n in run.failed}):
            yield f"in {self.name} {nodeid} failed: what it lacks of that is new here"

    def _left_out(self) -> Iterator[str]:
        if self.session.anchored:
            yield f"{self.name} was compared with an anchor too, which is not done again here"
        if self.session.interleaved:
            ref = self.content.session.against
            yield f"{self.name} took turns with {ref}: here its new code alone is compared"


Side: TypeAlias = Stored | Written


def alone(record: SessionRecord) -> SessionRecord:
    """Return a session without the old code that took turns with its own."""
    if not record.interleaved:
        return record
    return replace(record, old_runs=(), old_again=(), notices=(), gone=())


@contextmanager
def opened(text: str) -> Iterator[Side]:
    """Open a side: what is there as a folder or a file is that, and all else a git ref.

    Raises ParetoError where it is none of them, or cannot be used.
    """
    path = Path(text)
    if path.is_dir():
        yield Stored(text, path, tuple(recorded_machines(path)))
    elif path.exists():
        side = Written(text, *load_record(path))
        if len(side.machines) > 1:
            raise ParetoError(
                f"{text} holds runs of several kinds of machine ({', '.join(side.machines)}), "
                "which cannot be compared as one session"
            )
        yield side
    else:
        with _at_commit(text) as stored:
            yield stored


@contextmanager
def _at_commit(text: str) -> Iterator[Stored]:
    ref, _, path = text.partition(":")
    try:
        commit = commit_of(Path.cwd(), ref)
    except ParetoError as error:
        raise ParetoError(f"{text!r} is no folder, no file and no git ref: {error}") from error
    if not path:
        own = own_baseline()
        if own is None:
            raise ParetoError(f"{text}: name the folder too, as {ref}:path/of/the/baseline")
        path = f"./{relative_path(own, Path.cwd())}"
    with extract_folder(Path.cwd(), commit, path) as folder:
        with _named(folder, text):
            machines = tuple(recorded_machines(folder))
        yield Stored(text, folder, machines)


@contextmanager
def _named(directory: Path, name: str) -> Iterator[None]:
    """Let errors tell of a folder by the name that the user knows."""
    try:
        yield
    except ParetoError as error:
        raise ParetoError(str(error).replace(directory.as_posix(), name)) from error


def common_machine(a: Side, b: Side, asked: str | None) -> str:
    """Return the kind of machine that both sides have results of.

    Raises ParetoError where there is none, or several and none was ``asked`` for.
    """
    held = _common(a.machines, b.machines)
    if asked is not None and asked not in held:
        there = ", ".join(held) or "none"
        raise ParetoError(f"{a.name} and {b.name} have no hardware {asked!r} in common: {there}")
    if not held:
        raise ParetoError(
            f"nothing can be compared: {a.name} is of {', '.join(a.machines)}, and {b.name} of "
            f"{', '.join(b.machines)}"
        )
    if asked is None and len(held) > 1:
        raise machine_choice_error(f"{a.name} and {b.name} both hold", held)
    return asked or held[0]


def _common(a: Sequence[str], b: Sequence[str]) -> Sequence[str]:
    if not a or not b:  # a side with nothing but what means the same on every machine
        return a or b or (layout.NO_MACHINE,)
    return [machine for machine in a if machine in b]
