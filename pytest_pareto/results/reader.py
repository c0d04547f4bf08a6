"""Read the JSON result files of ``--pareto-json``, and rebuild the session's record.

`load` reads a file, and `load_record` rebuilds the record from the evidence in it. Every error
names the file, the place in it, and what was expected there.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from pytest_pareto.model.attribution import Breakdown, Part, placed
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Kind, Metric, parse_budget
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.strict_json import (
    JsonError,
    NewerVersionError,
    NoObjectError,
    read_object,
    read_regular_file,
    require_version,
)
from pytest_pareto.model.verdict import Failure
from pytest_pareto.results.json_schema import (
    FORMAT,
    VERSION,
    CaseEvidence,
    Composed,
    Evidence,
    MetricEvidence,
    ResultsFile,
    RunEvidence,
    RunsEvidence,
)

_WAY_OUT = "Write the file again with `pytest --pareto --pareto-json PATH`."
_MOST_B = 80 * 2**20
"""Three metrics of ten thousand cases take 55 MB. A text takes twice its size while it is read."""

T = TypeVar("T")


def load(path: Path) -> ResultsFile:
    """Return the content of a result file.

    Only JSON is read, and nothing is executed. Raises ParetoError where the file cannot be read,
    is not valid, or has a newer version; it names the file, the place, and what was expected.
    """
    return decode(_read_text(path), path.as_posix())


def load_record(path: Path) -> tuple[ResultsFile, SessionRecord]:
    """Return the content of a result file and its session's record.

    Raises ParetoError as `load` does, and where the file has no evidence or the evidence is
    inconsistent.
    """
    file = path.as_posix()
    content = decode(_read_text(path), file)
    if content.evidence is None:
        raise ParetoError(f"{file}: its session compared nothing, and so has nothing to compare")
    try:
        return content, record_of(content.evidence)
    except EvidenceError as error:
        raise _corrupt(file, f"evidence.{error.place}", error.problem) from error


def decode(text: str, file: str) -> ResultsFile:
    """Read the text of a file that messages call ``file``; raises ParetoError as `load` does."""
    try:
        content = read_object(text)
    except NoObjectError as fault:
        raise _no_results(file) from fault
    except JsonError as fault:
        raise ParetoError(f"{file}: {fault.problem}. {_WAY_OUT}") from fault
    if content.get("format") != FORMAT:
        raise _no_results(file)
    try:
        require_version(content, "version", VERSION)
    except NewerVersionError as newer:
        raise ParetoError(
            f"{file} at version: {newer.version} was written by a newer pytest-pareto; upgrade "
            f"pytest-pareto to read it (this version knows versions up to {VERSION})."
        ) from newer
    except JsonError as fault:
        raise _corrupt(file, fault.place, fault.problem) from fault
    try:
        return msgspec.convert(content, ResultsFile)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at `$")
        raise _corrupt(file, place.removesuffix("`").removeprefix("."), problem) from error
    except (ParetoError, OverflowError, UnicodeEncodeError) as error:
        raise _corrupt(file, "", str(error)) from error


def _read_text(path: Path) -> str:
    try:
        return read_regular_file(path, _MOST_B)
    except JsonError as fault:
        raise ParetoError(f"{path.as_posix()}: {fault.problem}. {_WAY_OUT}") from fault
    except UnicodeDecodeError as error:
        raise ParetoError(
            f"{path.as_posix()}: expected UTF-8 text ({error.reason} at byte {error.start}). "
            f"{_WAY_OUT}"
        ) from error
    except OSError as error:
        raise ParetoError(f"{path.as_posix()}: cannot be read ({error.strerror})") from error


def _no_results(file: str) -> ParetoError:
    return ParetoError(
        f'{file}: no results of pytest-pareto: expected "format": "{FORMAT}". '
        "`pytest --pareto --pareto-json PATH` writes such a file."
    )


def _corrupt(file: str, place: str, problem: str) -> ParetoError:
    where = f" at {place}" if place else ""
    return ParetoError(f"{file}{where}: {problem}. {_WAY_OUT}")


class EvidenceError(Exception):
    """Evidence that is inconsistent: ``place`` in it, and the ``problem`` there."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place}: {problem}")
        self.place = place
        self.problem = problem


def record_of(evidence: Evidence) -> SessionRecord:
    """Return the record of a session from its evidence.

    Raises EvidenceError where the evidence is inconsistent.
    """
    _check_settings(evidence)
    return SessionRecord(
        runs=_runs(evidence, "runs"),
        policy=evidence.policy.noun(evidence.spreads, evidence.confirming),
        asked=evidence.asked,
        flagged=frozenset(evidence.flagged),
        again=_runs(evidence, "again"),
        old_runs=_runs(evidence, "old"),
        old_again=_runs(evidence, "old_again"),
        failures=tuple(map(Failure, evidence.failures)),
        notices=evidence.notices,
        gone=evidence.gone,
        anchored=evidence.anchored,
    )


def _check_settings(evidence: Evidence) -> None:
    """Raise EvidenceError where the settings are out of range, or there is no run."""
    alpha = evidence.policy.alpha
    if not 0 < alpha < 0.5:
        raise EvidenceError("policy.alpha", f"expected a number between 0 and 0.5, got {alpha}")
    for spread in fields(evidence.spreads):
        value = getattr(evidence.spreads, spread.name)
        if not (math.isfinite(value) and value >= 0):
            place = f"spreads.{spread.name}"
            raise EvidenceError(place, f"expected a finite number >= 0, got {value}")
    if evidence.confirming < 0:
        raise EvidenceError("confirming", f"expected a count, got {evidence.confirming}")
    if not evidence.runs.runs:
        raise EvidenceError("runs.runs", "expected at least one run")


def _runs(evidence: Evidence, side: str) -> tuple[Run, ...]:
    """Return one group of runs: ``runs``, ``again``, ``old`` or ``old_again``."""
    group: RunsEvidence = getattr(evidence, side)
    cases: list[dict[str, CaseRun]] = [{} for _ in group.runs]
    for index, case in enumerate(group.cases):
        place = f"{side}.cases[{index}]"
        for number, run in _case_runs(evidence, case, len(cases), place):
            if run.case_id in cases[number]:
                problem = f"expected one case {run.case_id!r} in run {number}, got another"
                raise EvidenceError(place, problem)
            cases[number][run.case_id] = run
    return tuple(
        _run(evidence, run, found, f"{side}.runs[{number}]")
        for number, (run, found) in enumerate(zip(group.runs, cases, strict=True))
    )


def _run(evidence: Evidence, run: RunEvidence, cases: dict[str, CaseRun], place: str) -> Run:
    finished, skipped = (
        frozenset(_item_at(evidence.lists, number, f"{place}.{name}"))
        for name, number in (("finished", run.finished), ("skipped", run.skipped))
    )
    environment = _item_at(evidence.environments, run.environment, f"{place}.environment")
    return Run(environment, cases, run.failed, finished, skipped, run.block)


def _case_runs(
    evidence: Evidence, case: CaseEvidence, runs: int, place: str
) -> Iterator[tuple[int, CaseRun]]:
    """Yield the case as each of its runs measured it, with the number of the run."""
    readers = [
        _MetricReader(evidence, metric, len(case.runs), f"{place}.metrics[{index}]")
        for index, metric in enumerate(case.metrics)
    ]
    budgets = tuple(
        _construct(partial(parse_budget, budget.metric, budget.text), f"{place}.budgets")
        for budget in case.budgets
    )
    for at, number in enumerate(case.runs):
        if not 0 <= number < runs:
            raise EvidenceError(f"{place}.runs", f"expected numbers below {runs}, got {number}")
        found = tuple(m for reader in readers if (m := reader.measurement(at)) is not None)
        make = partial(
            CaseRun,
            *(case.case, case.nodeid, case.front, case.source),
            measurements=found,
            gate=case.gate,
            budgets=budgets,
            items=case.items,
        )
        yield number, _construct(make, place)


class _MetricReader:
    """Rebuilds the measurements of one metric of one case, run by run."""

    def __init__(self, evidence: Evidence, content: MetricEvidence, runs: int, place: str) -> None:
        self._evidence = evidence
        self._content = content
        self._place = place
        self._metric: Metric = _item_at(evidence.metrics, content.metric, f"{place}.metric")
        columns = {"levels": content.levels, "first": content.first, "waited": content.waited}
        for name, column in columns.items():
            if column and len(column) != runs:
                problem = f"expected a number or null for each of {runs} runs, got {len(column)}"
                raise EvidenceError(f"{place}.{name}", problem)
        self._scores = _by_run(content.scores, runs, f"{place}.scores")
        self._lacking = _by_run(content.lacking, runs, f"{place}.lacking")
        self._notes = _by_run(content.notes, runs, f"{place}.notes")
        self._bounds = _by_run(content.lower_bounds, runs, f"{place}.lower_bounds")
        composed = _by_run(content.breakdowns, runs, f"{place}.breakdowns")
        self._breakdowns = {
            at: _breakdown(evidence, parts, f"{place}.breakdowns") for at, parts in composed.items()
        }

    def measurement(self, at: int) -> Measurement | None:
        """Return the measurement in the run at an index of the case's runs, or None."""
        make = partial(
            Measurement,
            self._metric,
            first=_value_at(self._content.first, at),
            waited=_value_at(self._content.waited, at),
            notes=self._notes[at].notes if at in self._notes else (),
            lower_bound=self._bounds[at].without if at in self._bounds else None,
            breakdown=self._breakdowns.get(at),
        )
        level = _value_at(self._content.levels, at)
        if (lack := self._lacking.get(at)) is not None:
            make = partial(make, absent=lack.why, broken=lack.broken)
        elif (scored := self._scores.get(at)) is not None:
            ids = _item_at(self._evidence.lists, scored.ids, f"{self._place}.scores")
            whole = level if self._metric.kind is Kind.SET else None
            make = partial(make, values=scored.values, ids=ids, whole=whole, looks=scored.looks)
        elif level is not None:
            make = partial(make, values=(level,))
        else:
            return None
        return _construct(make, self._place)


def _breakdown(evidence: Evidence, content: Composed, place: str) -> Breakdown:
    """Return what a level consists of; raises EvidenceError where it is inconsistent."""
    names = _item_at(evidence.lists, content.names, f"{place}.names") if content.parts else ()
    marks: tuple[str, ...] = ()
    if content.marks is not None:
        marks = _item_at(evidence.lists, content.marks, f"{place}.marks")
    parts = []
    for number, part in enumerate(content.parts):
        here = f"{place}.parts[{number}]"
        what = _item_at(names, part.what, here)
        where = _item_at(names, part.where, here) if part.where != -1 else ""
        parts.append(Part(placed(what, where), part.value, part.count))
    for count in (*(part.count for part in parts), content.folded):
        if count is not None and not count >= 0:
            raise EvidenceError(place, f"expected a count, got {count}")
    whole = partial(Breakdown, tuple(parts), content.rest, content.folded, "".join(marks))
    return _construct(whole, place)


def _value_at(column: Sequence[float | None], at: int) -> float | None:
    """Return the value of a run; an empty column has none for every run."""
    return column[at] if column else None


class _HasRuns(Protocol):
    @property
    def runs(self) -> tuple[int, ...]: ...


R = TypeVar("R", bound=_HasRuns)


def _by_run(contents: Sequence[R], runs: int, place: str) -> dict[int, R]:
    """Return the content of each run, by the run's index.

    Raises EvidenceError where an index is out of range or occurs twice.
    """
    found: dict[int, R] = {}
    for content in contents:
        for at in content.runs:
            if not 0 <= at < runs or at in found:
                raise EvidenceError(place, f"expected every place below {runs} once, got {at}")
            found[at] = content
    return found


def _item_at(items: Sequence[T], index: int, place: str) -> T:
    """Return an item of a list; raises EvidenceError where the index is out of range."""
    if not 0 <= index < len(items):
        raise EvidenceError(place, f"expected a place in a list of {len(items)}, got {index}")
    return items[index]


def _construct(make: Callable[[], T], place: str) -> T:
    """Return what ``make`` returns; raises its ParetoError as an EvidenceError at ``place``."""
    try:
        return make()
    except ParetoError as error:
        raise EvidenceError(place, str(error)) from error
