"""The sides of ``pytest-pareto compare``: a baseline's folder, a JSON file, or a git ref.

`open_side` opens what a command-line argument names. Either kind of side can be the old one
(`baseline`) or the new one (`record`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from pytest_pareto.baseline import layout
from pytest_pareto.baseline.candidate import OFFERS_FILE, SESSION
from pytest_pareto.baseline.sources import (
    machine_choice_error,
    newest_runs,
    recorded_machines,
    recorded_metric,
)
from pytest_pareto.baseline.store import load
from pytest_pareto.cli.console import find_baseline
from pytest_pareto.compare.levels import summarise
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.pipeline import accepted
from pytest_pareto.report.text import relative_path
from pytest_pareto.results.json_schema import ResultsFile
from pytest_pareto.results.reader import load_record
from pytest_pareto.runs.git_objects import commit_of, extract_folder


@dataclass(frozen=True, slots=True)
class BaselineSide:
    """A baseline in a folder, with the keys of the machines that it has results of."""

    name: str
    directory: Path
    machines: tuple[str, ...]

    def baseline(self, machine: str) -> Baseline:
        """Read the baseline of one kind of machine; raises ParetoError where it has no cases."""
        with _errors_name(self.directory, self.name):
            found = load(self.directory, machine)
        if not found.cases:
            raise ParetoError(
                f"{self.name} holds no results: record some with pytest --pareto --pareto-update"
            )
        return found

    def record(self, machine: str, other: "Side") -> SessionRecord:
        """Return its newest session of each case, with its own rules.

        A baseline of an older version holds no tolerances: those of the other side apply, else
        those of the built-in metrics.
        """
        own = self.baseline(machine)
        known = other.policies(machine)
        lacks = any(h.rule is None for case in own.cases.values() for h in case.metrics.values())
        source = f"those of {other.name} hold" if known else "those of built-in metrics hold"
        notice = f"{self.name} holds no tolerances: {source}, and 0 for the rest"
        policy = own.policy or Policy()
        return SessionRecord(newest_runs(own, known), policy, notices=(notice,) if lacks else ())

    def policies(self, machine: str) -> Mapping[tuple[str, str], Metric]:
        """Return the metrics whose tolerances it holds, by (case id, metric name)."""
        return {
            (case.case_id, name): metric
            for case in self.baseline(machine).cases.values()
            for name, history in case.metrics.items()
            if (metric := recorded_metric(name, history)) is not None
        }


@dataclass(frozen=True, slots=True)
class ResultsSide:
    """A session in a JSON file of results."""

    name: str
    content: ResultsFile
    session: SessionRecord

    @property
    def machines(self) -> tuple[str, ...]:
        """The keys of the machines that measured it; with more than one it cannot be compared."""
        runs = (*self.session.runs, *self.session.again)
        return tuple(sorted({run.environment.hardware_key for run in runs}))

    def policies(self, machine: str) -> Mapping[tuple[str, str], Metric]:  # noqa: ARG002 - as below
        """Return the metrics as its tests declare them, by (case id, metric name)."""
        return {
            (case_id, m.metric.name): m.metric
            for run in self.session.runs
            for case_id, case in run.cases.items()
            for m in case.measurements
        }

    def baseline(self, machine: str) -> Baseline:  # noqa: ARG002 - it is of one machine only
        """Return the baseline that an update by the session would have written.

        Raises ParetoError where that holds no case.
        """
        try:
            found = accepted(without_old_code(self.session))
        except ParetoError as error:
            raise ParetoError(f"{self.name}: {error}") from error
        if not found.cases:
            lack = "holds no complete case, and so nothing to compare with"
            raise ParetoError("; ".join([f"{self.name} {lack}", *self._busy_notices()]))
        return found

    def record(self, machine: str, other: "Side") -> SessionRecord:  # noqa: ARG002 - as above
        """Return the session, under a policy that accepts no changes."""
        policy = self.session.policy.accepting_nothing()
        session = without_old_code(self.session)
        notices = (*session.notices, *self._left_out_notices())
        return replace(session, policy=policy, notices=notices)

    def absence_notices(self) -> Iterator[str]:
        """Yield the reasons why cases may be absent here, and so look new on the other side."""
        stopped = self.session.asked.stopped
        if stopped is not None:
            yield f"{self.name} was cut short ({stopped}): what it did not measure is new here"
        for nodeid in sorted({n for run in self.session.runs for n in run.failed}):
            yield f"in {self.name} {nodeid} failed: what it lacks of that is new here"
        yield from self._busy_notices()

    def _busy_notices(self) -> Iterator[str]:
        """Yield a notice of what was measured while the host was busy, if there is any."""
        names = {
            result.metric.name
            for case in summarise(without_old_code(self.session)).cases.values()
            for result in case.metrics.values()
            if isinstance(result, MetricResult) and result.for_now
        }
        if names:
            what = ", ".join(sorted(names))
            yield f"{self.name} has {what} of a busy host: what it lacks of that is new here"

    def _left_out_notices(self) -> Iterator[str]:
        """Yield a notice for each comparison of the session that is not repeated."""
        if self.session.anchored:
            yield f"{self.name} was compared with an anchor too, which is not done again here"
        if self.session.interleaved:
            ref = self.content.session.against
            yield f"{self.name} took turns with {ref}: here its new code alone is compared"


Side: TypeAlias = BaselineSide | ResultsSide


def without_old_code(record: SessionRecord) -> SessionRecord:
    """Return a session without the runs of old code that were interleaved with its own."""
    if not record.interleaved:
        return record
    return replace(record, old_runs=(), old_again=(), notices=(), gone=())


@contextmanager
def open_side(text: str) -> Iterator[Side]:
    """Open a side: an existing folder, an existing file, or else a git ref.

    A folder is a baseline's, or a candidate's, as `accept` takes it. A ref is ``REF`` or
    ``REF:path/of/baseline``; its baseline is extracted into a temporary folder. Raises ParetoError
    where the text is none of the three, or the side cannot be used.
    """
    path = Path(text)
    if path.is_dir():
        session = path / SESSION
        directory = session if (session / OFFERS_FILE).is_file() else path
        yield BaselineSide(text, directory, tuple(recorded_machines(directory)))
    elif path.exists():
        side = ResultsSide(text, *load_record(path))
        if len(side.machines) > 1:
            raise ParetoError(
                f"{text} holds runs of several kinds of machine ({', '.join(side.machines)}), "
                "which cannot be compared as one session"
            )
        yield side
    else:
        with _open_ref(text) as side_at_ref:
            yield side_at_ref


@contextmanager
def _open_ref(text: str) -> Iterator[BaselineSide]:
    ref, _, path = text.partition(":")
    try:
        commit = commit_of(Path.cwd(), ref)
    except ParetoError as error:
        raise ParetoError(f"{text!r} is no folder, no file and no git ref: {error}") from error
    if not path:
        own = find_baseline()
        if own is None:
            raise ParetoError(f"{text}: name the folder too, as {ref}:path/of/the/baseline")
        path = f"./{relative_path(own, Path.cwd())}"
    with extract_folder(Path.cwd(), commit, path) as folder:
        with _errors_name(folder, text):
            machines = tuple(recorded_machines(folder))
        yield BaselineSide(text, folder, machines)


@contextmanager
def _errors_name(directory: Path, name: str) -> Iterator[None]:
    """Replace a folder's path in the messages of errors by the name that the user gave."""
    try:
        yield
    except ParetoError as error:
        raise ParetoError(str(error).replace(directory.as_posix(), name)) from error


def common_machine(a: Side, b: Side, requested: str | None) -> str:
    """Return the key of the machine that both sides have results of.

    Raises ParetoError where there is none, where there are several and none is ``requested``, and
    where the requested one is not among them.
    """
    common = _common(a.machines, b.machines)
    if requested is not None and requested not in common:
        listing = ", ".join(common) or "none"
        raise ParetoError(
            f"{a.name} and {b.name} have no hardware {requested!r} in common: {listing}"
        )
    if not common:
        raise ParetoError(
            f"nothing can be compared: {a.name} is of {', '.join(a.machines)}, and {b.name} of "
            f"{', '.join(b.machines)}"
        )
    if requested is None and len(common) > 1:
        raise machine_choice_error(f"{a.name} and {b.name} both hold", common)
    return requested or common[0]


def _common(a: Sequence[str], b: Sequence[str]) -> Sequence[str]:
    if not a or not b:  # this side has only metrics that are the same on every machine
        return a or b or (layout.NO_MACHINE,)
    return [machine for machine in a if machine in b]
