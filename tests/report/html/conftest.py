"""Fixtures: pages, a parser, and a browser."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pytest_pareto.model.session_record import SessionFacts, SessionReport
from pytest_pareto.model.verdict import Judgement

CHROMIUM = shutil.which("chromium")
_WITHOUT_END = {"meta", "link", "br", "input", "img", "path", "circle", "line", "rect", "use"}


@dataclass
class Parsed(HTMLParser):
    """Elements, attributes and texts of a document, as a browser parses them."""

    elements: Counter[str] = field(default_factory=Counter)
    attributes: Counter[str] = field(default_factory=Counter)
    values: list[tuple[str, str]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    policy: str = ""
    text: str = ""
    _within: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self._within = "" if tag in _WITHOUT_END else tag
        if tag in ("script", "style"):
            (self.scripts if tag == "script" else self.styles).append("")
        for name, value in attrs:
            self.attributes[f"{tag}.{name}"] += 1
            self.values.append((name, value or ""))
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts[-1] += data
        elif self._within == "style":
            self.styles[-1] += data
        else:
            self.text += data


@pytest.fixture
def parse() -> Callable[[str], Parsed]:
    def parsed(text: str) -> Parsed:
        document = Parsed()
        document.feed(text)
        document.close()
        return document

    return parsed


@pytest.fixture
def any_report(any_run: tuple[Judgement, SessionFacts]) -> SessionReport:
    """Each kind of session that the other reports are tested with."""
    return SessionReport(*any_run)


@dataclass
class Opened:
    """A page in a browser, with its requests and its errors."""

    page: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def makes_no_request(self) -> bool:
        outside = [url for url in self.requests if not url.startswith("data:")]
        return outside == self.requests[:1] and outside[0].startswith("file:")

    def pixels(self) -> list[tuple[str, str]]:
        """Return the positions of the points."""
        script = "all => all.map(u => [u.getAttribute('x'), u.getAttribute('y')])"
        found = self.page.eval_on_selector_all(".dot > use:last-child", script)
        return [tuple(spot) for spot in found]

    def first_column(self) -> list[str]:
        """Return the names of the cases, in the order of the table."""
        script = "all => all.map(cell => cell.textContent.trim())"
        rows = ".cases > tbody > tr:first-child > th"
        found: list[str] = self.page.eval_on_selector_all(rows, script)
        return found


Opens = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium, driven by playwright (the extra ``browser``).

    Not for longer than a module: as long as it is there, no other test can run an event loop.
    """
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install '.[browser]'"
    )
    if CHROMIUM is None:
        pytest.skip("there is no chromium: apt install chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Opens]:
    pages = []

    def open_page(text: str, **context: Any) -> Opened:
        file = tmp_path / "report.html"
        file.write_text(text, encoding="utf-8")
        found = Opened(browser.new_page(**context))
        pages.append(found.page)
        page = found.page
        page.on("request", lambda request: found.requests.append(request.url))
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.on("console", lambda message: found.errors.append(message.text))
        page.goto(file.as_uri())
        return found

    yield open_page
    for page in pages:
        page.close()
