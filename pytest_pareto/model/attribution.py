"""What a metric consists of, and which parts of it moved.

A `Breakdown` is one side: the parts of a level, such as kernels, operations or tensors.
`fold_breakdowns` keeps the largest of a case within a number of bytes, and adds up the others by
place. An `Attribution` is the difference of two: which parts contribute how much to the change of a
level.
"""

import json
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import fsum, inf, isfinite
from os.path import commonprefix

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import exact_number, significant

PART_DIGITS = 4
"""The significant digits of a part's time; what is counted is kept whole."""
CASE_BYTES = 2000
"""The most that the breakdowns of one case take in a baseline, beside the case's id."""
RUN_BYTES = 8 * CASE_BYTES
"""The most that they take in a run: what is small and new has its name there."""
OTHERS = "other parts"
"""What the sum of parts of one place is called that have no name of their own."""
_IN = " in "
_NAME_LENGTH = 48
_FRAME_BYTES = 50  # of the line of the case itself
_NUMBERS_BYTES = 20  # of a metric's rest, number of folded parts, and list of sums
_SHORTEST_PREFIX = 4


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
    """The parts of a level, the largest first. Values are 0 or more.

    ``folded`` smaller parts are not kept by name: a part that is called `OTHERS` is the sum of
    those in its place, and ``rest`` the sum of all others. ``marks`` has two letters of a digest of
    each name and each place that the case has: a part whose marks are missing is none of the
    folded. It is "" where they are too many.

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
    def sums(self) -> dict[str, float]:
        """The sums of parts without a name, by place."""
        return {what_and_place(p.name)[1]: p.value for p in self.parts if is_sum(p)}

    def bound(self) -> Callable[[str], float]:
        """Return a function of a name: the most that a part can be which is not kept by name.

        It is 0 where no part can have been folded.
        """
        if not self.folded:
            return lambda _: 0.0
        marks, sums = _pairs(self.marks), self.sums
        floor = min((abs(p.value) for p in self.parts if not is_sum(p)), default=inf)

        def most(name: str) -> float:
            place = what_and_place(name)[1]
            if marks and not {_mark_of(text) for text in what_and_place(name) if text} <= marks:
                return 0.0
            return min(floor, abs(sums.get(place, self.rest)))

        return most


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

    @property
    def is_mostly_known(self) -> bool:
        """Whether at least half of the difference is none of smaller parts without a name."""
        return abs(self.change) >= self.at_most


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


def is_sum(part: Part) -> bool:
    """Return whether a part is the sum of those in its place that have no name."""
    what, place = what_and_place(part.name)
    return what == OTHERS and place != "" and part.count is None


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
    return Breakdown(tuple(sorted(filter(lambda part: part.value, added), key=by_size)))


def _mark_of(text: str) -> str:
    """Return two letters of a text's digest."""
    return b64encode(sha256(text.encode("utf-8", "backslashreplace")).digest())[:2].decode()


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

    Each metric keeps its largest part by name, the others as sums by place; what is left goes to
    further names. Times keep `PART_DIGITS` significant digits, counts and bytes all of them.
    Breakdowns that fit are as they were.
    """
    old_marks = marks_of(breakdowns.values())
    all_parts = [(metric, part) for metric, b in breakdowns.items() for part in b.parts]
    found = _Folding(breakdowns, most_bytes - len(old_marks))
    if all(found.name(metric, part) for metric, part in all_parts):
        return found.folded(old_marks)
    marks = marks_of(breakdowns.values(), (p.name for b in breakdowns.values() for p in _named(b)))
    marks = marks if len(marks) <= most_bytes // 4 else ""
    found = _Folding(breakdowns, most_bytes - len(marks))
    for metric in sorted(breakdowns):
        for part in _named(breakdowns[metric])[:1]:
            found.name(metric, part)
    found.add_up()
    further = (
        (-abs(part.value) / (abs(breakdown.total) or 1.0), metric, part.name, part)
        for metric, breakdown in breakdowns.items()
        for part in _named(breakdown)[1:]
    )
    for _, metric, _, part in sorted(further):
        found.name(metric, part)
    return found.folded(marks)


def _named(breakdown: Breakdown) -> list[Part]:
    return [part for part in breakdown.parts if not is_sum(part)]


def marks_of(breakdowns: Iterable[Breakdown], names: Iterable[str] = ()) -> str:
    """Return the marks of all folded parts of a case, and of further names; "" if unknown."""
    folded = [each for each in breakdowns if each.folded]
    if not all(each.marks for each in folded):
        return ""
    texts = {text for name in names for text in what_and_place(name) if text}
    return "".join(sorted({*map(_mark_of, texts)}.union(*(_pairs(b.marks) for b in folded))))


class _Folding:
    """Parts and sums of a case that are kept, as far as ``left`` bytes allow."""

    def __init__(self, breakdowns: Mapping[str, Breakdown], most_bytes: int) -> None:
        self._whole = breakdowns
        self._kept: dict[str, list[Part]] = {metric: [] for metric in breakdowns}
        self._summed: dict[str, set[str]] = {metric: set() for metric in breakdowns}
        self._full: set[str] = set()
        self._names: list[str] = []
        self._left = most_bytes - _FRAME_BYTES
        for metric, breakdown in breakdowns.items():
            self._left -= len(json.dumps(metric)) + len(":[[]],")
            self._left -= _NUMBERS_BYTES if breakdown.parts or breakdown.rest else 0

    def name(self, metric: str, part: Part) -> bool:
        """Keep a part by its name if it fits; once one is folded, so are all smaller ones."""
        kept = metric not in self._full and self._takes(part)
        if kept:
            self._kept[metric].append(part)
        else:
            self._full.add(metric)
        return kept

    def add_up(self) -> None:
        """Keep sums of the parts in a place that have no name, the largest shares first."""
        shares = (
            (-abs(value) / (abs(breakdown.total) or 1.0), metric, place, value)
            for metric, breakdown in self._whole.items()
            for place, value in self._sums(metric).items()
            if place
        )
        for _, metric, place, value in sorted(shares):
            if self._takes(Part(placed(OTHERS, place), value)):
                self._summed[metric].add(place)

    def _sums(self, metric: str) -> dict[str, float]:
        """Return the sums of parts that are not kept by name, by place."""
        kept = {part.name for part in self._kept[metric]}
        values: dict[str, list[float]] = {}
        for part in self._whole[metric].parts:
            if part.name not in kept:
                values.setdefault(what_and_place(part.name)[1], []).append(part.value)
        return {place: fsum(found) for place, found in values.items()}

    def _takes(self, part: Part) -> bool:
        """Return whether there are bytes for a part and its name; if so, they are taken."""
        names = list(self._names)
        size = _bytes(part, len(names))
        for text in what_and_place(part.name)[is_sum(part) :]:
            at = bisect_left(names, text)
            if text and names[at : at + 1] != [text]:
                around = names[max(0, at - 1) : at], names[at : at + 1]
                names.insert(at, text)
                size += _listed(around[0] + [text] + around[1], around[0])
                size -= _listed(around[0] + around[1], around[0])
        if size > self._left:
            return False
        self._left -= size
        self._names = names
        return True

    def folded(self, marks: str) -> dict[str, Breakdown]:
        """Return the breakdowns with what is kept."""
        return {metric: self._breakdown(metric, marks) for metric in self._whole}

    def _breakdown(self, metric: str, marks: str) -> Breakdown:
        whole, kept = self._whole[metric], self._kept[metric]
        sums = self._sums(metric)
        added = {place: sums.pop(place) for place in self._summed[metric] if place in sums}
        named = {part.name for part in kept}
        gone = sum(part.name not in named for part in _named(whole))
        parts = [*kept, *(Part(placed(OTHERS, place), value) for place, value in added.items())]
        folded = whole.folded + gone
        return Breakdown(
            tuple(sorted(map(_rounded, parts), key=by_size)),
            _digits(fsum((whole.rest, *sums.values()))),
            folded,
            marks if folded else "",
        )


def front_coded(names: Sequence[str]) -> list[str | int]:
    """Return sorted names, of which each begins with as many letters of the last as is written.

    A number ahead of a text is how many. Names of modules share most of theirs.
    """
    coded: list[str | int] = []
    last = ""
    for name in names:
        shared = len(commonprefix([last, name]))  # noqa: RUF071  (of letters)
        if shared < _SHORTEST_PREFIX:
            coded.append(name)
        else:
            coded += [shared, name[shared:]]
        last = name
    return coded


def front_decoded(coded: Iterable[str | int]) -> list[str]:
    """Return the names of which `front_coded` returned a list."""
    names: list[str] = []
    shared = 0
    for each in coded:
        if isinstance(each, int):
            shared = each
        else:
            names.append((names[-1][:shared] if names else "") + each)
            shared = 0
    return names


def _listed(names: Sequence[str], before: Sequence[str]) -> int:
    """Return the bytes that names take in a list, in which others come before them."""
    text = json.dumps(front_coded(names), separators=(",", ":"))
    return len(text) - len(json.dumps(front_coded(before), separators=(",", ":")))


def _bytes(part: Part, names: int) -> int:
    """Return what a part takes in a file: a list of JSON and a comma, or two numbers of a sum.

    Its name is in two places of a list of ``names``, which may grow by both.
    """
    numbers = [exact_number(_digits(n)) for n in (part.value, part.count) if n is not None]
    if is_sum(part):
        return len(json.dumps([names + 1, *numbers], separators=(",", ":"))) - 1
    return len(json.dumps([names + 1, names + 1, *numbers], separators=(",", ":"))) + 1


def _rounded(part: Part) -> Part:
    count = None if part.count is None else _digits(part.count)
    return Part(part.name, _digits(part.value), count)


def _digits(value: float) -> float:
    return value if value == int(value) else significant(value, PART_DIGITS)


def by_size(part: Part) -> tuple[float, str]:
    """Return the key that sorts parts: the largest first."""
    return -abs(part.value), part.name


def attribute(baseline: Breakdown, candidate: Breakdown, total: float) -> Attribution:
    """Attribute the change ``total`` of a level to the parts of both sides.

    A part that one side has by name, and that may be too small for the names of the other, counts
    on both among the other parts of its place, or else among the rest.
    """
    sides = baseline, candidate
    before, after = ({part.name: part for part in side.parts} for side in sides)
    bounds = [side.bound() for side in sides]
    sums = {place: [0.0, 0.0] for place in _common_places(sides)}
    found = []
    for name in before | after:
        then, now = before.get(name), after.get(name)
        what, place = what_and_place(name)
        others = sums.get(place, [0.0, 0.0])
        if what == OTHERS:
            others[0] += 0.0 if then is None else then.value
            others[1] += 0.0 if now is None else now.value
        elif then is not None and now is not None:
            found.append(_contribution(name, then, now))
        else:
            most = bounds[0 if then is None else 1](name)
            one = _contribution(name, then, now, most)
            if one.is_mostly_known:
                found.append(one)
            else:
                most = inf
            others[0] += 0.0 if then is None else min(then.value, most)
            others[1] += 0.0 if now is None else min(now.value, most)
    found += [Contribution(placed(OTHERS, place), *pair) for place, pair in sums.items()]
    moved = [each for each in found if each.change]
    explained = candidate.total - baseline.total
    return Attribution(
        tuple(sorted(moved, key=lambda each: (-abs(each.change), each.name))),
        other=explained - fsum(each.change for each in moved),
        unexplained=total - explained,
        total=total,
    )


def _common_places(sides: Iterable[Breakdown]) -> set[str]:
    """Return the places whose parts without a name are added up on each side that has some."""
    places = [side.sums.keys() for side in sides if side.folded]
    return set(places[0]).intersection(*places[1:]) if places else set()


def _contribution(
    name: str, then: Part | None, now: Part | None, at_most: float = 0.0
) -> Contribution:
    return Contribution(
        name,
        0.0 if then is None else then.value,
        0.0 if now is None else now.value,
        None if then is None else then.count,
        None if now is None else now.count,
        at_most=at_most,
    )
