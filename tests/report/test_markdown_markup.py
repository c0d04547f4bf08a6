"""Tests of escaping in Markdown: a parser reads names and prose back as text."""

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pytest_pareto.report.markdown import code_span, escape_prose
from pytest_pareto.report.text import clean

MARKDOWN = MarkdownIt("commonmark", {"linkify": False}).enable(["table", "strikethrough"])
ZERO_WIDTH = "\u200b"

HOSTILE = [
    "<script>alert(1)</script>", "</td></table>", "a|b", "a\\|b", "\\", "\\\\|", "`", "``a`", " a ",
    "@everyone", "#123", "owner/repo#1", "GH-1", "!12", "$5", "~bug", "%2", "&1", ":smile:",
    "https://example.org", "www.example.org", "*a*", "_a_", "**", "[a](b)", "![a](b)", "<!-- x -->",
    "&lt;b&gt;", "a\nb", "a\r\n| x | y |", "\x1b[31m", "\u202eabc", "مرحبا", "模型", "x" * 300,
    "- a", "1. a", "> a", "# a", "    a", "---", "===", "| a | b |", "[a]: b", "~~a~~", "$`a`$",
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
]  # fmt: skip
odd = st.sampled_from("|`\\<>*_[]()@#!~$&:{}-+=.\n\r\t \u202e'\"é模")
names = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(odd, max_size=12),
    st.text(max_size=40),
    st.lists(st.sampled_from(HOSTILE), max_size=3).map(" ".join),
)


def inline(text: str) -> list[Token]:
    """Return the tokens of a text within a line of a document."""
    (found,) = [token for token in MARKDOWN.parse(f"x {text} x") if token.type == "inline"]
    return found.children or []


def shown(tokens: list[Token]) -> str:
    return "".join(t.content for t in tokens).replace(ZERO_WIDTH, "")


def row(*cells: str) -> list[list[Token]]:
    """Return the cells of the only row of a table."""
    head = "|".join("h" for _ in cells)
    rule = "|".join("--" for _ in cells)
    tokens = MARKDOWN.parse(f"| {head} |\n|{rule}|\n| {' | '.join(cells)} |\n")
    assert tokens[0].type == "table_open"
    assert tokens[-1].type == "table_close"
    body = tokens[[t.type for t in tokens].index("tbody_open") :]
    assert sum(t.type == "tr_open" for t in body) == 1
    return [t.children or [] for t in body if t.type == "inline"]


@given(names)
@example("a\\|b")
def test_a_name_is_a_code_span_and_nothing_else(name: str) -> None:
    tokens = inline(code_span(name))
    expected = ["text", "code_inline", "text"] if clean(name) else ["text"]
    assert [t.type for t in tokens] == expected
    if clean(name):
        assert tokens[1].content == clean(name)


@given(names, names)
@example("a\\|b", "|")
@example("\\|", "\\\\|")
def test_a_name_in_a_table_stays_in_its_cell(one: str, two: str) -> None:
    cells = row("first", code_span(one, cell=True), escape_prose(two, cell=True), "last")
    assert len(cells) == 4
    assert shown(cells[1]).strip() == clean(one).strip()
    assert shown(cells[3]) == "last"
    assert {t.type for t in cells[1]} <= {"code_inline", "text"}


@given(names)
def test_prose_is_text_and_code_and_shows_every_word(text: str) -> None:
    for tokens in (inline(escape_prose(text)), row(escape_prose(text, cell=True))[0]):
        assert {t.type for t in tokens} <= {"code_inline", "text", "text_special", "softbreak"}
        assert "".join(clean(text).split()) in "".join(shown(tokens).split())


@pytest.mark.parametrize("text", ["@everyone", "#123", "owner/repo#1", "GH-1", "see @a, #2.", "!1"])
def test_nothing_that_a_forge_makes_a_link_of_is_plain_text(text: str) -> None:
    plain = "".join(t.content for t in inline(escape_prose(text)) if t.type != "code_inline")
    assert not re.search(r"[@#!]\w|GH-\d", plain)


def test_plain_prose_stays_readable() -> None:
    text = "latency got worse beyond its limit (5 %): +6.3 % [+6.2, +6.4], 1 run · 2 cases"
    assert escape_prose(text) == text
    assert escape_prose("1. first") == "1\\. first"
    assert escape_prose("it lost to t.py::test_x[a]") == "it lost to `t.py::test_x[a]`"


def test_a_name_is_shortened_in_its_middle() -> None:
    assert len(code_span("x" * 300, width=80)) == 82
    assert code_span("begin" + "x" * 300 + "end", width=20).startswith("`begin")
    assert code_span("begin" + "x" * 300 + "end", width=20).endswith("end`")


def test_parser_detects_unescaped_text() -> None:
    """Unescaped text has other tokens: the checks above can fail."""
    assert len(row("a|b", "c")) == 2
    assert "html_inline" in {t.type for t in inline("<b>")}
    assert shown(row("`a|b`", "c")[1]) != "c"
    assert html.unescape("&#8203;") == ZERO_WIDTH
