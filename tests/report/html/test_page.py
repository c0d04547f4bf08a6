"""Tests of the whole page: one self-contained, reproducible, small file."""

import base64
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.html_report import synthetic_session
from pytest_pareto.model.attribution import Attribution, Contribution
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import (
    CaseVerdict,
    Failure,
    Judgement,
    MetricResult,
    Place,
    Verdict,
)
from pytest_pareto.report.fronts import all_cases, build_fronts
from pytest_pareto.report.headline import build_header
from pytest_pareto.report.html.page import _SPACED, Image, render_page
from pytest_pareto.report.text import clean

Parse = Callable[[str], Any]
LARGEST_B = 147_000
ELEMENTS = """
    nav html head meta title link style script body a svg defs path circle rect line marker g use
    text header h1 h2 h3 strong p main section div ul li b br pre dl dt dd code form label input
    output select option table caption thead tbody tr th td figure figcaption span aside img
    footer i details summary
"""
ATTRIBUTES = """
    lang charset http-equiv content name rel href class width height aria-hidden focusable id d
    fill stroke r stroke-width viewbox refx refy markerwidth markerheight markerunits orient
    aria-labelledby aria-label role tabindex hidden type placeholder autocomplete for data-front
    data-legend data-side data-log data-ticks data-title data-line data-bar data-arrow data-sort
    data-column
    border cellpadding colspan rowspan scope selected value x y x1 x2 y1 y2 text-anchor
    font-weight font-family font-size stroke-dasharray stroke-opacity visibility opacity marker-end
    src alt loading stroke-linecap fill-opacity viewbox
"""


def check_elements(document: Any) -> None:
    """Raise AssertionError if the page has an element or attribute that its template lacks."""
    assert set(document.elements) <= set(ELEMENTS.split())
    assert {name.partition(".")[2] for name in document.attributes} <= set(ATTRIBUTES.split())
    assert (document.elements["script"], document.elements["style"]) == (3, 1)
    for name, value in document.values:
        if name in ("href", "src"):
            assert value.startswith(("#", "data:image/png;base64,")) or value == "data:,"
    for source in (*document.scripts[::2], *document.styles):
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in document.policy


def test_page_has_only_its_own_elements_and_makes_no_request(
    any_report: SessionReport, parse: Parse
) -> None:
    check_elements(parse(render_page(any_report)))


def test_it_says_which_parts_moved(
    case: Callable[..., CaseVerdict], slower: MetricResult, parse: Parse, facts: Any
) -> None:
    def page(result: MetricResult) -> Any:
        judged = case("[a]", Verdict.WORSE, result, fails=("latency got worse",))
        return parse(render_page(SessionReport(Judgement((judged,)), facts())))

    document = page(slower)
    check_elements(document)
    assert "Why latency moved: the largest change first" in document.text
    assert slower.attribution is not None
    assert all(part.name in document.text for part in slower.attribution.contributions)
    assert "not in the profile" in document.text
    assert ("d", "M0 10H120") in document.values
    assert "details" not in document.elements
    many = replace(slower, attribution=moved(12, lambda: "k"))
    assert "2 smaller changes" in page(many).text
    assert page(many).elements["details"] == 1
    assert "Why" not in page(replace(slower, attribution=None)).text


def test_it_names_every_case_and_what_failed(any_report: SessionReport, parse: Parse) -> None:
    text = parse(render_page(any_report)).text
    for case in all_cases(build_fronts(any_report.judgement)):
        assert case.name in text
        assert case.label in text
        for reason in (*case.fails, *case.notices):
            assert reason in text
    for failure in any_report.judgement.failures:
        assert failure.text in text


@pytest.mark.parametrize(
    "planted",
    [
        '<img src="https://example.org/x.png">',
        "<script>alert(1)</script>",
        '<p onclick="alert(1)">',
        '<a href="https://example.org">',
        "<iframe>",
        "<style>*{color:red}</style>",
    ],
)
def test_check_finds_foreign_elements(planted: str, parse: Parse) -> None:
    text = render_page(synthetic_session(3)).replace("<main>", f"<main>{planted}")
    with pytest.raises(AssertionError):
        check_elements(parse(text))


def test_a_policy_forbids_all_but_its_own_style_and_scripts(parse: Parse) -> None:
    policy = parse(render_page(synthetic_session(3))).policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy


def with_long_names(report: SessionReport) -> SessionReport:
    """Give cases long names, as in projects with folders and many parameters."""

    def longer(text: str) -> str:
        folder = "tests/models/diffusion/test_stable_diffusion_xl.py::TestPipeline::"
        front, _, name = text.removeprefix("test_sdxl.py::").partition("[")
        precision, _, steps = name.partition("-")
        tail = f"[{precision}-euler-ancestral-karras-{steps}" if name else ""
        return f"{folder}{front}{tail}"

    def case(one: CaseVerdict) -> CaseVerdict:
        own, front = longer(one.case_id), longer(one.comparison.front)
        about = replace(one.comparison, case_id=own, nodeid=own, front=front)
        place = replace(one.place, rivals=tuple(map(longer, one.place.rivals)))
        return replace(one, comparison=about, place=place)

    assert report.history is not None
    assert report.history.levels is not None
    levels = report.history.levels
    courses = tuple(replace(each, case_id=longer(each.case_id)) for each in levels.courses)
    history = replace(report.history, levels=replace(levels, courses=courses))
    judgement = Judgement(tuple(map(case, report.judgement.cases)))
    return replace(report, judgement=judgement, history=history)


def test_a_hundred_cases_stay_small() -> None:
    text = render_page(with_long_names(synthetic_session(100)))
    assert len(text.encode()) <= LARGEST_B
    assert text.count("<tr class=more><td colspan=2>before") == 85
    assert text.count("[fp16-euler-ancestral-karras-4-steps]") >= 2
    # Negative control: more cases exceed the bound.
    assert len(render_page(synthetic_session(140)).encode()) > LARGEST_B


def test_scripts_lose_the_spaces_that_mean_nothing() -> None:
    def packed(source: str) -> str:
        return _SPACED.sub(lambda found: found[1] or found[2], source)

    assert packed("const f = (a, b) => { return a - -b; };") == "const f=(a,b)=>{return a - -b;};"
    kept = """a = "x , y" + `${a} : ${b}` + ', '"""
    assert packed(kept) == kept.replace("a = ", "a=", 1)
    assert len(packed(kept)) > len(re.sub(r" *([=,:]) *", r"\1", kept))  # a rule without strings


def test_a_part_that_moved_takes_few_bytes() -> None:
    def size(parts: int) -> int:
        report = synthetic_session(1)
        (case,) = report.judgement.cases
        first, *others = case.comparison.metrics
        result = replace(first, attribution=moved(parts, lambda: "aten::addmm in Net.fc1"))
        about = replace(case.comparison, metrics=(result, *others))
        page = render_page(replace(report, judgement=Judgement((replace(case, comparison=about),))))
        return len(page.encode())

    assert size(100) - size(20) <= 80 * 280
    assert size(100) - size(20) >= 80 * 100


def test_the_same_session_makes_the_same_page() -> None:
    first, second = (render_page(synthetic_session(12)) for _ in range(2))
    assert first == second
    assert first != render_page(synthetic_session(12, seed=8))


def test_page_has_the_session_facts(parse: Parse) -> None:
    text = parse(render_page(synthetic_session(12))).text
    for expected in (
        "AMD EPYC 9654",
        "1 × NVIDIA H200",
        "700 W",
        "torch 2.12.0 → 2.13.0",
        "11 cases measured again in 5 fresh runs",
        "sessions on one host differ by 4 %",
    ):
        assert expected in text


def test_images_are_in_the_file_and_omissions_are_stated(parse: Parse) -> None:
    report = synthetic_session(3)
    image = Image(report.judgement.cases[0].case_id, "clip_score", "p<1>", "image/png", b"\x89PNG")
    document = parse(render_page(report, [image], "2 pictures could not be read"))
    check_elements(document)
    assert ("src", "data:image/png;base64,iVBORw==") in document.values
    assert "1. p<1>" in document.text
    assert "2 pictures could not be read" in document.text


def test_a_case_that_is_read_without_scripts_is_whole(parse: Parse) -> None:
    """Scripts hide and move elements; all that they show is in the document."""
    text = parse(render_page(synthetic_session(12))).text
    for expected in ("detectable", "first call", "degrees of freedom", "[+11.0, +17.0]"):
        assert expected in text


odd = st.sampled_from("<>&\"'`/\\|\n\r\t\x00\x1b\u2028\u202e\u0301模한אב{}%# ")
names = st.one_of(
    st.sampled_from([
        "<script>alert(1)</script>", "</script>", "</style></title>", "<!--", "]]>", "a" * 300,
        "{{ 7 * 7 }}", "{% raw %}", '"><img src=x onerror=alert(1)>', "' onload='x", "\u202eabc",
        "javascript:alert(1)", "&lt;b&gt;", "a|b",
    ]),
    st.text(odd, min_size=1, max_size=300),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
)  # fmt: skip


def moved(parts: int, name: Callable[[], str]) -> Attribution:
    """Return an attribution to so many parts, and to some that have no name."""
    found = tuple(Contribution(name(), 0.01, 0.02 - 1e-4 * n, 1, 2) for n in range(parts))
    return Attribution(found, 0.5, 0.5, 1.0)


def hostile(report: SessionReport, name: Callable[[], str]) -> SessionReport:
    """Replace every name in a report."""
    metrics: dict[str, Metric] = {}

    def case(one: CaseVerdict) -> CaseVerdict:
        results = []
        for result in one.comparison.metrics:
            metric = result.metric
            if metric.name not in metrics:
                metrics[metric.name] = replace(metric, name=name(), unit=metric.unit or name())
            change = result.change
            assert change is not None
            results.append(
                replace(
                    result,
                    metric=metrics[metric.name],
                    notes=(name(),),
                    change=replace(change, reason=name(), worst_ids=(name(), name())),
                    attribution=moved(11, name),
                )
            )
        own = name()
        comparison = replace(
            one.comparison,
            case_id=own,
            nodeid=own,
            front="f",
            metrics=tuple(results),
            notes=(name(),),
        )
        place = Place(one.place.position, on_front=None, rivals=(name(),), reason=name())
        return replace(one, comparison=comparison, place=place, fails=(name(),), notices=(name(),))

    judgement = Judgement(tuple(map(case, report.judgement.cases)), (Failure(name()),), (name(),))
    facts = replace(
        report.facts,
        baseline_path=name(),
        hardware_key=name(),
        partial=name(),
        differences=(name(),),
        assumptions=(name(),),
        updating=True,
        edits=(name(),),
    )
    machine = Environment(name(), 1, 1, name(), 1, name(), (), (name(),), {name(): name()})
    return SessionReport(judgement, facts, machine)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_no_name_is_ever_markup(parse: Parse, data: st.DataObject) -> None:
    report = hostile(synthetic_session(3), lambda: data.draw(names))
    images = [
        Image(c.case_id, "m", data.draw(names), "image/png", b"x") for c in report.judgement.cases
    ]
    text = render_page(report, images, data.draw(names))
    document = parse(text)
    check_elements(document)
    visible = re.sub(r"\s+", " ", document.text)
    for case in report.judgement.cases:
        assert re.sub(r"\s+", " ", clean(case.fails[0])) in visible
        result = case.comparison.metrics[0]
        assert re.sub(r"\s+", " ", clean(result.metric.name)).strip() in visible
        assert result.attribution is not None
        for part in result.attribution.contributions:
            assert re.sub(r"\s+", " ", clean(part.name)).strip() in visible
    assert not [c for c in text if c != "\n" and clean(c) != c]


def test_a_page_that_did_not_escape_would_be_seen(parse: Parse) -> None:
    evil = "<img src=x onerror=alert(1)>"
    text = render_page(hostile(synthetic_session(3), lambda: evil))
    check_elements(parse(text))
    with pytest.raises(AssertionError):
        check_elements(parse(text.replace("&lt;", "<").replace("&gt;", ">")))


def test_what_git_says_is_text_as_well(parse: Parse) -> None:
    evil = "<script>alert(1)</script>\x1b"
    report = synthetic_session(3)
    assert report.history is not None
    assert report.history.levels is not None
    levels = report.history.levels
    courses = tuple(
        replace(each, entries=tuple(replace(e, reason=evil) for e in each.entries))
        for each in levels.courses
    )
    history = replace(report.history, head=evil, levels=replace(levels, courses=courses))
    document = parse(render_page(replace(report, history=history)))
    check_elements(document)
    assert document.text.count(clean(evil)) >= 3  # at the top, in words and at a point
    assert evil not in document.text


def test_a_session_without_the_option_does_not_import_jinja() -> None:
    script = (
        "import sys, pytest_pareto.plugin, pytest_pareto.plugin.session, "
        "pytest_pareto.plugin.outputs, pytest_pareto.plugin.report_files\n"
        "print('jinja2' in sys.modules)\n"
        "import pytest_pareto.report.html.page\n"
        "print('jinja2' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]


def test_legend_lists_what_is_drawn(first_run: Any, failing_run: Any) -> None:
    fresh, compared = (render_page(SessionReport(*run)) for run in (first_run, failing_run))
    assert "before to now" in compared
    assert "before to now" not in fresh
    assert "the interval of the change" in compared
    assert "the interval of the change" not in fresh


def test_the_legend_has_a_ring_and_a_line_only_where_there_are_some() -> None:
    report = synthetic_session(12)
    beside = "shown to be on the front of all metrics"
    assert beside in render_page(report)
    off = tuple(
        replace(case, place=replace(case.place, on_front=False)) for case in report.judgement.cases
    )
    assert beside not in render_page(replace(report, judgement=Judgement(off)))
    gone = tuple(
        replace(
            case,
            comparison=replace(
                case.comparison,
                metrics=tuple(replace(r, candidate=None) for r in case.comparison.metrics),
            ),
        )
        for case in report.judgement.cases
    )
    assert "front of these two now" in render_page(report)
    assert "front of these two now" not in render_page(replace(report, judgement=Judgement(gone)))


def test_first_line_has_word_and_tone_of_the_header(parse: Parse) -> None:
    report = synthetic_session(3)
    text = render_page(replace(report, judgement=Judgement(())))
    head = build_header(Judgement(()), report.facts)
    assert head.tone == "yellow"  # neither red nor the green of a complete session
    assert '<header class="top yellow">' in text
    assert f"<title>{head.word} · " in text
    assert f"<h1><strong>{head.word}</strong>" in text
