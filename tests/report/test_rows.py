"""Tests of rows: signs in the direction of the metric, facts that explain an outcome."""

import math
from collections.abc import Callable

import pytest

from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import (
    ENERGY,
    EVENT_TIME,
    FLOPS,
    LATENCY,
    PEAK_MEMORY,
    Better,
    Kind,
    Metric,
    Scope,
)
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.report.rows import build_row

SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
SPEED = Metric("speed", "1/s", Better.HIGHER, Kind.RUN, Scope.GPU, 0.05, relative=True)
ERROR = Metric("error", "", Better.LOWER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)


def test_worse_score_has_a_minus(compared: Callable[..., MetricResult]) -> None:
    result = compared(
        SCORE, (0.958, 0.931), (0.027, 0.014, 0.040), Outcome.WORSE, resolution=0.02, pairs=400
    )
    row = build_row(result)
    assert (row.baseline, row.candidate, row.change, row.interval, row.limit, row.coverage) == (
        "0.9580", "0.9310", "−0.027", "[−.040, −.014]", "0.01", "90 %",
    )  # fmt: skip
    assert row.word == "WORSE"
    assert row.remarkable
    assert row.facts == ("400 pairs",)


def test_exact_metric_has_no_interval(compared: Callable[..., MetricResult]) -> None:
    result = compared(
        PEAK_MEMORY, (2.0**30, 2.0**31), (1.0, 1.0, 1.0), Outcome.WORSE, resolution=0.01
    )
    row = build_row(result)
    assert (row.change, row.interval, row.coverage) == ("+100 %", "", "")


def test_unchanged_row_is_not_remarkable(compared: Callable[..., MetricResult]) -> None:
    result = compared(LATENCY, (1.0, 1.0), (0.0, -0.01, 0.01), Outcome.UNCHANGED, resolution=0.07)
    row = build_row(result)
    assert not row.remarkable
    assert row.details == ("minimum detectable regression 7 %",)


def test_undecided_row_has_its_resolution(
    compared: Callable[..., MetricResult],
) -> None:
    blind = compared(
        LATENCY, (1.0, 1.2), (0.2, -math.inf, math.inf), Outcome.INCONCLUSIVE,
        resolution=math.inf, reason="one run on each side says nothing of their spread",
    )  # fmt: skip
    row = build_row(blind)
    assert row.interval == ""
    assert row.facts == (
        "no regression is detectable",
        "one run on each side says nothing of their spread",
    )


def test_flagged_row_has_the_reason_why_it_is_not_worse(
    compared: Callable[..., MetricResult],
) -> None:
    result = compared(LATENCY, (1.0, 1.2), (0.2, 0.1, 0.3), Outcome.INCONCLUSIVE, resolution=0.4)
    assert build_row(result).facts[0].startswith("likely regression")
    doubtful = compared(LATENCY, (1.0, 1.2), (0.2, 0.01, 0.4), Outcome.INCONCLUSIVE, resolution=0.4)
    assert not build_row(doubtful).facts[0].startswith("likely regression")


def test_trade_has_its_bound(compared: Callable[..., MetricResult]) -> None:
    worse = compared(SCORE, (0.9, 0.88), (0.02, 0.015, 0.025), Outcome.WORSE, resolution=0.02)
    assert build_row(worse, traded=True).facts == ("a trade may give up 0.03",)
    assert build_row(worse).facts == ()
    better = compared(LATENCY, (1.0, 0.8), (-0.2, -0.22, -0.18), Outcome.BETTER, resolution=0.1)
    assert build_row(better, traded=True).facts == ()


def test_diagnostic_is_marked_and_has_no_capitals(compared: Callable[..., MetricResult]) -> None:
    row = build_row(compared(FLOPS, (1e9, 2e9), (1.0, 1.0, 1.0), Outcome.WORSE, resolution=0.0))
    assert (row.word, row.limit, row.remarkable) == ("worse", "none", True)
    assert row.facts == ()
    new = build_row(MetricResult(FLOPS, candidate=1e9, state=Outcome.NEW, reason="not recorded"))
    assert not new.remarkable


def test_absent_metric_keeps_its_reason() -> None:
    row = build_row(MetricResult(LATENCY, state=Outcome.ABSENT, reason="tracked code runs once"))
    assert (row.facts, row.remarkable) == (("tracked code runs once",), False)


@pytest.mark.parametrize(
    ("metric", "items", "details"),
    [
        (ENERGY, None, ("20 Wh per 1,000 calls",)),
        (ENERGY, 1, ("20 Wh per 1,000 items",)),
        (ENERGY, 4, ("18.00 J per item (4 items)", "5 Wh per 1,000 items")),
        (LATENCY, 4, ("18.00 s per item (4 items)",)),
        (LATENCY, 1, ()),
        (LATENCY, None, ()),
    ],
)
def test_items_share_what_a_call_takes(
    metric: Metric, items: int | None, details: tuple[str, ...]
) -> None:
    result = MetricResult(metric, candidate=72.0, state=Outcome.NEW, reason="new", items=items)
    assert build_row(result).details == details


def test_reason_of_a_notice_is_not_repeated_and_that_of_a_diagnostic_is_a_detail() -> None:
    gated, diagnostic = (
        build_row(
            MetricResult(metric, candidate=1.0, first=2.5, state=Outcome.NEW, reason="no baseline")
        )
        for metric in (LATENCY, EVENT_TIME)
    )
    assert gated.facts == ()
    assert gated.details == ("first call 2.500 s",)
    assert diagnostic.details == ("no baseline", "first call 2.500 s")


@pytest.mark.parametrize(
    ("p", "shown"),
    [(0.0123, "0.012"), (1e-6, "< 0.0001"), (0.0, "0"), (0.9995, "> 0.999"), (1.0, "1")],
)
def test_p_values(p: float, shown: str, compared: Callable[..., MetricResult]) -> None:
    change = Change(
        0.1, -0.1, 0.3, 0.05, relative=True, alpha=0.05, p_worse=0.3, p_better=p, resolution=0.4
    )
    row = build_row(MetricResult(LATENCY, 1.0, 1.1, change=change))
    assert row.statistics == f"p(worse) 0.3, p(better) {shown}, alpha 0.05"


def test_control_characters_of_every_kind_become_visible() -> None:
    nasty = Metric("a\nb", "x\x1b", Better.LOWER, Kind.RUN, Scope.GPU, 0.1, relative=False)
    change = Change(
        0.5, -0.1, 0.7, 0.1, relative=False, alpha=0.05, p_worse=0.3, p_better=0.9,
        resolution=0.4, reason="be\x07ll", worst_ids=("p\r1",),
    )  # fmt: skip
    row = build_row(MetricResult(nasty, 1.0, 1.5, change=change, notes=("no\tte",)))
    assert row.metric == "a\\nb"
    assert row.unit == "x\\x1b"
    assert row.change == "+0.5 x\\x1b"
    assert row.limit == "0.1 x\\x1b"
    assert row.facts[-1] == "be\\x07ll"
    assert row.worst == ("p\\r1",)
    assert row.details == ("no\\tte",)


DELAY = Metric("delay", "s", Better.LOWER, Kind.RUN, Scope.HOST, 0.05, relative=False)


@pytest.mark.parametrize(
    ("before", "now", "unit", "limit", "caught"),
    [
        (0.96, 0.98, "ms", "50 ms", "80 ms"),
        (0.96, 1.02, "s", "0.05 s", "0.08 s"),
        (1.02, 0.96, "s", "0.05 s", "0.08 s"),
        (1.02, 1.04, "s", "0.05 s", "0.08 s"),
    ],
)
def test_all_of_a_row_is_in_one_unit(
    before: float, now: float, unit: str, limit: str, caught: str,
    compared: Callable[..., MetricResult],
) -> None:  # fmt: skip
    moved = now - before
    harmful = (moved, moved - 0.4, moved + 0.4)
    row = build_row(compared(DELAY, (before, now), harmful, Outcome.INCONCLUSIVE, resolution=0.08))
    assert (row.unit, row.limit, row.resolution) == (unit, limit, caught)
    assert row.change.endswith(f" {unit}")
    assert f"minimum detectable regression {caught}" in row.facts
    assert float(row.baseline) == pytest.approx(before * (1000 if unit == "ms" else 1))
    quiet = compared(DELAY, (before, now), (0.0, -0.01, 0.01), Outcome.UNCHANGED, resolution=0.08)
    assert build_row(quiet).details == (f"minimum detectable regression {caught}",)


def test_trade_bound_is_in_the_unit_of_its_row(
    compared: Callable[..., MetricResult],
) -> None:
    result = compared(DELAY, (0.96, 1.07), (0.11, 0.1, 0.12), Outcome.WORSE, resolution=0.08)
    assert build_row(result, traded=True).facts == ("a trade may give up 0.15 s",)


@pytest.mark.parametrize("state", [Outcome.NEW, Outcome.NOT_COMPARABLE])
def test_a_lower_bound_is_named_in_its_row(state: Outcome) -> None:
    result = MetricResult(FLOPS, candidate=1024.0, state=state, lower_bound="without x")
    row = build_row(result)
    assert (row.candidate, row.unit) == ("1.024", "k")
    assert "a lower bound, without x" in row.facts
