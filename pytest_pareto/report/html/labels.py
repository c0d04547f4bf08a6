"""Names beside points: as many as there is room for, and none above another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.report.html.case import Case
from pytest_pareto.report.html.paper import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, Spot
from pytest_pareto.report.html.section import Section
from pytest_pareto.report.text import display_width, shorten

NAMES_FOR = 12
"""With more cases than this, only those with news have their name beside them."""
LETTER = 6.3
LINE = 13
LONGEST = 26
POINT = 7
TRIES = ((12, -11), (-12, -11), (12, 20), (-12, 20), (17, 4), (-17, 4))
"""Where a name may begin, or end where it is to the left, from its point.

Right beside it comes last: there the front's line and the interval begin, which a name hides.
"""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""


@dataclass(frozen=True, slots=True)
class Label:
    """A name beside a point, which ends there where ``ends``."""

    case: int
    x: float
    y: float
    text: str
    ends: bool


def is_named(section: Section, case: Case) -> bool:
    """Whether a case has its name beside it, room allowing."""
    return case.block.changed or len(section.cases) <= NAMES_FOR


def label_text(case: Case) -> str:
    """Name a case beside its point."""
    return shorten(case.block.name, LONGEST)


def place_labels(section: Section, at: Sequence[Spot | None]) -> Iterator[Label]:
    """Name cases, the gravest first, as long as no name covers another or a point with news."""
    spots = [spot for spot in at if spot is not None]
    taken = [(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in spots]
    for number, case in enumerate(section.cases):
        spot = at[number]
        if spot is None or not is_named(section, case):
            continue
        text = label_text(case)
        for label, box in _places(number, spot, text):
            if not any(_overlap(box, other) for other in taken):
                taken.append(box)
                yield label
                break


def _places(number: int, spot: Spot, text: str) -> Iterator[tuple[Label, Box]]:
    """Try above, below and beside, within the picture."""
    width = LETTER * display_width(text)
    for dx, dy in TRIES:
        x, y, ends = round(spot[0] + dx, 1), round(spot[1] + dy, 1), dx < 0
        box = (x - width * ends, y - LINE + 3, x + width * (not ends), y + 3)
        inside = min(box[0] - LEFT, WIDTH - box[2], box[1] - TOP, HEIGHT - BOTTOM - box[3])
        if inside > 0:
            yield Label(number, x, y, text, ends), box


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
