"""Tests of the evidence above the fronts: runs of failing cases, and the map of many cases."""

import re
from collections import Counter
from dataclasses import replace
from math import inf

import pytest

from benchmarks.html_report import synthetic_session
from pytest_pareto.model.baseline import LevelEntry, LevelHistory, Revision
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Better
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import (
    ComparedRuns,
    Judgement,
    MetricResult,
)
from pytest_pareto.report.html.case_rows import build_sections
from pytest_pareto.report.html.evidence import (
    CELL,
    MAP_LEFT,
    STRIP_WIDTH,
    CaseMap,
    build_course,
    build_strip,
    failing_strips,
    map_cases,
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


def test_the_worst_metrics_are_drawn_and_no_others() -> None:
    failing = next(c for c in synthetic_session(12).judgement.cases if c.fails)
    names = [strip.metric for strip in failing_strips(failing, 2)]
    assert names == ["latency", "device_time"]
    assert len(failing_strips(failing, 1)) == 1
    still = next(c for c in synthetic_session(12).judgement.cases if not c.notices and not c.fails)
    assert failing_strips(still, 2) == ()


def letters_of(found: CaseMap) -> list[tuple[int, int, str]]:
    """Return each letter of a map with the place of its column and its row."""
    rows = {y: n for n, (_, y) in enumerate(found.rows)}
    return [
        ((x - MAP_LEFT) // CELL, rows[line.y], letter)
        for line in found.letters
        for x, letter in zip(line.xs, line.text, strict=True)
    ]


def test_few_cases_have_no_map() -> None:
    assert map_cases(build_sections(synthetic_session(99).judgement)) is None
    assert map_cases(build_sections(synthetic_session(100).judgement)) is not None


def test_every_outcome_of_every_case_is_on_the_map() -> None:
    sections = build_sections(synthetic_session(100).judgement)
    found = map_cases(sections)
    assert found is not None
    names = [name for name, _ in found.rows]
    assert names == ["latency", "device_time", "energy", "peak_memory", "clip_score"]
    assert sorted(found.columns) == [(0, number) for number in range(100)]
    shown = {
        (found.columns[column][1], names[row]): letter for column, row, letter in letters_of(found)
    }
    words = {Outcome.WORSE: "W", Outcome.BETTER: "B", Outcome.INCONCLUSIVE: "?"}
    assert shown == {
        (number, result.metric.name): words[result.outcome]
        for number, case in enumerate(sections[0].cases)
        for result in case.verdict.comparison.gated
        if result.outcome in words
    }
    latency = Counter(
        case.verdict.comparison.metric("latency").outcome  # type: ignore[union-attr]
        for case in sections[0].cases
    )
    assert dict(found.words)["latency"] == (
        f"{latency[Outcome.WORSE]} WORSE, {latency[Outcome.BETTER]} BETTER, "
        f"{latency[Outcome.UNCHANGED]} unchanged, {latency[Outcome.INCONCLUSIVE]} inconclusive"
    )


def test_columns_are_in_the_order_of_names_and_their_numbers() -> None:
    (section,) = build_sections(synthetic_session(120).judgement)
    found = map_cases([section])
    assert found is not None
    names = [section.cases[number].block.name for _, number in found.columns]
    assert names[:4] == [f"[bf16-{steps}-steps]" for steps in (4, 6, 8, 10)]
    assert names != sorted(names)
    assert len({y for _, y in found.rows}) == 10  # five metrics, and a band for the last twenty
    assert len(found.links) == sum(case.block.changed for case in section.cases)


def test_a_cell_is_the_darker_the_further_it_is_beyond_the_limit() -> None:
    (section, *_) = build_sections(synthetic_session(100).judgement)
    latency = section.cases[0].verdict.comparison.metric("latency")
    assert latency is not None
    assert latency.change is not None

    whole = latency.change

    def classes(harm: float) -> set[tuple[str, int]]:
        result = replace(latency, change=replace(whole, estimate=harm))
        cases = tuple(
            replace(
                c,
                verdict=replace(
                    c.verdict, comparison=replace(c.verdict.comparison, metrics=(result,))
                ),
            )
            for c in section.cases
        )
        found = map_cases([replace(section, cases=cases)])
        assert found is not None
        return set(found.shades)

    assert classes(0.12) == {("worse", 3)}
    assert classes(0.07) == {("worse", 2)}
    assert classes(0.03) == {("worse", 1)}
    assert classes(0.02) == classes(-0.02) == set()
    assert classes(-0.06) == {("better", 2)}


def test_cells_side_by_side_share_a_stroke() -> None:
    (section,) = build_sections(synthetic_session(100).judgement)
    found = map_cases([section])
    assert found is not None
    assert found.ground.count("M") == 5
    assert found.ground.startswith(f"M{MAP_LEFT} 11h{100 * CELL}")


def course_of(*levels: float | None) -> LevelHistory:
    """A history of a latency with an entry per commit, of which the second accepted another."""
    entries = tuple(
        LevelEntry(
            at,
            REVISIONS[at],
            level,
            accepted=at == 1,
            reason="one <step> more" if at == 1 else "",
            ends=None if level is None else (0.9 * level, 1.1 * level),
        )
        for at, level in enumerate(levels)
    )
    return LevelHistory("a", "f", worse_latency().metric, entries)


REVISIONS = tuple(Revision(f"{n:040x}", f"{n:07x}", f"2026-01-0{n}", "Record") for n in range(1, 5))


def test_a_course_leads_from_the_first_commit_to_now() -> None:
    course = build_course(course_of(0.08, 0.1, 0.1), REVISIONS, worse_latency())
    assert course is not None
    assert course.text == (
        "3 commits, 2026-01-01 to 2026-01-03: 72.0 to 110.0 ms; "
        "another level accepted by 0000002 of 2026-01-02: one <step> more"
    )
    ((x, y, why),) = course.accepted
    assert why == "0000002 of 2026-01-02: one <step> more"
    before, after = re.findall(r"M(\d+) (\d+)h0", course.points)
    assert int(before[0]) < x < int(after[0]) < course.now[0]
    assert int(before[1]) > y == int(after[1]) > course.limit > course.now[1]
    assert len(re.findall("M", course.ends)) == 3
    assert [level for level, _ in course.labels] == ["72.0", "110.0"]


def test_a_course_needs_two_levels_of_one_quantity() -> None:
    latency = worse_latency()
    assert build_course(course_of(0.1, None), REVISIONS, latency) is None
    other = replace(latency, metric=replace(latency.metric, unit="J"))
    assert build_course(course_of(0.1, 0.1), REVISIONS, other) is None
    assert build_course(course_of(0.1, 0.1), REVISIONS, latency) is not None


def test_each_failing_case_has_the_course_of_its_worst_metric() -> None:
    report = synthetic_session(12)
    assert report.history is not None
    failing = next(case for case in report.judgement.cases if case.fails)
    with_past = failing_strips(failing, 2, report.history.levels)
    assert [strip.course is not None for strip in with_past] == [True, False]
    assert not any(strip.course for strip in failing_strips(failing, 2))
