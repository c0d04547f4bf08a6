"""What a metric consists of, and which parts of it moved.

A `Breakdown` is one side: the parts of a level, such as kernels, operations or tensors.
`fold_breakdowns` keeps the largest of a case within a number of bytes. An `Attribution` is the
difference of two: which parts contribute how much to the change of a level.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import fsum

from pytest_pareto.model.formatting import exact_number, significant

PART_DIGITS = 4
"""The significant digits of a part's time; what is counted is kept whole."""
CASE_BYTES = 2000
"""The most that the breakdowns of one case take in a file, beside the case's id."""
_NAME_LENGTH = 72
_FRAME_BYTES = 17  # of the lines of the case itself
_LINE_BYTES = 72  # of a metric, beside its name and its parts: 17 for two numbers


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a metric's level: its name, its value in the metric's unit, how often it occurs.

    ``name`` says what it is and where, such as ``aten::addmm in Net.layers.*.up``. ``value`` and
    ``count`` are of one call. ``count`` is None where the value is a count itself.
    """

    name: str
    value: float
    count: float | None = None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The parts of a level, the largest first.

    ``rest`` is the sum of ``folded`` smaller parts, which are not kept by name. ``marks`` has two
    letters of a digest for each of these names: a name whose mark is missing there is none of them.
    It is "" where they are too many.
    """

    parts: tuple[Part, ...]
    rest: float = 0.0
    folded: int = 0
    marks: str = ""

    @property
    def total(self) -> float:
        """The sum of all parts, in the metric's unit."""
        return fsum((self.rest, *(part.value for part in self.parts)))

    @property
    def floor(self) -> float:
        """The most that a part can be which is not kept by name; 0 where all are kept."""
        if not self.folded:
            return 0.0
        smallest = min((abs(part.value) for part in self.parts), default=abs(self.rest))
        return min(smallest, abs(self.rest)) if self.folded == 1 else smallest


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one part contributes to the change of a level: its value before and now.

    Values are in the metric's unit, and counts of one call. ``at_most`` is what a value of 0 may
    be in truth, since smaller parts of that side are not kept by name: 0 where it is exact.
    """

    name: str
    baseline: float
    candidate: float
    baseline_count: float | None = None
    candidate_count: float | None = None
    at_most: float = 0.0

    @property
    def change(self) -> float:
        """The difference, in the metric's unit: positive where the part grew."""
        return self.candidate - self.baseline


@dataclass(frozen=True, slots=True)
class Attribution:
    """The change of a level, attributed to parts; all numbers are in the metric's unit.

    ``contributions`` have the largest change first, without parts that are the same.
    ``other`` is the change of parts that are not kept by name, ``unexplained`` what the breakdowns
    do not show: ``total`` is the sum of all.
    """

    contributions: tuple[Contribution, ...]
    other: float
    unexplained: float
    total: float


def breakdown_of(parts: Iterable[Part]) -> Breakdown:
    """Return the breakdown with these parts, of which those of one name are added up."""
    values: dict[str, list[float]] = {}
    counts: dict[str, list[float | None]] = {}
    for part in parts:
        name = shorten(part.name)
        values.setdefault(name, []).append(part.value)
        counts.setdefault(name, []).append(part.count)
    added = (Part(name, fsum(values[name]), _added(counts[name])) for name in values)
    return Breakdown(tuple(sorted(filter(lambda part: part.value, added), key=_by_size)))


def _added(counts: Iterable[float | None]) -> float | None:
    known = [count for count in counts if count is not None]
    return fsum(known) if known else None


def shorten(name: str) -> str:
    """Return the name of a part as files can hold it, without its middle where it is long."""
    name = name.encode("utf-8", "backslashreplace").decode()
    if len(name) <= _NAME_LENGTH:
        return name
    kept = _NAME_LENGTH - 1
    return f"{name[: kept // 2]}…{name[-(kept - kept // 2) :]}"


def fold_breakdowns(
    breakdowns: Mapping[str, Breakdown], most_bytes: int = CASE_BYTES
) -> dict[str, Breakdown]:
    """Return the breakdowns of a case, by metric, with as many parts as the bytes allow.

    Kept are the parts with the largest shares of their level; the others are added up. Times keep
    `PART_DIGITS` significant digits, counts and bytes all of them.
    """
    left = most_bytes - _FRAME_BYTES - sum(_LINE_BYTES + len(name) for name in breakdowns)
    candidates = sorted(
        (-abs(part.value) / (abs(whole.total) or 1.0), metric, part.name, part)
        for metric, whole in breakdowns.items()
        for part in whole.parts
    )
    kept: dict[str, list[Part]] = {metric: [] for metric in breakdowns}
    full: set[str] = set()
    for _, metric, _, part in candidates:
        # Once one is folded, so are all smaller ones of the metric.
        size = _bytes(part)
        if metric in full or size > left:
            full.add(metric)
            continue
        left -= size
        kept[metric].append(part)
    return {
        metric: _rounded(whole, kept[metric], whole.folded + len(whole.parts) - len(kept[metric]))
        for metric, whole in breakdowns.items()
    }


def _bytes(part: Part) -> int:
    """Return what a part takes in a file: a list of JSON, in ASCII, and the comma behind it."""
    numbers = [exact_number(_digits(n)) for n in (part.value, part.count) if n is not None]
    return len(json.dumps([part.name, *numbers])) + len(", ")


def _rounded(whole: Breakdown, kept: Iterable[Part], folded: int) -> Breakdown:
    parts = tuple(
        sorted((Part(p.name, _digits(p.value), _maybe_digits(p.count)) for p in kept), key=_by_size)
    )
    rest = whole.total - fsum(part.value for part in parts) if folded else 0.0
    return Breakdown(parts, _digits(rest), folded)


def _digits(value: float) -> float:
    return value if value == int(value) else significant(value, PART_DIGITS)


def _maybe_digits(value: float | None) -> float | None:
    return None if value is None else _digits(value)


def _by_size(part: Part) -> tuple[float, str]:
    return -abs(part.value), part.name


def attribute(baseline: Breakdown, candidate: Breakdown, total: float) -> Attribution:
    """Attribute the change ``total`` of a level to the parts of both sides.

    A part that one side has by name, and that is too small for the names of the other, counts there
    among the rest.
    """
    before = {part.name: part for part in baseline.parts}
    after = {part.name: part for part in candidate.parts}
    named = [
        name
        for name in before | after
        if (name in before or abs(after[name].value) > baseline.floor)
        and (name in after or abs(before[name].value) > candidate.floor)
    ]
    found = [_contribution(name, before, after, (baseline, candidate)) for name in named]
    explained = candidate.total - baseline.total
    return Attribution(
        tuple(
            sorted(
                (each for each in found if each.change),
                key=lambda each: (-abs(each.change), each.name),
            )
        ),
        other=explained - fsum(each.change for each in found),
        unexplained=total - explained,
        total=total,
    )


def _contribution(
    name: str,
    before: Mapping[str, Part],
    after: Mapping[str, Part],
    sides: tuple[Breakdown, Breakdown],
) -> Contribution:
    then, now = before.get(name), after.get(name)
    floors = [side.floor for side, part in zip(sides, (then, now), strict=True) if part is None]
    return Contribution(
        name,
        0.0 if then is None else then.value,
        0.0 if now is None else now.value,
        None if then is None else then.count,
        None if now is None else now.count,
        at_most=max(floors, default=0.0),
    )
