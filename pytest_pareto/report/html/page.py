"""The page as text. Jinja2 escapes all that it is given, and is imported with this module."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.report.html.axis import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from pytest_pareto.report.html.case_rows import MARK_WORDS
from pytest_pareto.report.html.content import anchor, build_page
from pytest_pareto.report.html.data import island_text
from pytest_pareto.report.html.picture import draw
from pytest_pareto.report.text import clean

_EARLY = 'document.documentElement.className="js"'
"""Run in the head, so that what a script will fold is not seen unfolded."""
_SCRIPTS = ("page.js", "page_tables.js", "page_labels.js", "page_pictures.js")
"""Joined in this order within one function, since each uses what those before it define."""


@dataclass(frozen=True, slots=True)
class Image:
    """One of the worst samples, before and now, to be put into the page; ``data`` is the file."""

    case_id: str
    metric: str
    sample: str
    media_type: str
    data: bytes

    @property
    def uri(self) -> str:
        """The image as an address that needs no request."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode('ascii')}"


def render_page(report: SessionReport, images: Sequence[Image] = (), left_out: str = "") -> str:
    """Write a session as one HTML document, UTF-8, that asks nobody for anything.

    ``left_out`` says which images are not in it, and why.
    """
    environment = Environment(
        loader=PackageLoader("pytest_pareto.report", "html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clean"] = clean
    page = build_page(report)
    style = _source(environment, "page.css")
    parts = Markup("\n").join(_source(environment, name) for name in _SCRIPTS)
    script = Markup('"use strict";\n(() => {\n') + parts + Markup("\n})();")
    drawings = {section.number: draw(section) for section in page.sections if section.axes}
    return environment.get_template("page.html").render(
        page=page,
        drawings=drawings,
        images=_by_case(images),
        left_out=left_out,
        island=Markup(island_text(page.sections)),  # noqa: S704 - escaped for where it stands
        style=style,
        early=Markup(_EARLY),  # noqa: S704 - ours
        script=script,
        policy=_policy(style, _EARLY, script),
        anchor=anchor,
        marks=MARK_WORDS,
        size={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT,
              "top": TOP, "bottom": HEIGHT - BOTTOM},
    )  # fmt: skip


def _source(environment: Environment, name: str) -> Markup:
    """Return a file of ours without indentation and comments: nothing in it is a session's."""
    assert environment.loader is not None
    lines = environment.loader.get_source(environment, name)[0].splitlines()
    kept = (line.strip() for line in lines)
    packed = "\n".join(line for line in kept if line and not line.startswith("//"))
    return Markup(packed)  # noqa: S704 - ours


def _policy(style: str, *scripts: str) -> str:
    """Allow this style and these scripts, images within the page, and nothing else."""
    allowed = " ".join(map(_hash, scripts))
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {allowed}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _by_case(images: Sequence[Image]) -> dict[tuple[str, str], list[Image]]:
    found: dict[tuple[str, str], list[Image]] = {}
    for image in images:
        found.setdefault((image.case_id, image.metric), []).append(image)
    return found
