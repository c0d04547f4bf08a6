"""Rendering of the HTML page with Jinja2, which escapes all values.

`render_page` is the entry point. Jinja2 is imported with this module, and not before.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.report.html.axis import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from pytest_pareto.report.html.case_rows import MARK_WORDS
from pytest_pareto.report.html.content import BAR_WIDTH, anchor, build_page, why_tables
from pytest_pareto.report.html.data import data_json
from pytest_pareto.report.html.picture import draw
from pytest_pareto.report.text import clean

_EARLY_SCRIPT = 'document.documentElement.className="js"'
"""Runs in the head, so that details are hidden before the page is first painted."""
_SCRIPTS = ("page.js", "page_tables.js", "page_labels.js", "page_pictures.js")
"""Joined in this order within one function: each uses definitions of those before it."""

_SPACED = re.compile(
    r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`)| *([=(){}\[\],;:?<>*&|]+) *"""
)
"""A string of a script, or punctuation with the spaces around it, which mean nothing there."""


@dataclass(frozen=True, slots=True)
class Image:
    """One of the worst samples, baseline and candidate side by side; ``data`` is the image file."""

    case_id: str
    metric: str
    sample: str
    media_type: str
    data: bytes

    @property
    def uri(self) -> str:
        """The image as a data URI, which needs no request."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"


def render_page(report: SessionReport, images: Sequence[Image] = (), left_out: str = "") -> str:
    """Render a session as one HTML document in UTF-8 that makes no request.

    ``left_out`` is which images are not in it, and why.
    """
    environment = Environment(
        loader=PackageLoader("pytest_pareto.report", "html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clean"] = clean
    environment.filters["why_tables"] = why_tables
    page = build_page(report)
    style = _read_source(environment, "page.css")
    parts = Markup("\n").join(_read_source(environment, name) for name in _SCRIPTS)
    script = Markup('"use strict";\n(() => {\n') + parts + Markup("\n})();")
    drawings = {section.number: draw(section) for section in page.sections if section.axes}
    return environment.get_template("page.html").render(
        page=page,
        drawings=drawings,
        images=_group_by_case(images),
        left_out=left_out,
        data_json=Markup(data_json(page.sections)),  # noqa: S704 - JSON escaped for a script element
        style=style,
        early_script=Markup(_EARLY_SCRIPT),  # noqa: S704 - our own
        script=script,
        policy=_policy(style, _EARLY_SCRIPT, script),
        anchor=anchor,
        marks=MARK_WORDS,
        bar_width=BAR_WIDTH,
        size={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT,
              "top": TOP, "bottom": HEIGHT - BOTTOM},
    )  # fmt: skip


def _read_source(environment: Environment, name: str) -> Markup:
    """Return a file of this package without indentation, comments and the spaces of its script.

    It holds nothing of a session, so it is safe to insert unescaped.
    """
    assert environment.loader is not None
    lines = environment.loader.get_source(environment, name)[0].splitlines()
    kept = (line.strip() for line in lines)
    packed = "\n".join(line for line in kept if line and not line.startswith("//"))
    if name.endswith(".js"):
        packed = _SPACED.sub(lambda found: found[1] or found[2], packed)
    return Markup(packed)  # noqa: S704 - ours


def _policy(style: str, *scripts: str) -> str:
    """Return a Content-Security-Policy that allows this style, these scripts and data: images."""
    allowed = " ".join(map(_source_hash, scripts))
    return (
        f"default-src 'none'; style-src {_source_hash(style)}; script-src {allowed}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _source_hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _group_by_case(images: Sequence[Image]) -> dict[tuple[str, str], list[Image]]:
    found: dict[tuple[str, str], list[Image]] = {}
    for image in images:
        found.setdefault((image.case_id, image.metric), []).append(image)
    return found
