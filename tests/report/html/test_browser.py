"""The page in a browser: Debian's chromium, driven by playwright (the extra ``browser``)."""

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.html_report import synthetic_session
from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import Failure
from pytest_pareto.report.fronts import all_cases, build_fronts
from pytest_pareto.report.html import case_rows
from pytest_pareto.report.html.page import Image, render_page

if TYPE_CHECKING:
    from tests.report.html.conftest import Opens

GENEROUS_MS = 5_000
"""The limit for a busy machine; benchmarks/html_report.py measures an idle one."""
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def text() -> str:
    return render_page(synthetic_session(100))


def test_page_makes_no_request_and_logs_no_error(opened: "Opens", text: str) -> None:
    found = opened(text)
    assert found.page.evaluate("document.documentElement.dataset.ready") == ""
    assert found.page.evaluate("performance.now()") < GENEROUS_MS
    assert found.makes_no_request()
    assert found.errors == []


def test_an_image_from_elsewhere_would_be_noticed(opened: "Opens", text: str) -> None:
    planted = text.replace("<main>", '<main><img src="http://127.0.0.1:9/x.png">')
    found = opened(planted)
    assert not found.makes_no_request()
    # The policy blocks the request itself.
    assert any("Content Security Policy" in error for error in found.errors)


def test_a_script_that_is_not_ours_does_not_run(opened: "Opens", text: str) -> None:
    planted = text.replace("<main>", "<main><script>window.evil = 1</script>")
    assert opened(planted).page.evaluate("window.evil") is None


def test_other_axes_move_the_points_and_the_line(opened: "Opens", text: str) -> None:
    found = opened(text)
    page = found.page
    before, line = found.pixels(), page.get_attribute("[data-line=new]", "d")
    page.select_option("[data-side=x]", "2")
    after = found.pixels()
    assert sum(a[0] != b[0] for a, b in zip(before, after, strict=True)) > 90
    assert [spot[1] for spot in before] == [spot[1] for spot in after]
    assert page.get_attribute("[data-line=new]", "d") != line
    assert "energy" in page.text_content("[data-title=x]")
    page.set_checked("[data-log=x]", checked=not page.is_checked("[data-log=x]"))
    assert found.pixels() != after


def test_script_draws_the_static_plot(opened: "Opens", text: str) -> None:
    plain = opened(text, java_script_enabled=False).page.content()
    found = opened(text)
    drawn = [(float(x), float(y)) for x, y in found.pixels()]
    dots = plain.partition('class="dots"')[2]
    static = re.findall(r'<use href="#m-[a-z]+" x="([\d.]+)" y="([\d.]+)"/?></use></a>', dots)
    assert len(static) == len(drawn) == 100
    for (x, y), (sx, sy) in zip(drawn, static, strict=True):
        assert abs(x - float(sx)) < 1
        assert abs(y - float(sy)) < 1


def test_pointing_at_a_case_shows_every_metric_of_it(opened: "Opens", text: str) -> None:
    page = opened(text).page
    page.locator(".dot").nth(3).dispatch_event("pointerenter")
    name = page.locator(".dot").nth(3).get_attribute("aria-label").partition(",")[0]
    card = page.text_content(".card")
    assert name in card
    for metric in ("latency", "device_time", "energy", "peak_memory", "clip_score"):
        assert metric in card
    assert card.count(" catches ") == 5
    assert "≥" not in card


def test_tables_sort_by_keyboard(opened: "Opens", text: str) -> None:
    found = opened(text)
    page = found.page
    most_severe = found.first_column()
    head = page.locator("th[data-sort=now][data-column='0']")
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    fastest = found.first_column()
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    assert found.first_column() == fastest[::-1] != most_severe
    change = page.locator("th[data-sort=change][data-column='0']")
    change.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "none"
    assert set(found.first_column()[:4]) == set(most_severe[:4])  # the worst first
    page.locator("th[data-sort=verdict] button").press("Enter")
    assert found.first_column() == most_severe


def test_the_bill_sorts_by_number(opened: "Opens", text: str) -> None:
    page = opened(text).page
    page.locator(".bill th[data-sort=number] button").first.click()
    script = "all => all.map(cell => parseFloat(cell.textContent.split('→')[1]))"
    charges = page.eval_on_selector_all(".bill tbody td:nth-child(2)", script)
    assert len(charges) == 100
    assert charges == sorted(charges)


def test_filters_hide_rows_and_fade_points(opened: "Opens", text: str) -> None:
    page = opened(text).page
    page.fill("#filter", "INT8-1")
    shown = page.locator(".cases > tbody:not([hidden]) > tr:first-child > th").all_text_contents()
    assert shown
    assert all("int8-1" in page.text_content(f".cases > tbody:has-text('{s}')") for s in shown)
    assert page.locator(".dot.off").count() == 100 - len(shown)
    assert page.text_content("#shown") == f"{len(shown)} of 100 cases"
    page.fill("#filter", "")
    page.check("#changed")
    fronts = build_fronts(synthetic_session(100).judgement)
    changed = [case for case in all_cases(fronts) if case.changed]
    assert page.locator(".cases > tbody:not([hidden])").count() == len(changed) < 100


def test_the_keyboard_reaches_everything(opened: "Opens") -> None:
    report = synthetic_session(12)
    image = Image(report.judgement.cases[0].case_id, "clip_score", "p1", "image/png", PNG)
    page = opened(render_page(report, [image])).page
    focusable = page.locator(
        "a[href]:not(.dot), button, input:not([disabled]), select, .wide"
    ).evaluate_all("all => all.filter(e => e.getClientRects().length).length")
    reached, dots = set(), 0
    for _ in range(focusable + 20):
        page.keyboard.press("Tab")
        where = page.evaluate(
            "(() => { const e = document.activeElement; if (e === document.body) return null;"
            "e.dataset.seen = ''; return [e.className.baseVal || e.className, e.tagName]; })()"
        )
        dots += where is not None and "dot" in where[0]
        reached.add(str(where))
    assert page.locator("[data-seen]").count() == focusable + 1  # all points are one tab stop
    assert dots >= 1


def test_arrows_go_from_point_to_point_and_enter_opens_the_case(opened: "Opens", text: str) -> None:
    page = opened(text).page
    page.locator(".dot[tabindex='0']").focus()
    names = []
    for key in ("End", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
        names.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert len(set(names)) == 3
    assert names[1] == names[3]  # around the end, one further, and back
    assert "latency" in names[0]
    assert page.locator(".dot[tabindex='0']").count() == 1
    target = page.evaluate("document.activeElement.getAttribute('href')")
    page.keyboard.press("Enter")
    assert page.locator(f"{target} .more").is_visible()
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"


def test_images_are_enlarged_and_escape_closes(opened: "Opens") -> None:
    report = synthetic_session(3)
    image = Image(report.judgement.cases[0].case_id, "clip_score", "p1", "image/png", PNG)
    found = opened(render_page(report, [image]))
    found.page.locator(".images button").press("Enter")
    assert found.page.locator("dialog img").is_visible()
    found.page.keyboard.press("Escape")
    found.page.locator("dialog").wait_for(state="detached")
    assert found.errors == []


@pytest.mark.parametrize("width", [320, 400, 768, 1280])
def test_nothing_is_wider_than_the_screen(opened: "Opens", width: int) -> None:
    report = synthetic_session(12)
    long = [
        replace(c, comparison=replace(c.comparison, case_id=f"{c.case_id}{'x' * 300}", front="f"))
        for c in report.judgement.cases
    ]
    judgement = replace(report.judgement, cases=tuple(long), failures=(Failure("y" * 300),))
    viewport = {"width": width, "height": 800}
    page = opened(render_page(replace(report, judgement=judgement)), viewport=viewport).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_the_plot_and_every_row_remain(opened: "Opens", text: str) -> None:
    page = opened(text, java_script_enabled=False).page
    assert page.locator(".dots > a").first.is_visible()
    assert page.locator(".more").count() == 100
    assert page.locator(".more").first.is_visible()
    assert not page.locator(".tools").is_visible()


def test_dark_scheme_is_dark(opened: "Opens", text: str) -> None:
    script = "getComputedStyle(document.body).backgroundColor"
    shades = [opened(text, color_scheme=s).page.evaluate(script) for s in ("light", "dark")]
    assert shades == ["rgb(255, 255, 255)", "rgb(15, 20, 25)"]


def without_a_metric(report: SessionReport, number: int, name: str) -> SessionReport:
    """Remove a metric from one case."""
    cases = list(report.judgement.cases)
    about = cases[number].comparison
    kept = tuple(result for result in about.metrics if result.metric.name != name)
    cases[number] = replace(cases[number], comparison=replace(about, metrics=kept))
    return replace(report, judgement=replace(report.judgement, cases=tuple(cases)))


def stop_of(page: Any) -> str | None:
    """Return the row whose point is the tab stop, None where there is none."""
    stops = page.locator(".dot[tabindex='0']:not([visibility=hidden]):not(.off)")
    assert stops.count() <= 1
    found: str | None = stops.get_attribute("href") if stops.count() else None
    return found


def test_the_tab_key_reaches_a_point_whatever_the_axes_and_the_filter_leave(
    opened: "Opens",
) -> None:
    report = synthetic_session(12)
    page = opened(render_page(report)).page
    first = stop_of(page)
    assert first is not None
    name = page.text_content(f"{first} .fold")
    number = [c.case_id.endswith(name) for c in report.judgement.cases].index(True)
    page = opened(render_page(without_a_metric(report, number, "energy"))).page
    held = page.locator(".dot[tabindex='0']")
    assert page.locator(f"{stop_of(page)} .fold").text_content() == name
    page.select_option("[data-side=x]", label="energy")
    assert page.locator(".dot[visibility=hidden]").count() == 1
    assert held.count() == 1
    second = stop_of(page)
    assert second is not None
    page.fill("#filter", "no case is called this")
    assert stop_of(page) is None
    page.fill("#filter", "fp16-4-")
    assert page.locator(".dot:not(.off)").count() == 1
    assert stop_of(page) == page.locator(".dot:not(.off)").get_attribute("href")


def test_a_case_that_is_pointed_at_is_named_where_its_name_had_no_room(
    opened: "Opens",
) -> None:
    page = opened(render_page(synthetic_session(300))).page
    labels = page.locator(".labels text").all_text_contents()
    news = page.locator(".cases > tbody.changed").count()
    assert 0 < len(labels) < news
    for dot in page.locator(".dot").all():
        dot.dispatch_event("pointerenter")
        name = dot.get_attribute("aria-label").partition(",")[0]
        assert page.text_content(".near") == ("" if name in labels else name)
    page.select_option("[data-side=x]", "2")
    assert page.text_content(".near") or name in page.locator(".labels text").all_text_contents()


def test_print_states_the_filter(opened: "Opens") -> None:
    page = opened(render_page(synthetic_session(20))).page
    line = page.locator("#filtered")
    page.emulate_media(media="print")
    assert line.inner_text() == ""
    page.emulate_media(media="screen")
    page.fill("#filter", "int8")
    page.check("#changed")
    assert not line.is_visible()
    page.emulate_media(media="print")
    shown = page.locator(".cases > tbody:not([hidden])").count()
    assert line.is_visible()
    assert line.inner_text() == f"filtered: “int8”, changed only: {shown} of 20 cases"


def test_the_legend_follows_the_axes(opened: "Opens") -> None:
    report = synthetic_session(12)
    exact = ("peak_memory", "flops")
    page = opened(render_page(report)).page
    bars = page.locator("[data-legend=bars]")
    assert bars.is_visible()
    for side, name in zip(("x", "y"), exact, strict=True):
        index = page.locator(f"[data-side={side}] option").all_text_contents()
        chosen = next(n for n, text in enumerate(index) if text.startswith(name))
        page.select_option(f"[data-side={side}]", str(chosen))
    assert not bars.is_visible()
    assert page.locator("[data-legend=new]").is_visible()


def test_cases_in_brief_are_filtered_with_their_front(
    opened: "Opens", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_rows, "MAX_CASES", 20)
    report = synthetic_session(60)
    cases = tuple(
        replace(c, comparison=replace(c.comparison, front=f"test_{number // 10}.py::test_it"))
        for number, c in enumerate(report.judgement.cases)
    )
    found = opened(render_page(replace(report, judgement=replace(report.judgement, cases=cases))))
    page = found.page
    assert found.errors == []
    assert page.locator(".rest details").count() == 4
    assert page.locator(".rest li").first.is_hidden()
    title = page.locator(".rest summary b").last.text_content()
    page.fill("#filter", title)
    assert page.evaluate("document.getElementById('shown').value") == "10 of 60 cases"
    assert page.locator(".rest li").last.is_visible()
    assert page.locator(".rest details:visible").count() == 1
    page.fill("#filter", "")
    assert page.locator(".rest details:visible").count() == 4
    assert page.locator(".rest li").last.is_hidden()


@pytest.fixture(scope="module", params=[100, 1_000])
def many(request: pytest.FixtureRequest) -> tuple[int, str]:
    """The number of cases of a large session, and its page."""
    return request.param, render_page(synthetic_session(request.param))


def test_what_failed_is_drawn_with_and_without_scripts(
    opened: "Opens", many: tuple[int, str]
) -> None:
    for scripts in (True, False):
        found = opened(many[1], java_script_enabled=scripts)
        assert found.errors == []
        assert found.makes_no_request()
        strips = found.page.locator(".findings .strip")
        failing = found.page.locator(".findings.red > li").count()
        assert strips.count() == failing + 1
        for strip in strips.all():
            assert strip.locator("svg").first.is_visible()
            text = strip.locator("p").first.inner_text()
            assert re.search(r"before .* in 15 runs of 3 sessions; .* now .* limit ", text)
        drawn = strips.first.locator(".now").first.get_attribute("d")
        assert 1 <= drawn.count("h0") <= 5
        conditions = found.page.locator("header").inner_text()
        assert "torch 2.12.0 → 2.13.0" in conditions
        assert "9ab81c2, 17 commits later" in conditions


def test_the_levels_of_what_failed_are_drawn_over_commits(
    opened: "Opens", many: tuple[int, str]
) -> None:
    for scripts in (True, False):
        page = opened(many[1], java_script_enabled=scripts).page
        accepted = page.locator(".strip use")
        assert accepted.count() == 3  # of the three most severe cases
        assert accepted.first.is_visible()
        reason = "the new sampler needs one more step"
        assert reason in accepted.first.locator("title").text_content()
        assert reason in page.locator(".strip p").nth(1).inner_text()


def test_the_map_leads_to_a_case(opened: "Opens", many: tuple[int, str]) -> None:
    cases, text = many
    found = opened(text)
    page = found.page
    assert page.evaluate("performance.now()") < GENEROUS_MS
    news = page.locator(".cases > tbody.changed")
    links = page.locator(".map a")
    assert links.count() == news.count()
    link = links.nth(2)
    target = link.get_attribute("href")
    link.focus()
    name = page.locator(f"{target} .fold").inner_text()
    assert page.evaluate("document.getElementById('column').value").startswith(f"{name}: ")
    page.keyboard.press("Enter")
    assert page.locator(f"{target} .more").is_visible()
    assert page.evaluate("document.activeElement.textContent") == name
    assert found.errors == []
    assert page.locator(".map text").first.is_visible()
    assert cases // 100 * 5 <= page.locator(".map g.title > text").count()


def test_a_column_without_news_opens_its_row_too(opened: "Opens", many: tuple[int, str]) -> None:
    page = opened(many[1]).page
    columns = page.evaluate("JSON.parse(document.getElementById('data').textContent).map")
    quiet = next(
        place
        for place, number in enumerate(columns["columns"][0])
        if not page.locator(f"#f0c{number}.changed").count()
    )
    x = columns["left"] + columns["cell"] * (quiet % columns["across"]) + columns["cell"] / 2
    y = columns["band"] * (quiet // columns["across"]) + 20
    page.locator(".map").click(position={"x": x, "y": y})
    row = f"#f0c{columns['columns'][0][quiet]}"
    assert page.locator(f"{row} .more").is_visible()
    name = page.locator(f"{row} .fold").inner_text()
    assert page.evaluate("document.getElementById('column').value").startswith(f"{name}: ")


def test_the_map_links_without_scripts(opened: "Opens", many: tuple[int, str]) -> None:
    page = opened(many[1], java_script_enabled=False).page
    for link in page.locator(".map a").all()[:20]:
        row = page.locator(link.get_attribute("href"))
        name = row.locator("tr").first.locator("th").inner_text()
        assert link.locator("title").text_content() == name


@pytest.mark.parametrize("width", [400, 1280])
def test_many_cases_are_not_wider_than_the_screen(
    opened: "Opens", many: tuple[int, str], width: int
) -> None:
    page = opened(many[1], viewport={"width": width, "height": 800}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_print_has_the_runs_and_the_map(opened: "Opens", many: tuple[int, str]) -> None:
    page = opened(many[1]).page
    page.emulate_media(media="print")
    assert page.locator(".strip svg").first.is_visible()
    assert page.locator(".map").is_visible()
