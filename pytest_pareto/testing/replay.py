"""Record readings to a file, and replay them as meters on a machine without a GPU.

`record_readings` writes the file, `replay_meters` returns a `ReplayMeter` for each of its metrics.
The format is JSON lines: a header, then one line for each metric of each case.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from pytest_pareto.measure.meter import Calls
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.run import CaseRun, Looks, Measurement

FORMAT = "pytest-pareto readings"
VERSION = 1
_T = TypeVar("_T")


class _Header(msgspec.Struct, frozen=True):
    format: str
    version: int
    runs: Annotated[int, msgspec.Meta(ge=1)]


class _Metric(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    name: str
    unit: str
    better: Better
    kind: Kind
    scope: Scope
    tolerance: float
    relative: bool
    gates: bool = True
    give_up: float | None = None


class _Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    values: tuple[float, ...] = ()
    ids: tuple[str, ...] = ()
    first: float | None = None
    absent: str | None = None
    notes: tuple[str, ...] = ()
    whole: float | None = None
    looks: Looks | None = None
    broken: bool = False
    lower_bound: str | None = None
    waited: float | None = None


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    case: str
    metric: _Metric
    runs: tuple[_Reading | None, ...]


@dataclass(frozen=True, slots=True)
class Readings:
    """The content of a file: for each run, measurements by case id and name of the metric."""

    file: str
    runs: tuple[Mapping[str, Mapping[str, Measurement]], ...]

    @property
    def metrics(self) -> dict[str, Metric]:
        """Every metric of any case, by name, as the first such case defines it."""
        found: dict[str, Metric] = {}
        for run in self.runs:
            for case in run.values():
                for name, measurement in case.items():
                    found.setdefault(name, measurement.metric)
        return found


def record_readings(path: Path | str, runs: Iterable[Iterable[CaseRun]]) -> None:
    """Write the measurements of several runs to a file that `replay_meters` reads.

    ``runs`` holds the cases of each run, one run per fresh process. Every measurement is
    written: what tests recorded by themselves can be omitted when the file is replayed.
    Raises ParetoError where a metric of a case is not the same one in every run, and where
    there is nothing to write.
    """
    recorded = [{case.case_id: case for case in run} for run in runs]
    found: dict[tuple[str, str], Metric] = {}
    for run in recorded:
        for case in run.values():
            for metric in (each.metric for each in case.measurements):
                if found.setdefault((case.case_id, metric.name), metric) != metric:
                    raise ParetoError(
                        f"{metric.name!r} of {case.case_id} is not the same metric in every run; "
                        "record runs of one version of the test"
                    )
    if not found:
        raise ParetoError("there are no readings to record: no case of these runs measured any")
    lines: list[msgspec.Struct] = [_Header(FORMAT, VERSION, len(recorded))]
    for (case_id, name), metric in found.items():
        readings = tuple(_encoded(run.get(case_id), name) for run in recorded)
        lines.append(_Line(case_id, _Metric(**asdict(metric)), readings))
    Path(path).write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def _encoded(case: CaseRun | None, name: str) -> _Reading | None:
    found = None if case is None else case.measurement(name)
    if found is None:
        return None
    return _Reading(**{field: getattr(found, field) for field in _Reading.__struct_fields__})


def read_readings(path: Path | str) -> Readings:
    """Return the content of a file that `record_readings` wrote.

    Raises ParetoError naming the file, the line and what was expected there.
    """
    file = str(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ParetoError(f"{file} cannot be read: {error.strerror}") from error
    # Not with splitlines: strings may contain characters that it takes for line ends.
    lines = content.removesuffix(b"\n").split(b"\n")
    count = _check_header(lines[0], file)
    runs: list[dict[str, dict[str, Measurement]]] = [{} for _ in range(count)]
    places: dict[tuple[str, str], int] = {}
    for number, text in enumerate(lines[1:], start=2):
        line = _decode(text, _Line, file, number)
        key = (line.case, line.metric.name)
        if key in places:
            raise _file_error(
                file, number, f"{key[1]!r} of {key[0]!r} is on line {places[key]} already"
            )
        places[key] = number
        if len(line.runs) != count:
            raise _file_error(file, number, f"expected {count} runs, got {len(line.runs)}")
        for run, measurement in zip(runs, _measurements(line, file, number), strict=True):
            if measurement is not None:
                run.setdefault(line.case, {})[line.metric.name] = measurement
    return Readings(file, tuple(runs))


def _measurements(line: _Line, file: str, number: int) -> Sequence[Measurement | None]:
    try:
        metric = Metric(**msgspec.structs.asdict(line.metric))
        return [
            None if each is None else Measurement(metric, **msgspec.structs.asdict(each))
            for each in line.runs
        ]
    except ParetoError as error:
        raise _file_error(file, number, str(error)) from error


def _check_header(text: bytes, file: str) -> int:
    header = _decode(text, _Header, file, 1)
    if header.format != FORMAT:
        raise _file_error(file, 1, f"expected the format {FORMAT!r}, got {header.format!r}")
    if header.version > VERSION:
        raise ParetoError(
            f"{file}: version {header.version} was written by a newer pytest-pareto; upgrade "
            f"pytest-pareto to read it (this version knows versions up to {VERSION})"
        )
    return header.runs


def _decode(text: bytes, struct_type: type[_T], file: str, number: int) -> _T:
    try:
        return msgspec.json.decode(text, type=struct_type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ParetoError) as error:
        raise _file_error(file, number, str(error)) from error


def _file_error(file: str, number: int, problem: str) -> ParetoError:
    return ParetoError(f"{file}, line {number}: {problem}. Record the readings again")


class ReplayMeter:
    """A meter of one metric that replays a recorded run by case id, without calling the function.

    ``scale`` multiplies the replayed readings, to simulate a change: 1.5 makes a latency half as
    long again. Raises ParetoError where the file has no such run or metric.
    """

    def __init__(self, readings: Readings, name: str, *, run: int = 0, scale: float = 1.0) -> None:
        _require_run_and_metrics(readings, run, (name,))
        if not (math.isfinite(scale) and scale > 0):
            raise ParetoError(f"scale of {name!r} must be a finite number > 0, not {scale!r}")
        self.metrics = (readings.metrics[name],)
        self._file = readings.file
        self._run = run
        self._cases = readings.runs[run]
        self._scale = scale

    def absence(self) -> str | None:
        """Return None: a metric that was absent in a recorded case is absent for that case only."""
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Return the recorded measurement of this case; raise ParetoError where there is none."""
        (metric,) = self.metrics
        case = self._cases.get(calls.case_id)
        if case is None:
            raise self._missing(f"case {calls.case_id!r}", self._cases)
        found = case.get(metric.name)
        if found is None:
            raise self._missing(f"{metric.name!r} of case {calls.case_id!r}", case)
        return (_scaled(found, self._scale),)

    def _missing(self, what: str, available_metrics: Collection[str]) -> ParetoError:
        available = ", ".join(sorted(available_metrics))
        return ParetoError(f"{self._file}: run {self._run} has no {what}; it has {available}")


def replay_meters(
    path: Path | str,
    *,
    run: int = 0,
    metrics: Collection[str] | None = None,
    scale: Mapping[str, float] | None = None,
) -> tuple[ReplayMeter, ...]:
    """Return a meter for each metric of a file that `record_readings` wrote.

    ``run`` is the index of the run to replay, from 0. ``metrics`` names those to replay, all by
    default; ``scale`` has a factor for some of them, by name. Returned by the hook
    `pytest_pareto_meters` they replace built-in meters of the same metrics.
    Raises ParetoError where the file cannot be used, or has no such run or metric.
    """
    readings = read_readings(path)
    names = tuple(readings.metrics) if metrics is None else tuple(metrics)
    factors = scale or {}
    _require_run_and_metrics(readings, run, (*names, *factors))
    return tuple(
        ReplayMeter(readings, name, run=run, scale=factors.get(name, 1.0)) for name in names
    )


def _require_run_and_metrics(readings: Readings, run: int, names: Collection[str]) -> None:
    count = len(readings.runs)
    if not 0 <= run < count:
        raise ParetoError(
            f"{readings.file} has {count} runs, numbered from 0 to {count - 1}; there is no {run}"
        )
    known = readings.metrics
    for name in names:
        if name not in known:
            raise ParetoError(
                f"{readings.file} has no metric {name!r}; it has {', '.join(sorted(known))}"
            )


def _scaled(found: Measurement, factor: float) -> Measurement:
    if factor == 1.0:
        return found
    first = None if found.first is None else found.first * factor
    return replace(found, values=tuple(value * factor for value in found.values), first=first)
