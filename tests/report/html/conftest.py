"""Pages and what a parser sees of them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from pytest_pareto.model.facts import SessionFacts
from pytest_pareto.model.session_report import SessionReport
from pytest_pareto.model.verdict import Judgement

_WITHOUT_END = {"meta", "link", "br", "input", "img", "path", "circle", "line", "rect", "use"}


@dataclass
class Parsed(HTMLParser):
    """Elements, attributes and texts of a document, as a browser's parser would find them."""

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
    """A session of each kind that the other reports are tested with."""
    return SessionReport(*any_run)
