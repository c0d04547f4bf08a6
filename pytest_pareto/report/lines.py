"""One line of a report and how it should stand out."""

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """What a line is, as a terminal can show it."""

    PLAIN = "plain"
    RED = "red"
    GREEN = "green"
    YELLOW = "yellow"
    BOLD = "bold"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text without its line break, and its tone."""

    text: str
    tone: Tone = Tone.PLAIN

    @property
    def markup(self) -> dict[str, bool]:
        """The tone as keyword arguments of pytest's terminal writer."""
        return {} if self.tone is Tone.PLAIN else {self.tone.value: True}
