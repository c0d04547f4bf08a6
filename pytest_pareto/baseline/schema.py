"""The forms of the baseline's files, and text validated against them.

`parse` reads one file's JSON, `convert` checks a part of it against a form; every error names the
file, the path of keys and what was expected there. `module_entries` reads a main file,
`SamplesReader` and `ProfileReader` those beside it.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import zip_longest
from typing import Annotated, TypeVar

import msgspec

from pytest_pareto.model.attribution import (
    OTHERS,
    Breakdown,
    Part,
    by_size,
    front_decoded,
    placed,
)
from pytest_pareto.model.baseline import Samples
from pytest_pareto.model.errors import BaselineError, NewerSchemaError, ParetoError
from pytest_pareto.model.formatting import require_text
from pytest_pareto.model.metric import Better, Kind, Scope, parse_budget
from pytest_pareto.model.policy import Missing, TradeOffs
from pytest_pareto.model.strict_json import (
    JsonError,
    MergeConflictError,
    NewerVersionError,
    read_object,
    require_version,
)
from pytest_pareto.stats.scale import LARGEST

SCHEMA = 1


class SessionLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `Session` in the main file."""

    env: str
    epoch: Annotated[int, msgspec.Meta(ge=0)]
    runs: Annotated[tuple[float, ...], msgspec.Meta(min_length=1)]
    reference: tuple[float, ...] = ()
    reason: str = ""
    lower_bound: str = ""


class RuleLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A `Rule` in a metric's line."""

    tolerance: Annotated[float, msgspec.Meta(ge=0)]
    relative: bool = False
    give_up: Annotated[float, msgspec.Meta(ge=0)] | None = None
    budget: str = ""
    gate: bool = True


class MetricLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `MetricHistory` in the main file: one line of it."""

    unit: str
    better: Better
    kind: Kind
    scope: Scope
    sessions: Annotated[tuple[SessionLine, ...], msgspec.Meta(min_length=1)]
    gates: bool = True
    rule: RuleLine | None = None
    digest: str | None = None


class CaseEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `CaseHistory` in the main file; its metrics are validated one by one."""

    front: str
    source: str
    metrics: dict[str, object]


class ModuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A main file; its cases are validated one by one."""

    schema: int
    cases: dict[str, object]


class SamplesLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The scores of one metric, in the order of the id list that ``ids`` names."""

    ids: str
    values: Annotated[tuple[float, ...], msgspec.Meta(min_length=1)]


class SamplesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A samples file: id lists by the hash of their content, scores by case and metric."""

    schema: int
    ids: dict[str, object]
    cases: dict[str, object]


_Comparable = Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]
"""A number that is not too large to add up and to compare, which NaN is not either."""


class PartLine(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A `Part` in a profile file: a list, without a count that is None.

    ``what`` and ``where`` are the two parts of its name, as places in the names of the case; the
    latter may be -1.
    """

    what: Annotated[int, msgspec.Meta(ge=0)]
    where: Annotated[int, msgspec.Meta(ge=-1)]
    value: _Comparable
    count: _Comparable | None = None


class BreakdownLine(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A `Breakdown` in a profile file: a list, without its marks, which are those of the case.

    ``sums`` has the place and the value of each sum of parts without a name.
    """

    parts: tuple[PartLine, ...]
    rest: _Comparable = 0.0
    folded: Annotated[int, msgspec.Meta(ge=0)] = 0
    sums: tuple[_Comparable, ...] = ()


class ProfileLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the levels of a case consist of; ``names`` are front-coded."""

    names: tuple[str | Annotated[int, msgspec.Meta(ge=0)], ...]
    metrics: dict[str, object]
    marks: str = ""


class ProfileFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A profile file: what levels consist of, a `ProfileLine` for each case."""

    schema: int
    cases: dict[str, object]


class PolicyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `Policy` in its file, without what depends on the session."""

    schema: int
    digest: str
    alpha: Annotated[float, msgspec.Meta(gt=0, lt=0.5)]
    confirming: Annotated[int, msgspec.Meta(ge=0)]
    fail_inconclusive: bool
    fail_rules: bool
    missing: Missing
    trade_offs: TradeOffs
    spreads: dict[str, Annotated[float, msgspec.Meta(ge=0, lt=1)]]


class EnvironmentFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An `Environment` in its file; the versions are validated one by one."""

    schema: int
    cpu_model: str
    usable_cores: int
    threads: int
    gpu_product: str | None
    gpu_count: int
    mig_profile: str | None
    power_limits_w: tuple[float, ...]
    boards: tuple[str, ...]
    software: dict[str, object]


_SHOWN = 200
"""The characters of a name that a message shows; a file can hold one of megabytes."""
_RECOVER = (
    "Restore it from git, or delete it with the files that go with it and record again with "
    "`pytest --pareto --pareto-update=all`."
)
_CHOICES: dict[str, type[StrEnum]] = {"better": Better, "kind": Kind, "scope": Scope}
_T = TypeVar("_T")


def corrupt(file: str, place: str, problem: str) -> BaselineError:
    """Return the error of a file that cannot be used; ``place`` is a path of keys, or ""."""
    where = f" at {place}" if place else ""
    return BaselineError(f"{file}{where}: {problem}. {_RECOVER}")


def parse(text: str, file: str) -> dict[str, object]:
    """Return the JSON object of one file, of a schema that this version knows.

    Raises BaselineError for anything else. Nothing but JSON is read, nothing is executed.
    """
    try:
        content = read_object(text, finite=False)  # `check_finite` names the place of a NaN
        require_version(content, "schema", SCHEMA)
    except MergeConflictError as conflict:
        raise BaselineError(
            f"{file}: {conflict.problem}. Resolve it in git, "
            "for example with `git checkout --ours` or `--theirs` on this file."
        ) from conflict
    except NewerVersionError as newer:
        raise NewerSchemaError(
            f"{file}: {newer.problem}; upgrade "
            f"pytest-pareto to read it (this version knows schemas up to {SCHEMA})."
        ) from newer
    except JsonError as fault:
        raise corrupt(file, fault.place, fault.problem) from fault
    return content


def convert(content: object, form: type[_T], file: str, place: str) -> _T:
    """Check parsed content against one of the forms above.

    Raises BaselineError naming the file, the path of keys and what was expected there.
    """
    try:
        return msgspec.convert(content, form)
    except msgspec.ValidationError as error:
        problem, _, inner = str(error).partition(" - at `$")
        inner = inner.removesuffix("`")
        choices = _CHOICES.get(inner.removeprefix("."))
        if choices is not None and problem.startswith("Invalid enum value"):
            problem = f"{problem}, expected one of {', '.join(map(repr, map(str, choices)))}"
        raise corrupt(file, f"{place}{inner}".removeprefix("."), problem) from error
    except UnicodeEncodeError as error:
        raise corrupt(file, place, f"a text that UTF-8 cannot hold ({error.reason})") from error


def module_entries(text: str, file: str) -> dict[str, tuple[CaseEntry, dict[str, MetricLine]]]:
    """Read a main file: by the rest of the case id, the case and its metrics by name."""
    entries = {}
    for rest, content in convert(parse(text, file), ModuleFile, file, "").cases.items():
        entry = convert(content, CaseEntry, file, f"cases{key(rest)}")
        lines = {}
        for name, line_content in entry.metrics.items():
            place = metric_place(rest, name)
            lines[name] = convert(line_content, MetricLine, file, place)
            _check_texts(name, lines[name], file, place)
            _check_sessions(lines[name], file, place)
            _check_rule(lines[name], name, file, place)
        entries[rest] = (entry, lines)
    return entries


def _check_rule(line: MetricLine, name: str, file: str, place: str) -> None:
    """Raise BaselineError where a rule has no finite number, or a budget that cannot be read."""
    if line.rule is None:
        return
    check_finite([line.rule.tolerance, line.rule.give_up or 0.0], file, f"{place}.rule")
    try:
        if line.rule.budget:
            parse_budget(name, line.rule.budget)
    except ParetoError as error:
        raise corrupt(file, f"{place}.rule.budget", str(error)) from error


def check_finite(values: Iterable[float], file: str, place: str) -> None:
    """Raise BaselineError for NaN and infinity, naming the place of the first."""
    for position, value in enumerate(values):
        if not math.isfinite(value):
            raise corrupt(file, f"{place}[{position}]", f"expected a finite number, got {value}")


def check_comparable(values: Iterable[float], file: str, place: str) -> None:
    """Raise BaselineError as `check_finite` does, and for numbers that are too large to compare."""
    values = tuple(values)
    check_finite(values, file, place)
    for position, value in enumerate(values):
        if abs(value) > LARGEST:
            problem = f"expected a number up to {LARGEST:g}, got {value}"
            raise corrupt(file, f"{place}[{position}]", problem)


def key(name: str) -> str:
    """Return one step of a path of keys, as `["name"]`, of which a message shows the beginning."""
    shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
    return f"[{json.dumps(shown)}]"


def metric_place(rest: str, name: str) -> str:
    """Return the path of one metric's line in a main file."""
    return f"cases{key(rest)}.metrics{key(name)}"


def _check_texts(name: str, line: MetricLine, file: str, place: str) -> None:
    """Raise BaselineError where a metric's name or unit is none that a metric can have."""
    if not name:
        raise corrupt(file, place, "expected a name of the metric, got none")
    try:
        require_text("the metric's name", name)
        require_text("its unit", line.unit)
    except ParetoError as error:
        raise corrupt(file, place, str(error)) from error


def _check_sessions(line: MetricLine, file: str, place: str) -> None:
    epoch = 0
    for position, session in enumerate(line.sessions):
        here = f"{place}.sessions[{position}]"
        check_comparable(session.runs, file, f"{here}.runs")
        _check_reference(session, file, f"{here}.reference")
        if session.epoch < epoch:
            raise corrupt(
                file, f"{here}.epoch", f"expected no less than {epoch}, got {session.epoch}"
            )
        epoch = session.epoch


def _check_reference(session: SessionLine, file: str, place: str) -> None:
    check_finite(session.reference, file, place)
    if session.reference and len(session.reference) != len(session.runs):
        problem = f"expected one number per run, got {len(session.reference)}"
        raise corrupt(file, place, f"{problem} for {len(session.runs)} runs")
    for position, value in enumerate(session.reference):
        if value <= 0:
            raise corrupt(file, f"{place}[{position}]", f"expected seconds above 0, got {value}")


class SamplesReader:
    """The content of a samples file, taken metric by metric; ``text`` None is a missing file.

    Every method raises BaselineError where the file's content is not as expected.
    """

    def __init__(self, text: str | None, file: str, main_file: str) -> None:
        self._file = file
        self._main_file = main_file
        self._ids: Mapping[str, tuple[str, ...]] = {}
        self._lines: dict[tuple[str, str], object] = {}
        if text is not None:
            content = convert(parse(text, file), SamplesFile, file, "")
            self._ids = {name: _id_list(ids, file, name) for name, ids in content.ids.items()}
            self._lines = _lines_by_metric(content.cases, file)

    def take(self, rest: str, name: str) -> Samples:
        """Return the scores of one paired metric, and mark them as used."""
        place = place_beside(rest, name)
        if (rest, name) not in self._lines:
            problem = f"expected the samples of a paired metric of {self._main_file}"
            raise corrupt(self._file, place, problem)
        scores = convert(self._lines.pop((rest, name)), SamplesLine, self._file, place)
        check_comparable(scores.values, self._file, f"{place}.values")
        ids = self._ids.get(scores.ids)
        if ids is None:
            problem = f"expected a key of 'ids', got {scores.ids!r}"
            raise corrupt(self._file, f"{place}.ids", problem)
        if len(ids) != len(scores.values):
            problem = f"expected {len(ids)} values, one per id, got {len(scores.values)}"
            raise corrupt(self._file, f"{place}.values", problem)
        return Samples(ids, scores.values)

    def refuse_leftovers(self) -> None:
        """Raise BaselineError for scores that no paired metric has taken."""
        for rest, name in self._lines:
            problem = f"samples of what is no paired metric of {self._main_file}"
            raise corrupt(self._file, place_beside(rest, name), problem)


class ProfileReader:
    """The content of a profile file, taken metric by metric; ``text`` None is a missing file.

    A metric without a line has no breakdown: it decides nothing, and older baselines have none. A
    line of what is no metric, as after a merge by hand, is left out; the next update drops it.
    Every method raises BaselineError where the file's content is not as expected.
    """

    def __init__(self, text: str | None, file: str) -> None:
        self._file = file
        self._lines: dict[str, tuple[ProfileLine, tuple[str, ...]]] = {}
        if text is not None:
            content = convert(parse(text, file), ProfileFile, file, "")
            for rest, found in content.cases.items():
                place = f"cases{key(rest)}"
                line = convert(found, ProfileLine, file, place)
                self._lines[rest] = line, _part_names(line.names, file, f"{place}.names")

    def take(self, rest: str, name: str) -> Breakdown | None:
        """Return the breakdown of one metric, or None."""
        line, names = self._lines.get(rest, (None, ()))
        if line is None or name not in line.metrics:
            return None
        place = f"cases{key(rest)}.metrics{key(name)}"
        content = convert(line.metrics[name], BreakdownLine, self._file, place)
        parts = []
        problem = f"expected places below {len(names)} in cases{key(rest)}.names"
        for number, part in enumerate(content.parts):
            if max(part.what, part.where) >= len(names):
                raise corrupt(self._file, f"{place}[0][{number}]", problem)
            where = names[part.where] if part.where >= 0 else ""
            parts.append(Part(placed(names[part.what], where), part.value, part.count))
        for where_of, value in zip_longest(content.sums[::2], content.sums[1::2]):
            if where_of not in range(len(names)) or value is None:
                raise corrupt(self._file, f"{place}[3]", f"{problem}, each with a number")
            parts.append(Part(placed(OTHERS, names[int(where_of)]), value))
        if content.sums:
            parts.sort(key=by_size)
        marks = line.marks if content.folded else ""
        try:
            return Breakdown(tuple(parts), content.rest, content.folded, marks)
        except ParetoError as error:
            raise corrupt(self._file, place, str(error)) from error


def _lines_by_metric(cases: Mapping[str, object], file: str) -> dict[tuple[str, str], object]:
    """Return the lines of a file beside a main one, by the rest of the case id and the metric."""
    return {
        (rest, name): line
        for rest, entry in cases.items()
        for name, line in convert(entry, dict[str, object], file, f"cases{key(rest)}").items()
    }


def _part_names(coded: Sequence[str | int], file: str, place: str) -> tuple[str, ...]:
    names = front_decoded(coded)
    try:
        for name in names:
            require_text("the part's name", name)
    except ParetoError as error:
        raise corrupt(file, place, str(error)) from error
    return tuple(names)


def _id_list(content: object, file: str, name: str) -> tuple[str, ...]:
    place = f"ids{key(name)}"
    ids = convert(content, tuple[str, ...], file, place)
    if len(set(ids)) < len(ids):
        raise corrupt(file, place, "expected every id once")
    return ids


def place_beside(rest: str, name: str) -> str:
    """Return the path of one metric's line in a samples file or a profile file."""
    return f"cases{key(rest)}{key(name)}"
