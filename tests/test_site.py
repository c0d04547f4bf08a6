"""The pieces of the documentation's site; the site itself is made by `make docs`."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from docs import check_site, conf, draw_front, fill_tables
from pytest_pareto.model.verdict import Position

DOCS = Path(__file__).parents[1] / "docs"
INDEX = (DOCS / "index.md").read_text(encoding="utf-8")

GOOD = """<html><head><link href="style.css"></head><body id="top">
<a href="other.html#part">x</a> <a href="#top">x</a> <a href="https://example.org/a">x</a>
<img src="data:image/png;base64,AAAA"></body></html>"""
OTHER = '<html><body><h1 id="part">x</h1><a href="index.html">x</a></body></html>'


def site(path: Path, page: str = GOOD, style: str = "p { color: red }") -> Path:
    (path / "index.html").write_text(page)
    (path / "other.html").write_text(OTHER)
    (path / "style.css").write_text(style)
    return path


def test_a_good_site_has_no_problems(tmp_path: Path) -> None:
    assert list(check_site.problems(site(tmp_path))) == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ('<a href="gone.html">x</a>', "index.html: gone.html: no such file"),
        ('<a href="other.html#gone">x</a>', "index.html: other.html#gone: no such anchor"),
        ('<a href="#gone">x</a>', "index.html: #gone: no such anchor"),
        ('<img src="gone.png">', "index.html: gone.png: no such file"),
        ('<script src="https://cdn.example/a.js"></script>', "loads https://cdn.example/a.js"),
        ('<link href="//fonts.example/a.css">', "loads //fonts.example/a.css"),
        ("<style>@import 'https://a.example/b';</style>", "loads https://a.example/b"),
        ('<p style="background: url(//a.example/b)">', "loads //a.example/b"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, page: str, said: str) -> None:
    (problem,) = check_site.problems(site(tmp_path, page))
    assert said in problem


def test_a_style_that_fetches_is_told(tmp_path: Path) -> None:
    style = "@font-face { src: url('https://fonts.example/a.woff2') }"
    (problem,) = check_site.problems(site(tmp_path, style=style))
    assert problem == "style.css: loads https://fonts.example/a.woff2"


def test_an_empty_folder_is_no_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["check_site.py", str(tmp_path)])
    assert check_site.main() == 1
    site(tmp_path)
    assert check_site.main() == 0


def test_every_page_is_in_the_navigation_once() -> None:
    entries = [
        page for _, body in conf.SECTION.findall(INDEX) for _, page in conf.ENTRY.findall(body)
    ]
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    assert sorted(entries) == sorted(pages)
    made = conf.with_navigation(INDEX)
    assert made.startswith(INDEX)
    assert all(made.count(f"<{page}>") == 1 for page in pages)


def test_links_out_of_the_docs_lead_to_the_forge_or_name_their_path() -> None:
    text = "see [the example](../example_project/), [a](b.md) and [README.md](../README.md#x)"
    assert conf.with_sources(text, "") == (
        "see the example (`example_project/`), [a](b.md) and README.md"
    )
    assert conf.with_sources(text, "https://forge/main") == (
        "see [the example](https://forge/main/example_project/), [a](b.md) and "
        "[README.md](https://forge/main/README.md#x)"
    )


def test_the_site_fills_the_tables_of_the_reference_from_the_code() -> None:
    hooks: dict[str, Callable[..., None]] = {}
    conf.setup(SimpleNamespace(connect=hooks.__setitem__))

    def read(page: str, text: str) -> str:
        source = [text]
        hooks["source-read"](None, page, source)
        return source[0]

    current = fill_tables.filled((DOCS / "reference.md").read_text(encoding="utf-8"))
    row, help_text = "| `kernels` | count |", "draw the fronts in the terminal |"
    stale = re.sub(r"^\| `kernels` .*\n", "", current, flags=re.MULTILINE)
    stale = stale.replace(help_text, "draw |")
    for text in (row, help_text):
        assert text not in stale
        assert text not in read("scores", stale)  # another page stays as it is
        assert text in read("reference", stale)
    assert read("reference", stale) == read("reference", current)


def test_types_are_written_as_in_the_code() -> None:
    signature = "(fn: ~collections.abc.Callable[[~P], ~pytest_pareto.x.T], /, *args: ~typing.~P)"
    assert conf.plain_types(signature) == "(fn: Callable[P, T], /, *args)"


def test_the_picture_is_what_the_gate_says() -> None:
    """By `python docs/draw_front.py`."""
    assert draw_front.PICTURE.read_text(encoding="utf-8") == draw_front.picture()
    positions = {name: case.place.position for name, case in draw_front.judged().items()}
    page = (DOCS / "reading_a_front.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| ([A-Z]+) \| .*?\(`(\w+)`", page, flags=re.MULTILINE))
    assert {Position(word): name for word, name in told.items()} == {
        Position.GAINED: "turbo",
        Position.LOST: "small",
        Position.OVERTAKEN: "large",
        Position.OFF: "heavy",
    }
    assert all(positions[name] is Position(word) for word, name in told.items())
    assert all(f"| {position} |" in page for position in Position)
