"""Short names: what tells a case apart from the others of its front."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_pareto.report.text import clean


@dataclass(frozen=True, slots=True)
class Names:
    """How the cases of one front are called below its title.

    ``stem`` is what all their ids begin with, "" where they have nothing in common.
    """

    title: str = ""
    stem: str = ""
    short: Mapping[str, str] = field(default_factory=dict)

    def of(self, case_id: str) -> str:
        """The name of a case, be it one of this session or of the baseline alone."""
        return self.short.get(case_id) or self.within(case_id)

    def within(self, text: str) -> str:
        """Shorten the ids that a text spells out."""
        for opening in "[#":
            if self.stem:
                text = text.replace(self.stem + opening, opening)
        return clean(text)


def front_names(front: str, case_ids: Sequence[str]) -> Names:
    """Find the title of a front and the short names of its cases."""
    stems = {_stem(case_id) for case_id in case_ids}
    if len(stems) > 1:
        return Names(clean(front))
    stem = stems.pop()
    title = stem if stem == front else f"{front}: {stem}"
    short = {i: clean(i[len(stem) :]) or clean(i.rpartition("::")[2]) for i in case_ids}
    return Names(clean(title), stem, short)


def _stem(case_id: str) -> str:
    path, colons, rest = case_id.partition("::")
    ends = [at for at in (rest.find("["), rest.find("#")) if at > 0]
    return path + colons + rest[: min(ends, default=len(rest))]
