"""How Sphinx makes the site of these pages: `make docs`.

The pages are plain Markdown that a forge shows as it is, so nothing in them is Sphinx's. What a
site needs besides is made here while a page is read: the navigation, from the lists in `index.md`,
the tables of the reference, from the code (`fill_tables.py`), and links to files that are in the
repository and not on the site. Nothing is fetched, neither while the site is made nor by who reads
it; `check_site.py` holds that.
"""

import os
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the code is that of this checkout

import pytest_pareto
from docs import fill_tables

project = "pytest-pareto"
version = release = pytest_pareto.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = True
# What is not ours is not on this site, and an inventory of it would have to be fetched.
nitpick_ignore_regex = [(r"py:.*", r"(?!pytest_pareto\.).*")]
# In signatures of what is public, and not of use to who reads them.
nitpick_ignore = [
    ("py:class", "pytest_pareto.model.run.Looks"),
    ("py:class", "pytest_pareto.model.run.CaseRun"),
]

myst_heading_anchors = 3  # a heading is linked to by the anchor that a forge gives it
highlight_language = "text"

default_role = "literal"  # `name` in a docstring is code, as it is in Markdown
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 80

html_theme = "furo"
html_title = "pytest-pareto"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False

SOURCE_URL = os.environ.get("PARETO_DOCS_SOURCE_URL", "").rstrip("/")
"""Where a forge shows the repository's files, such as https://forge/project/blob/main."""

OUTWARD = re.compile(r"\[([^\]]*)\]\(\.\./([^)]*)\)")
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", flags=re.DOTALL | re.MULTILINE)
ENTRY = re.compile(r"^- \[([^\]]+)\]\((\w+)\.md\)", flags=re.MULTILINE)


def with_sources(text: str, source_url: str) -> str:
    """Let what is linked to outside of `docs/` lead to the forge, or else name its path."""

    def link(found: re.Match[str]) -> str:
        label, path = found[1], found[2]
        if source_url:
            return f"[{label}]({source_url}/{path})"
        told = path.partition("#")[0]
        return label if told.rstrip("/") in label else f"{label} (`{told}`)"

    return OUTWARD.sub(link, text)


def with_navigation(text: str) -> str:
    """Add what Sphinx makes the sidebar of: each section's list of pages, by the same words."""
    trees = []
    for title, body in SECTION.findall(text):
        pages = [f"{label} <{page}>" for label, page in ENTRY.findall(body)]
        if pages:
            lines = ["```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```"]
            trees.append("\n".join(lines))
    return "\n\n".join([text, *trees]) + "\n"


def plain_types(text: str) -> str:
    """Write annotations as the code has them, where a type of parameters confuses Sphinx."""
    text = re.sub(r"(\*args|\*\*kwargs): ~typing\.~P", r"\1", text)
    return re.sub(r"~(?:\w+\.)*(\w+)", r"\1", text.replace("[[~P],", "[P,"))


def _sign(*about: Any) -> tuple[str | None, str | None]:
    *_, signature, returned = about
    return signature and plain_types(signature), returned and plain_types(returned)


def _read(_app: object, page: str, source: list[str]) -> None:
    if page == "reference":
        source[0] = fill_tables.filled(source[0])
    source[0] = with_sources(source[0], SOURCE_URL)
    if page == "index":
        source[0] = with_navigation(source[0])


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx of what is done while a page is read."""
    app.connect("source-read", _read)
    app.connect("autodoc-process-signature", _sign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
