"""Tests in a browser of the pages of the example: before and after a recorded trade-off."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.baseline.store import load
from pytest_pareto.model.baseline import Past
from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.pipeline import judge_record
from pytest_pareto.report.html.page import render_page
from pytest_pareto.results.reader import load_record

if TYPE_CHECKING:
    from tests.report.html.conftest import Opens

ROOT = Path(__file__).parents[3]
BASELINES = ROOT / "example_project" / "pareto_baselines"
SESSIONS = ROOT / "tests" / "data" / "example"
CASES = 9
GATED = ("latency", "label_accuracy", "flops")


def report(session: str) -> SessionReport:
    """Judge a recorded session of the example again, against the baseline in the repository."""
    content, record = load_record(SESSIONS / f"{session}.json")
    environment = record.runs[-1].environment
    judged = judge_record(record, Past(load(BASELINES, environment.hardware_key)))
    return SessionReport(judged.judgement, content.session, environment, record=record)


@pytest.fixture(scope="module", params=["unchanged", "tradeoff"])
def text(request: pytest.FixtureRequest) -> str:
    return render_page(report(request.param))


def test_it_opens_without_a_request_or_a_complaint(opened: "Opens", text: str) -> None:
    found = opened(text)
    assert found.page.evaluate("document.documentElement.dataset.ready") == ""
    assert found.makes_no_request()
    assert found.errors == []
    assert found.page.locator(".dot").count() == CASES


def test_axes_switch(opened: "Opens", text: str) -> None:
    found = opened(text)
    before, page = found.pixels(), found.page
    # It opens on what moved: fewer flops, where a block was left out.
    other = "latency" if "flops" in page.text_content("[data-title=x]") else "flops"
    page.select_option("[data-side=x]", label=other)
    assert sum(a[0] != b[0] for a, b in zip(before, found.pixels(), strict=True)) >= CASES - 1
    assert other in page.text_content("[data-title=x]")


def test_pointing_at_a_case_shows_all_that_gates(opened: "Opens", text: str) -> None:
    page = opened(text).page
    page.locator(".dot").nth(4).dispatch_event("pointerenter")
    card = page.text_content(".card")
    assert page.locator(".dot").nth(4).get_attribute("aria-label").partition(",")[0] in card
    assert all(metric in card for metric in GATED)


def test_the_table_sorts_by_keyboard(opened: "Opens", text: str) -> None:
    found = opened(text)
    page = found.page
    for _ in range(40):
        page.keyboard.press("Tab")
        script = "document.activeElement.closest('th[data-sort=now][data-column=\\'0\\']') !== null"
        if page.evaluate(script):
            break
    page.keyboard.press("Enter")
    fastest = found.first_column()
    assert "[shallow-2]" in fastest[0]
    assert "[ddim-10]" in fastest[-1]


def test_only_what_moved_has_an_arrow(opened: "Opens") -> None:
    for session, moved in (("unchanged", 0), ("tradeoff", 1)):
        page = opened(render_page(report(session))).page
        assert page.locator("[data-arrow]:not([visibility=hidden])").count() == moved


def test_trade_has_a_step_that_accepts_it(opened: "Opens") -> None:
    page = opened(render_page(report("tradeoff"))).page
    assert "1 traded" in page.text_content("h1, header, main")
    assert "label_accuracy traded for" in page.text_content("main")
    assert "pytest-pareto accept" in page.text_content("main")


def test_without_scripts_the_picture_and_the_rows_remain(opened: "Opens", text: str) -> None:
    found = opened(text, java_script_enabled=False)
    assert found.page.locator(".picture svg").first.is_visible()
    assert len(found.first_column()) == CASES
