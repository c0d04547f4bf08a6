"""Tests of cases on the page: rows, marks, and which of them have a plot."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import ENERGY, FLOPS, LATENCY, Better, Kind, Metric, Scope
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Judgement, MetricResult, Verdict
from pytest_pareto.report.fronts import build_fronts
from pytest_pareto.report.html import case_rows
from pytest_pareto.report.html.case_rows import MANY_CASES, Mark, build_digests, build_sections

Run = tuple[Judgement, SessionFacts]


def test_a_front_is_a_section_with_its_two_axes(failing_run: Run) -> None:
    (section,) = build_sections(failing_run[0])
    x, y = (section.axes[place] for place in section.start)
    assert (x.metric.name, y.metric.name) == ("latency", "label_accuracy")
    assert section.columns == ("device_time", "latency", "label_accuracy", "peak_memory")


def test_every_kind_of_change_has_its_mark(failing_run: Run) -> None:
    (section,) = build_sections(failing_run[0])
    marks = {case.block.name: case.mark for case in section.cases}
    assert marks["[int8-20]"] is marks["[cached-20]"] is Mark.FAILS
    assert marks["[fp16-10]"] is Mark.NOTED
    assert marks["[ddim-4]"] is Mark.UNDECIDED
    assert marks["[q0]"] is Mark.QUIET


def test_cells_have_the_level_and_the_change(failing_run: Run) -> None:
    (section,) = build_sections(failing_run[0])
    lost = section.cases[0]
    cells = dict(zip(section.columns, lost.cells, strict=True))
    assert (cells["device_time"].now, cells["device_time"].change) == ("246.0 ms", "+6.3 % WORSE")
    assert cells["device_time"].before == "231.4"
    assert cells["device_time"].certainty == "[+6.2, +6.4] ≥1.1 %"
    assert cells["peak_memory"].now == ""


def test_a_metric_that_no_case_has_gets_no_column(case: Callable[..., CaseVerdict]) -> None:
    absent = MetricResult(ENERGY, state=Outcome.ABSENT, reason="no GPU")
    had = MetricResult(LATENCY, candidate=0.4, state=Outcome.NEW, reason="new")
    cases = tuple(case(f"[{n}]", Verdict.NEW, had, absent) for n in range(2))
    (section,) = build_sections(Judgement(cases))
    assert section.columns == ("latency",)
    assert section.shared == ("absent: energy (no GPU)",)
    assert all(case.facts == () for case in section.cases)
    once = replace(absent, metric=FLOPS)
    cases = (case("[0]", Verdict.NEW, had, absent), case("[1]", Verdict.NEW, had, once))
    assert build_sections(Judgement(cases))[0].shared == ()


def test_cases_without_rivals_share_a_table_and_are_not_drawn(
    case: Callable[..., CaseVerdict], failing_run: Run
) -> None:
    had = MetricResult(LATENCY, candidate=0.4, state=Outcome.NEW, reason="new")
    alone = [case("", Verdict.NEW, had, front=f"test_{n}.py::test_it") for n in range(3)]
    sections = build_sections(Judgement((*failing_run[0].cases, *alone)))
    assert [section.title for section in sections] == [
        "test_sd.py::test_generate",
        "Cases without rivals",
    ]
    assert [c.block.name for c in sections[1].cases] == [f"test_{n}.py::test_it" for n in range(3)]
    assert not sections[1].axes


@pytest.mark.parametrize(("count", "brief"), [(MANY_CASES, 0), (MANY_CASES + 1, MANY_CASES + 1)])
def test_unchanged_cases_among_many_are_brief(passing_run: Run, count: int, brief: int) -> None:
    (pattern, *_) = passing_run[0].cases
    cases = tuple(
        replace(
            pattern,
            comparison=replace(pattern.comparison, case_id=f"test_sd.py::test_generate[{n}]"),
        )
        for n in range(count)
    )
    (section,) = build_sections(Judgement(cases))
    assert sum(case.brief for case in section.cases) == brief
    assert section.has_many_cases is bool(brief)


def test_brief_case_is_still_compared_with_the_anchor(passing_run: Run) -> None:
    (pattern, *_) = passing_run[0].cases
    cases = []
    for n in range(MANY_CASES + 1):
        # Each case differs, so that no fact is shared by all.
        anchor = pattern.comparison.metrics[n % 2 :: 2]
        about = replace(
            pattern.comparison, case_id=f"test_sd.py::test_generate[{n}]", anchor=anchor
        )
        cases.append(replace(pattern, comparison=about))
    (section,) = build_sections(Judgement(tuple(cases)))
    assert section.cases[1].brief
    assert section.cases[1].facts == (
        "since the anchor: peak_memory unchanged (0 %, minimum detectable 1 %)",
    )


def test_one_metric_makes_no_plot(case: Callable[..., CaseVerdict]) -> None:
    had = MetricResult(LATENCY, candidate=0.4, state=Outcome.NEW, reason="new")
    (section,) = build_sections(Judgement(tuple(case(f"[{n}]", Verdict.NEW, had) for n in "ab")))
    assert not section.axes
    assert "two metrics" in section.why_not


def own_metric(name: str) -> Metric:
    return Metric(name, "", Better.HIGHER, Kind.PAIRED, Scope.HOST, 0.01, relative=False)


def different_tests(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult], count: int
) -> Judgement:
    """Tests that share one metric, each with three of its own, of which one got worse."""
    harm = (0.03, 0.02, 0.04)
    calm = (0.0, -0.001, 0.001)
    cases = []
    for n in range(count):
        worse = compared(
            own_metric(f"own_{n}_0"), (0.9, 0.87), harm, Outcome.WORSE, resolution=0.02
        )
        rest = [
            compared(
                own_metric(f"own_{n}_{k}"), (0.9, 0.9), calm, Outcome.UNCHANGED, resolution=0.02
            )
            for k in (1, 2)
        ]
        shared = compared(LATENCY, (0.4, 0.4), calm, Outcome.UNCHANGED, resolution=0.02)
        front = f"test_{n}.py::test_it"
        cases.append(case("", Verdict.WORSE, worse, shared, *rest, fails=("worse",), front=front))
    return Judgement(tuple(cases))


def test_tests_with_metrics_of_their_own_share_columns_and_unfold_the_rest(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult]
) -> None:
    (section,) = build_sections(different_tests(case, compared, 15))
    assert section.columns == ("latency",)
    assert section.has_others
    for shown in section.cases:
        number = shown.block.case_id.partition(".")[0].removeprefix("test_")
        assert shown.others is not None
        assert shown.others.startswith(f"own_{number}_0 −")
        assert shown.others.endswith("WORSE")
        assert f"own_{number}_1" not in shown.others  # it did not change
        assert {f"own_{number}_{k}" for k in range(3)} < {line.row.metric for line in shown.lines}


def test_a_table_has_at_most_eight_columns_for_metrics_of_a_third_of_its_cases(
    case: Callable[..., CaseVerdict],
) -> None:
    def judged(owners: dict[str, int]) -> Judgement:
        cases = []
        for n in range(6):
            own = [
                MetricResult(own_metric(name), candidate=0.4, state=Outcome.NEW, reason="new")
                for name, count in owners.items()
                if n < count
            ]
            cases.append(case("", Verdict.NEW, *own, front=f"test_{n}.py::test_it"))
        return Judgement(tuple(cases))

    (section,) = build_sections(judged({"rare": 1, "third": 2, "most": 5}))
    assert section.columns == ("most", "third")
    (section,) = build_sections(judged({f"m{k}": 6 for k in range(9)}))
    assert len(section.columns) == 8
    assert section.has_others
    (section,) = build_sections(judged({f"m{k}": 6 for k in range(8)}))
    assert not section.has_others


def test_case_with_a_metric_without_column_is_not_brief(
    case: Callable[..., CaseVerdict], compared: Callable[..., MetricResult]
) -> None:
    calm = (0.0, -0.001, 0.001)
    cases = []
    for n in range(MANY_CASES + 1):
        names = ["all"] if n else ["all", "own"]
        results = [
            compared(own_metric(name), (0.9, 0.9), calm, Outcome.UNCHANGED, resolution=0.02)
            for name in names
        ]
        cases.append(case("", Verdict.UNCHANGED, *results, front=f"test_{n}.py::test_it"))
    (section,) = build_sections(Judgement(tuple(cases)))
    views = {shown.block.case_id: shown for shown in section.cases}
    assert not views["test_0.py::test_it"].brief
    assert views["test_0.py::test_it"].others == ""
    assert views["test_1.py::test_it"].brief


def test_fronts_beyond_a_limit_have_a_line_for_each_case(
    failing_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_rows, "MAX_CASES", 25)
    judgement = _copies(failing_run[0], fronts=5)
    sections = build_sections(judgement)
    digests = build_digests(build_fronts(judgement))
    assert [len(section.cases) for section in sections] == [9, 9]
    assert [len(digest.cases) for digest in digests] == [9, 9, 9]
    assert digests[0].title == "test_2.py::test_it"
    assert digests[0].counts == (
        "1 LOST ITS PLACE, 1 DOMINATED, 1 trade-off, 1 inconclusive, 5 unchanged"
    )
    lost = digests[0].cases[0]
    assert (lost[0].name, lost[1]) == (
        "[int8-20]",
        "device_time +6.3 % WORSE, latency +7.2 % inconclusive",
    )
    in_full = {case.verdict.case_id for section in sections for case in section.cases}
    in_brief = {case.case_id for digest in digests for case, _ in digest.cases}
    assert in_full | in_brief == {case.case_id for case in judgement.cases}
    assert not in_full & in_brief


def test_a_front_larger_than_the_limit_is_shown_if_it_is_the_most_severe(
    failing_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_rows, "MAX_CASES", 5)
    assert [len(s.cases) for s in build_sections(failing_run[0])] == [9]
    assert build_digests(build_fronts(failing_run[0])) == ()


def test_cases_without_rivals_beyond_the_limit_come_in_lists(
    case: Callable[..., CaseVerdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_rows, "MAX_CASES", 25)
    had = MetricResult(LATENCY, candidate=0.4, state=Outcome.NEW, reason="new")
    alone = (case("", Verdict.NEW, had, front=f"test_{n}.py::test_it") for n in range(325))
    judgement = Judgement(tuple(alone))
    (section,) = build_sections(judgement)
    digests = build_digests(build_fronts(judgement))
    assert len(section.cases) == 25
    assert [len(digest.cases) for digest in digests] == [200, 100]
    assert digests[0].cases[0][0].name == "test_25.py::test_it"


def _copies(judgement: Judgement, fronts: int) -> Judgement:
    """Return the cases of a front on so many others as well."""
    cases = []
    for number in range(fronts):
        for case in judgement.cases:
            front = f"test_{number}.py::test_it"
            name = front + case.case_id[case.case_id.index("[") :]
            about = replace(case.comparison, case_id=name, nodeid=name, front=front)
            cases.append(replace(case, comparison=about))
    return Judgement(tuple(cases))
