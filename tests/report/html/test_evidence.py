"""Tests of the evidence for a failing case: strips of runs, and the parts that moved a metric."""

import re
from collections.abc import Callable
from dataclasses import replace
from math import inf

import pytest

from benchmarks.html_report import synthetic_session
from pytest_pareto.model.attribution import Contribution
from pytest_pareto.model.metric import PYTHON_CALLS, Better
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import (
    CaseVerdict,
    ComparedRuns,
    Judgement,
    MetricResult,
    Verdict,
)
from pytest_pareto.report.html.evidence import (
    STRIP_WIDTH,
    build_evidence,
    build_strip,
    why_tables,
)

Run = tuple[Judgement, SessionFacts]


def worse_latency() -> MetricResult:
    """A latency of 100 ms in two sessions, which is 14 % worse beyond a limit of 5 %."""
    cases = synthetic_session(12).judgement.cases
    found = next(case for case in cases if case.fails).comparison.metric("latency")
    assert found is not None
    assert found.change is not None
    change = replace(found.change, estimate=0.2, low=0.15, high=0.25)
    runs = ComparedRuns(((0.099, 0.101), (0.098, 0.102)), (0.119, 0.121), (0.125,))
    return replace(found, baseline=0.1, candidate=0.12, change=change, runs=runs)


def xs(path: str) -> list[int]:
    """Return the horizontal places of the points of a path."""
    return [int(x) for x in re.findall(r"M(\d+) \d+h0", path)]


def test_every_run_has_a_point_and_lies_in_its_place() -> None:
    strip = build_strip(worse_latency())
    assert strip is not None
    assert [len(xs(path)) for path in (strip.before, strip.screen, strip.now)] == [4, 1, 2]
    assert max(xs(strip.before)) < strip.limit < min(xs(strip.now)) < min(xs(strip.screen))
    assert [word for word, _ in strip.lanes] == ["before", "flagged", "now"]
    # 100 ms and 120 ms are as far apart as the points say.
    pixel = (xs(strip.now)[1] - xs(strip.before)[0]) / 22
    old, new = (int(x) for x in re.findall(r"M(\d+) ", strip.marks))
    assert new - old == pytest.approx(20 * pixel, abs=2)
    assert strip.limit - old == pytest.approx(5 * pixel, abs=2)
    low, high = map(int, re.findall(r"[MH](\d+)", strip.interval))
    assert (low - old, high - old) == pytest.approx((15 * pixel, 25 * pixel), abs=2)


def test_it_says_the_same_in_words() -> None:
    strip = build_strip(worse_latency())
    assert strip is not None
    assert strip.text == (
        "before 98.0 to 102.0 ms in 4 runs of 2 sessions; flagged by 125.0 ms in 1 run; "
        "now 119.0 to 121.0 ms in 2 runs; limit 105.0 ms"
    )


def test_what_is_better_upwards_has_its_limit_below() -> None:
    latency = worse_latency()
    rate = replace(latency, metric=replace(latency.metric, better=Better.HIGHER))
    runs = ComparedRuns(((0.1, 0.101),), (0.082, 0.083))
    strip = build_strip(replace(rate, candidate=0.0825, runs=runs))
    assert strip is not None
    assert max(xs(strip.now)) < strip.limit < min(xs(strip.before))
    assert strip.allowed.startswith(f"M{strip.limit} 12H{STRIP_WIDTH}V")
    assert "flagged" not in strip.text


def test_old_sessions_share_a_row() -> None:
    latency = worse_latency()
    many = ComparedRuns(tuple((0.09 + n / 1000,) for n in range(40)), (0.12,))
    strip = build_strip(replace(latency, runs=many))
    assert strip is not None
    assert len(set(re.findall(r"M\d+ (\d+)h0", strip.before))) == 6
    assert "40 runs of 40 sessions" in strip.text


def test_nothing_is_drawn_of_what_is_not_known() -> None:
    latency = worse_latency()
    assert build_strip(replace(latency, runs=None)) is None
    assert build_strip(replace(latency, change=None)) is None
    assert build_strip(replace(latency, baseline=None)) is None


def test_an_interval_without_an_end_is_not_drawn() -> None:
    latency = worse_latency()
    assert latency.change is not None
    strip = build_strip(replace(latency, change=replace(latency.change, high=inf)))
    assert strip is not None
    assert strip.interval == ""
    assert build_strip(replace(latency, baseline=inf)) is None


def test_the_worst_metrics_are_drawn_and_no_others(case: Callable[..., CaseVerdict]) -> None:
    failing = next(c for c in synthetic_session(12).judgement.cases if c.fails)
    names = [strip.metric for strip in build_evidence(failing, 2).strips]
    assert names == ["latency", "device_time"]
    assert len(build_evidence(failing, 1).strips) == 1
    still = next(c for c in synthetic_session(12).judgement.cases if not c.notices and not c.fails)
    assert build_evidence(still, 2).strips == ()


def test_the_largest_parts_are_beside_the_runs(
    case: Callable[..., CaseVerdict], slower: MetricResult
) -> None:
    judged = case("[a]", Verdict.WORSE, slower, fails=("latency got worse",))
    (table,) = build_evidence(judged, 2).why
    (whole,) = why_tables(judged)
    assert table.parts == whole.parts[:3] != whole.parts
    assert table.rest == ()


def test_each_metric_that_moved_has_a_table_of_its_parts(
    case: Callable[..., CaseVerdict], slower: MetricResult, dispatched: MetricResult
) -> None:
    latency, count = why_tables(case("[a]", Verdict.WORSE, dispatched, slower))
    assert (latency.metric, count.metric) == ("latency", "dispatches")  # as the rows above
    shown = [(line.row.name, line.row.levels, line.row.count, line.bars) for line in latency.parts]
    assert shown == [
        ("aten::addmm in Net.fc2", "2.1 → 14.2 ms", "1 → 7", (18, 120)),
        ("aten::copy_ in Net.fc1", "new, or under 0.03 ms before", "28", (0, 27)),
        ("aten::relu in Net.act", "1.5 → 0.3 ms", "2", (13, 3)),
        ("aten::mul in Net.scale", "gone", "1", (8, 0)),
        ("aten::add in Net.fc1", "new", "1", (0, 1)),
    ]
    assert [(line.row.name, line.bars) for line in latency.rest] == [("not in the profile", None)]
    assert latency.more == count.rest == ()


def test_parts_after_the_tenth_unfold(
    case: Callable[..., CaseVerdict],
    dispatched: MetricResult,
    attributed: Callable[..., MetricResult],
) -> None:
    count = replace(dispatched, metric=PYTHON_CALLS)
    parts = [Contribution(f"f{number}", 0, 100 - number) for number in range(12)]
    (table,) = why_tables(case("[a]", Verdict.WORSE, attributed(count, *parts, other=500.0)))
    assert [line.row.name for line in table.parts] == [f"f{number}" for number in range(10)]
    assert [line.row.name for line in table.more] == ["f10", "f11"]
    assert [line.row.change for line in table.rest] == ["+500"]


def test_a_metric_without_attribution_has_no_table(failing_run: Run) -> None:
    assert not any(list(why_tables(verdict)) for verdict in failing_run[0].cases)
