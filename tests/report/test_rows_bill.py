"""Tests of the bill: the cost of a thousand items, and what a change adds."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import ENERGY, LATENCY
from pytest_pareto.model.verdict import CaseVerdict, MetricResult, Verdict
from pytest_pareto.report.rows import Bill, build_bill, energy_text, per_thousand
from pytest_pareto.report.text import Tone

Compared = Callable[..., MetricResult]
Case = Callable[..., CaseVerdict]


@pytest.fixture
def billed(compared: Compared, case: Case) -> Bill:
    slower = compared(LATENCY, (0.4, 0.5), (0.2, 0.15, 0.25), Outcome.WORSE, resolution=0.1)
    hungry = compared(ENERGY, (360.0, 180.0), (-0.5, -0.55, -0.45), Outcome.BETTER, resolution=0.1)
    still = compared(LATENCY, (0.04, 0.041), (0.02, 0.0, 0.04), Outcome.UNCHANGED, resolution=0.1)
    results = (replace(slower, items=8), replace(hungry, items=8))
    cases = [case("[a]", Verdict.WORSE, *results), case("[b]", Verdict.UNCHANGED, still)]
    return build_bill(cases)


def test_a_thousand_items_are_charged_in_one_unit(billed: Bill) -> None:
    assert billed.units == {"time": "s", "energy": "Wh"}
    item = billed.items["test_sd.py::test_generate[a]"]
    assert item.per == "items"
    assert (item.charges["time"].before, item.charges["time"].now) == ("50.00", "62.50")
    assert (item.charges["energy"].before, item.charges["energy"].now) == ("12.50", "6.25")


def test_a_change_adds_its_estimate_and_not_the_difference_of_raw_levels(billed: Bill) -> None:
    time = billed.items["test_sd.py::test_generate[a]"].charges["time"]
    assert (time.extra, time.tone) == ("+10", Tone.RED)  # 20 % of 50 s, where levels say 12.5 s
    energy = billed.items["test_sd.py::test_generate[a]"].charges["energy"]
    assert (energy.extra, energy.tone) == ("−6.25", Tone.GREEN)


def test_unchanged_metric_adds_nothing(billed: Bill) -> None:
    item = billed.items["test_sd.py::test_generate[b]"]
    assert item.per == "calls"
    assert (item.charges["time"].extra, set(item.charges)) == ("", {"time"})


def test_cases_without_time_and_energy_are_not_billed(compared: Compared, case: Case) -> None:
    assert build_bill([case("[a]", Verdict.NEW)]) == Bill({}, {})


@pytest.mark.parametrize(
    ("energy_j", "items", "text"),
    [
        (3600.0, None, "1 Wh per 1,000 calls"),
        (7.2e6, 8, "2 kWh per 1,000 items"),
        (3.0, 1, "0.000833 Wh per 1,000 items"),
    ],
)
def test_energy_is_in_watt_hours(energy_j: float, items: int | None, text: str) -> None:
    assert energy_text(energy_j, items) == text


def test_per_thousand_is_per_item() -> None:
    assert per_thousand(8.0, 4) == 2000.0
    assert per_thousand(8.0, None) == 8000.0
