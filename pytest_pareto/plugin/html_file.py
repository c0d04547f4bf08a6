"""``--pareto-html``: the page of a session, with the pictures of its worst samples in it."""

from collections.abc import Sequence

from pytest_pareto.model.formatting import plural
from pytest_pareto.model.session_record import Picture, SessionReport
from pytest_pareto.outputs.images import BUDGET_B, make_thumbnails
from pytest_pareto.report.html.page import Image, render_page


def html_file(report: SessionReport) -> str:
    """Write a session as one HTML document that needs no other file."""
    images, left_out = _images(report.pictures)
    return render_page(report, images, left_out)


def _images(pictures: Sequence[Picture]) -> tuple[list[Image], str]:
    """Return the pictures that can be shown, and what is to be said of the others."""
    if not pictures:
        return [], ""
    found = make_thumbnails([picture.file for picture in pictures])
    images = [
        Image(picture.case_id, picture.metric, picture.sample, made.media_type, made.data)
        for picture, made in zip(pictures, found.made, strict=True)
        if made is not None
    ]
    said = []
    if found.too_many:
        said.append(
            f"{plural(found.too_many, 'picture')} not shown here, where pictures may take "
            f"{BUDGET_B / 1e6:g} MB: the folder that the case names has all of them"
        )
    if found.unreadable:
        said.append(f"{plural(found.unreadable, 'picture')} could not be read")
    return images, "; ".join(said)
