"""Check the pages that Sphinx made: every link within the site, and that nothing is fetched.

    python docs/check_site.py docs/_build/html

Prints what was checked. What is wrong is listed, and makes the exit code 1.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {
    ("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src"), ("source", "srcset"),
    ("img", "srcset"), ("link", "href"), ("video", "src"), ("audio", "src"), ("embed", "src"),
    ("object", "data"), ("form", "action"), ("use", "href"), ("image", "href"),
}  # fmt: skip
"""What a browser fetches without being asked, by element and attribute."""
FETCHED_BY_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?\s*((?:https?:)?//[^"')\s;]+)""")


@dataclass
class Page:
    """What one page links to, loads, and can be linked to."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    styles: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.page.anchors.add(value)
            if (tag, name) == ("a", "href"):
                self.page.links.append(value)
            if (tag, name) in LOADED:
                self.page.loads.append(value.split()[0] if value.split() else "")
            if name == "style":
                self.page.styles += value

    def handle_endtag(self, tag: str) -> None:
        self._in_style = self._in_style and tag != "style"

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.page.styles += data


def read_page(path: Path) -> Page:
    """Read one HTML file."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def problems(site: Path) -> Iterator[str]:
    """Yield what is wrong with the site: links that lead nowhere, and what would be fetched."""
    pages = {path: read_page(path) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site)
        for target in (*page.links, *page.loads):
            wrong = _nowhere(path, target, pages)
            if wrong:
                yield f"{name}: {target}: {wrong}"
        for target in page.loads:
            if _elsewhere(target):
                yield f"{name}: loads {target}"
        yield from (f"{name}: loads {url}" for url in FETCHED_BY_STYLE.findall(page.styles))
    for path in sorted(site.rglob("*.css")):
        found = FETCHED_BY_STYLE.findall(path.read_text(encoding="utf-8"))
        yield from (f"{path.relative_to(site)}: loads {url}" for url in found)


def _elsewhere(target: str) -> bool:
    parts = urlsplit(target)
    return bool(parts.netloc) or parts.scheme in ("http", "https")


def _nowhere(page: Path, target: str, pages: dict[Path, Page]) -> str | None:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return None
    file = (page.parent / unquote(parts.path)).resolve() if parts.path else page.resolve()
    if not file.is_file():
        return "no such file"
    known = {path.resolve(): found for path, found in pages.items()}
    if parts.fragment and file in known and unquote(parts.fragment) not in known[file].anchors:
        return "no such anchor"
    return None


def main() -> int:
    """Check the folder that is named."""
    site = Path(sys.argv[1])
    pages = [read_page(path) for path in site.rglob("*.html")]
    inner = sum(not urlsplit(link).scheme for page in pages for link in page.links)
    outer = sum(len(page.links) for page in pages) - inner
    loads = sum(len(page.loads) for page in pages)
    found = list(problems(site))
    print("\n".join(found))
    print(
        f"{len(pages)} pages: {inner} links within the site, {outer} to others (not followed), "
        f"{loads} files loaded; {len(found)} wrong"
    )
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main())
