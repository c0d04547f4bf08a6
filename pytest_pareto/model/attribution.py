"""What a metric consists of, and which parts of it moved.

A `Breakdown` is one side: the parts of a level, such as kernels, operations or tensors.
`fold_breakdowns` keeps the largest of a case within a number of bytes. An `Attribution` is the
difference of two: which parts contribute how much to the change of a level.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import fsum, isfinite

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import exact_number, significant

PART_DIGITS = 4
"""The significant digits of a part's time; what is counted is kept whole."""
CASE_BYTES = 2000
"""The most that the breakdowns of one case take in a file, beside the case's id."""
_IN = " in "
_NAME_LENGTH = 48
_FRAME_BYTES = 36  # of the lines of the case itself
_LINE_BYTES = 80  # of a metric, beside its name and its parts: 17 for two numbers


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a metric's level: its name, its value in the metric's unit, how often it occurs.

    ``name`` is what it is and where, such as ``aten::addmm in Net.layers.*.up``. ``value`` and
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

    Raises ParetoError where a number is not finite, or two parts have one name.
    """

    parts: tuple[Part, ...]
    rest: float = 0.0
    folded: int = 0
    marks: str = ""

    def __post_init__(self) -> None:
        for part in (*self.parts, Part("the rest", self.rest)):
            if not (isfinite(part.value) and isfinite(part.count or 0.0)):
                raise ParetoError(
                    f"a breakdown has a number for {part.name!r} that is not finite: leave it away"
                )
        if len({part.name for part in self.parts}) < len(self.parts):
            raise ParetoError("a breakdown has two parts of one name; add them up")

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

    def most(self, name: str) -> float:
        """Return the most that a part of this name can be, which is not kept by name: often 0."""
        if self.marks and mark_of(name) not in _pairs(self.marks):
            return 0.0
        return self.floor


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
        """The difference, in the metric's unit: positive where the part grew.

        Where a value of 0 may be `at_most` more, it is the least that the difference can be.
        """
        change = self.candidate - self.baseline
        least = max(0.0, abs(change) - self.at_most)
        return least if change > 0 else -least


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


def placed(what: str, place: str) -> str:
    """Return the name of a part: what it is, and where, unless that is ""."""
    return f"{what}{_IN}{place}" if place else what


def what_and_place(name: str) -> tuple[str, str]:
    """Return the two parts of a name; the inverse of `placed`."""
    what, _, place = name.partition(_IN)
    return (what, place) if what and place else (name, "")


def breakdown_of(parts: Iterable[Part]) -> Breakdown:
    """Return the breakdown with these parts, of which those of one name are added up."""
    values: dict[str, list[float]] = {}
    counts: dict[str, list[float]] = {}
    for part in parts:
        what, place = what_and_place(part.name)
        name = placed(shorten(what), shorten(place))
        values.setdefault(name, []).append(part.value)
        counts.setdefault(name, []).extend(() if part.count is None else (part.count,))
    added = (
        Part(name, fsum(found), fsum(counts[name]) if counts[name] else None)
        for name, found in values.items()
    )
    return Breakdown(tuple(sorted(filter(lambda part: part.value, added), key=_by_size)))


def mark_of(name: str) -> str:
    """Return two letters of a name's digest."""
    return b64encode(sha256(name.encode("utf-8", "backslashreplace")).digest())[:2].decode()


def _pairs(marks: str) -> set[str]:
    return {marks[at : at + 2] for at in range(0, len(marks), 2)}


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
    marked = _marked(breakdowns, most_bytes // 2)
    left = most_bytes - _FRAME_BYTES - sum(_LINE_BYTES + len(name) for name in breakdowns)
    left -= 2 * sum(len(breakdowns[metric].parts) for metric in marked)
    candidates = sorted(
        (-abs(part.value) / (abs(whole.total) or 1.0), metric, part.name, part)
        for metric, whole in breakdowns.items()
        for part in whole.parts
    )
    kept: dict[str, list[Part]] = {metric: [] for metric in breakdowns}
    names: set[str] = set()
    full: set[str] = set()
    for _, metric, name, part in candidates:
        new = {each for each in what_and_place(name) if each} - names
        size = _bytes(part, len(names)) + sum(len(json.dumps(each)) + 1 for each in new)
        size -= 2 * (metric in marked)
        # Once one is folded, so are all smaller ones of the metric.
        if metric in full or size > left:
            full.add(metric)
            continue
        left -= size
        names |= new
        kept[metric].append(part)
    return {
        metric: _folded(whole, kept[metric], with_marks=metric in marked)
        for metric, whole in breakdowns.items()
    }


def _bytes(part: Part, names: int) -> int:
    """Return what a part takes in a file: a list of JSON, and the comma behind it.

    Its name is in two places of a list of ``names``, which may grow by both.
    """
    numbers = [exact_number(_digits(n)) for n in (part.value, part.count) if n is not None]
    return len(json.dumps([names + 1, names + 1, *numbers], separators=(",", ":"))) + 1


def _marked(breakdowns: Mapping[str, Breakdown], most_bytes: int) -> set[str]:
    """Return the metrics whose parts can all have marks: those of the fewest parts."""
    marked: set[str] = set()
    for metric in sorted(breakdowns, key=lambda name: (len(breakdowns[name].parts), name)):
        most_bytes -= 2 * len(breakdowns[metric].parts)
        if most_bytes >= 0:
            marked.add(metric)
    return marked


def _folded(whole: Breakdown, kept: Sequence[Part], *, with_marks: bool) -> Breakdown:
    names = {part.name for part in kept}
    gone = [part for part in whole.parts if part.name not in names]
    marked = with_marks and not whole.folded
    return Breakdown(
        tuple(sorted((_rounded(part) for part in kept), key=_by_size)),
        _digits(fsum((whole.rest, *(part.value for part in gone)))),
        whole.folded + len(gone),
        "".join(sorted(mark_of(part.name) for part in gone)) if marked else "",
    )


def _rounded(part: Part) -> Part:
    count = None if part.count is None else _digits(part.count)
    return Part(part.name, _digits(part.value), count)


def _digits(value: float) -> float:
    return value if value == int(value) else significant(value, PART_DIGITS)


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
        if (name in before or abs(after[name].value) > baseline.most(name))
        and (name in after or abs(before[name].value) > candidate.most(name))
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
    floors = [
        side.most(name) for side, part in zip(sides, (then, now), strict=True) if part is None
    ]
    return Contribution(
        name,
        0.0 if then is None else then.value,
        0.0 if now is None else now.value,
        None if then is None else then.count,
        None if now is None else now.count,
        at_most=max(floors, default=0.0),
    )
