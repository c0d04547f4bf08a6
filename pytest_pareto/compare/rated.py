"""One metric of all the variants of a front: their scores side by side, or their runs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pytest_pareto.model.baseline import CaseHistory, MetricHistory
from pytest_pareto.model.metric import BUILT_IN, Better, Kind
from pytest_pareto.stats.paired_proportion import is_binary
from pytest_pareto.stats.scale import harm_sign, power_of_two, to_working

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rated:
    """What each variant got; more is better, whatever the metric's own direction and unit.

    ``values`` has an array for each of ``case_ids``, of one score per sample in the order of
    ``ids``, or, without ids, of one level per run, a logarithm where changes are ratios.
    """

    metric: str
    kind: Kind
    case_ids: tuple[str, ...]
    values: tuple[Floats, ...]
    ids: tuple[str, ...] = ()

    @cached_property
    def table(self) -> Floats:
        """The scores of variants (rows) on the same samples (columns)."""
        return np.stack(self.values)

    @cached_property
    def levels(self) -> Floats:
        """The mean of each variant."""
        return np.array([values.mean() for values in self.values])

    @cached_property
    def variances(self) -> Floats:
        """The variance between the samples, or the runs, of each variant."""
        return np.array([values.var(ddof=1) for values in self.values])

    @cached_property
    def counts(self) -> Floats:
        """How many samples, or runs, each variant has."""
        return np.array([values.size for values in self.values], float)

    @cached_property
    def binary(self) -> bool:
        """Whether these are scores of 0 and 1."""
        return bool(self.ids) and is_binary(self.table)

    @property
    def all_equal(self) -> bool:
        """Whether every variant got the same throughout, so that there is nothing to tell."""
        return all(np.array_equal(values, self.values[0]) for values in self.values)


@dataclass(frozen=True, slots=True)
class Unrated:
    """Why a metric of a front, or a variant in it, is left out; ``case_id`` None is all of it."""

    metric: str
    why: str
    case_id: str | None = None


def rated_metrics(cases: Sequence[CaseHistory]) -> tuple[list[Rated], list[Unrated]]:
    """Bring the cases of a front side by side, metric by metric, and say what does not fit."""
    names = dict.fromkeys(name for case in cases for name in sorted(case.metrics))
    rated: list[Rated] = []
    unrated: list[Unrated] = []
    for name in names:
        held = {case.case_id: case.metrics[name] for case in cases if name in case.metrics}
        found = list(_rate(name, held))
        rated += [item for item in found if isinstance(item, Rated)]
        unrated += [item for item in found if isinstance(item, Unrated)]
    return rated, unrated


def _rate(name: str, held: Mapping[str, MetricHistory]) -> Iterator[Rated | Unrated]:
    """Yield what is left out of one metric, and what it says of the others, if of two or more."""
    kind, better = Counter((h.kind, h.better) for h in held.values()).most_common(1)[0][0]
    alike = {}
    for case_id, history in held.items():
        if (history.kind, history.better) == (kind, better):
            alike[case_id] = history
        else:
            told = f"recorded as {history.kind}, {history.better} is better, unlike the others"
            yield Unrated(name, told, case_id)
    if kind is Kind.EXACT:
        yield Unrated(name, "repeatable: it differs or it does not, without any noise")
        return
    if kind is Kind.SET:
        yield Unrated(name, "one number of all samples: what more of them would tell is unknown")
        return
    if kind is Kind.ORDINAL:
        order = "their order is judged by the gate"
        yield Unrated(name, f"grades: {order}; how well they tell variants apart is not examined")
        return
    if kind is Kind.RUN and name in BUILT_IN and not BUILT_IN[name].gates:
        yield Unrated(name, "a diagnostic of the machine, no score of a variant")
        return
    rated, left = _scored(name, alike) if kind.sampled else _repeated(name, alike)
    yield from left
    if len(rated.values) > 1 and not rated.ids and not any(map(np.ptp, rated.values)):
        # No spread at all is no sign that runs would be the same with another seed.
        remedy = "" if name in BUILT_IN else "; record scores per sample"
        told = f"its runs repeat: it differs or it does not, without any noise{remedy}"
        yield Unrated(name, told)
    elif len(rated.values) > 1:
        yield rated
    elif rated.case_ids:
        yield Unrated(name, "there is no other variant to tell it from", *rated.case_ids)


def _scored(name: str, held: Mapping[str, MetricHistory]) -> tuple[Rated, list[Unrated]]:
    """Put scores of the same samples in one order; other samples are never mixed with them."""
    scores = {
        case_id: dict(zip(h.samples.ids, h.samples.values, strict=True))
        for case_id, h in held.items()
        if h.samples is not None
    }
    sets = Counter(frozenset(found) for found in scores.values())
    common = sets.most_common(1)[0][0]
    ids = tuple(sorted(common))
    left = [
        Unrated(name, _says_ids(found.keys(), common), case_id)
        for case_id, found in scores.items()
        if found.keys() != common
    ]
    kept = {case_id: found for case_id, found in scores.items() if found.keys() == common}
    if len(ids) < 2:
        left += [Unrated(name, "one sample has no spread; 100 or more say much", i) for i in kept]
        kept = {}
    values = tuple(np.array([found[i] for i in ids], float) for found in kept.values())
    return _oriented(name, held, tuple(kept), values, ids), left


def _says_ids(own: AbstractSet[str], common: AbstractSet[str]) -> str:
    return f"scored on other samples ({len(own & common)} of its {len(own)} are the others' too)"


def _repeated(name: str, held: Mapping[str, MetricHistory]) -> tuple[Rated, list[Unrated]]:
    """Take all the runs of the level accepted now, on the scale on which runs are compared."""
    relative = name in BUILT_IN and BUILT_IN[name].relative
    kept: dict[str, Floats] = {}
    left: list[Unrated] = []
    for case_id, history in held.items():
        runs = [run for session in history.level_sessions for run in session.runs]
        if len(runs) < 2:
            left.append(
                Unrated(name, "one run has no spread; record it with --pareto-runs 5", case_id)
            )
        elif relative and min(runs) <= 0:
            left.append(Unrated(name, f"recorded as {min(runs):g}, which has no ratio", case_id))
        else:
            kept[case_id] = np.array(to_working(runs, relative=relative))
    return _oriented(name, held, tuple(kept), tuple(kept.values()), ()), left


def _oriented(
    name: str,
    held: Mapping[str, MetricHistory],
    case_ids: tuple[str, ...],
    values: tuple[Floats, ...],
    ids: tuple[str, ...],
) -> Rated:
    first = next(iter(held.values()))
    sign = -harm_sign(Better(first.better))
    return Rated(name, first.kind, case_ids, tuple(sign * v for v in _near_one(values)), ids)


def _near_one(values: tuple[Floats, ...]) -> tuple[Floats, ...]:
    """Scale scores of any size so that their squares, and those of their variances, are numbers.

    What is told of them has no unit. Scores of 0 and 1 stay what they are.
    """
    if not values or is_binary(*values):
        return values
    unit = power_of_two(max(float(np.abs(v).max()) for v in values))
    return tuple(v / unit for v in values)
