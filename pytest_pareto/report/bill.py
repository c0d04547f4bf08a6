"""The bill: what a thousand items cost in time and in energy, and what a change adds to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import ENERGY, LATENCY
from pytest_pareto.model.verdict import CaseVerdict, MetricResult
from pytest_pareto.report.digits import decimals_for, fixed, trimmed
from pytest_pareto.report.lines import Tone
from pytest_pareto.report.units import Scale, levels

_J_PER_WH = 3600.0
_THOUSAND = 1000
_KINDS = {"time": LATENCY, "energy": ENERGY}
_TONES = {Outcome.WORSE: Tone.RED, Outcome.BETTER: Tone.GREEN}


@dataclass(frozen=True, slots=True)
class Charge:
    """Time or energy of a thousand items, as text in the unit of the bill.

    ``extra`` is what the change adds, where it is shown to have moved the metric at all.
    """

    before: str
    now: str
    extra: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Item:
    """One case on the bill: its charges by kind; ``per`` is what a thousand of are charged."""

    per: str
    charges: Mapping[str, Charge]


@dataclass(frozen=True, slots=True)
class Bill:
    """What is charged, by case id; ``units`` are those of each kind that is charged at all."""

    units: Mapping[str, str]
    items: Mapping[str, Item]


def build_bill(cases: Sequence[CaseVerdict]) -> Bill:
    """Charge every case that has a latency or an energy, all in one unit for each of the two."""
    scales = {}
    for kind, metric in _KINDS.items():
        largest = max((_largest(case, metric.name) for case in cases), default=0.0)
        if largest:
            scales[kind] = _scale(largest, metric.unit)
    items = {case.case_id: item for case in cases if (item := _item(case, scales)) is not None}
    return Bill({kind: scale.unit for kind, scale in scales.items()}, items)


def counted(items: int | None) -> str:
    """Name what is counted: items where the test said how many there are, else calls."""
    return "calls" if items is None else "items"


def per_thousand(value: float, items: int | None) -> float:
    """Return what a thousand items take, of what a call takes that works through ``items``."""
    return _THOUSAND * value / (items or 1)


def energy_text(energy_j: float, items: int | None) -> str:
    """Write the energy of a thousand: "0.52 Wh per 1,000 items"."""
    scale = _scale(energy_j, ENERGY.unit)
    return f"{trimmed(energy_j / scale.factor, 3)} {scale.unit} per 1,000 {counted(items)}"


def _scale(value: float, unit: str) -> Scale:
    """Choose what a bill is written in: energies as the meter charges them."""
    if unit != ENERGY.unit:
        return levels((value,), unit).scale
    large = abs(value) >= _THOUSAND * _J_PER_WH
    return Scale(_THOUSAND * _J_PER_WH, "kWh") if large else Scale(_J_PER_WH, "Wh")


def _sides(result: MetricResult) -> list[float | None]:
    return [
        None if value is None else per_thousand(value, result.items)
        for value in (result.baseline, result.candidate)
    ]


def _largest(case: CaseVerdict, name: str) -> float:
    result = case.comparison.metric(name)
    known = [] if result is None else [abs(v) for v in _sides(result) if v is not None]
    return max(known, default=0.0)


def _item(case: CaseVerdict, scales: Mapping[str, Scale]) -> Item | None:
    charges, items = {}, None
    for kind, scale in scales.items():
        result = case.comparison.metric(_KINDS[kind].name)
        if result is not None and _largest(case, result.metric.name):
            charges[kind] = _charge(result, scale)
            items = items or result.items
    return Item(counted(items), charges) if charges else None


def _charge(result: MetricResult, scale: Scale) -> Charge:
    before, now = _sides(result)
    change, extra, tone = result.change, None, Tone.PLAIN
    if change is not None and result.outcome in _TONES and before is not None:
        # The estimate, and not the difference of the levels: these are not adjusted.
        share = change.estimate
        extra = share * before if change.relative else per_thousand(share, result.items)
        tone = _TONES[result.outcome]
    known = [abs(value) / scale.factor for value in (before, now) if value is not None]
    decimals = decimals_for(max(known), 4)
    was, is_now = ("" if v is None else fixed(v / scale.factor, decimals) for v in (before, now))
    more = "" if extra is None else trimmed(extra / scale.factor, 3, sign=True)
    return Charge(was, is_now, more, tone)
