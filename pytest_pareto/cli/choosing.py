"""Which cases of a candidate are accepted: all that changed, or those that were named."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_pareto.baseline.candidate import Candidate, Offer, OfferedChange

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.report.text import typed


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is accepted, by case id and metric, and what of it has to be left out, with why."""

    changes: Mapping[str, Mapping[str, "OfferedChange"]]
    left_out: tuple[str, ...]


def choose(candidate: "Candidate", wanted: Sequence[str], root: Path) -> Chosen:
    """Return what is accepted; raises ParetoError where a name is of nothing in the candidate."""
    # What needs msgspec is imported where it is used.
    from pytest_pareto.baseline.acceptance import chosen_changes  # noqa: PLC0415 - see above

    offers = candidate.offers
    named = {name: _cases(offers, name, root) for name in wanted}
    for name, cases in named.items():
        if not cases:
            raise ParetoError(_unknown(name, offers))
    exactly = {c for n, cases in named.items() for c in cases if _is_exact(offers[c], c, n, root)}
    cases = sorted({c for found in named.values() for c in found} if wanted else offers)
    changes, left_out = {}, []
    for case_id in cases:
        offer, by_name = offers[case_id], case_id in exactly
        accepted = chosen_changes(offer, named=by_name)
        if accepted:
            changes[case_id] = accepted
        left_out += _left_out(case_id, offer, accepted, by_name=by_name)
    return Chosen(changes, tuple(left_out))


def _left_out(
    case_id: str, offer: "Offer", accepted: Mapping[str, "OfferedChange"], *, by_name: bool
) -> list[str]:
    """Say what of a case is not accepted, where it fails, or was asked for by its name."""
    texts = [f"{case_id} {name}: {why}" for name, why in offer.left_out.items()]
    held = [name for name in offer.changes if name not in accepted]
    if held:
        texts.append(f"{case_id} {', '.join(held)}: {_BY_NAME}")
    if offer.lack and (offer.fails or by_name):
        texts.append(f"{case_id}: {offer.lack}")
    elif by_name and not (offer.changes or texts):
        texts.append(f"{case_id}: nothing of it changed")
    return texts


_BY_NAME = "contradicts the baseline or is gone; name the test to accept that"


def _spellings(name: str, root: Path) -> set[str]:
    """Return an id as it was given, and as it is below pytest's root."""
    module, separator, rest = name.partition("::")
    below = typed(Path.cwd() / module, root)
    return {name.rstrip("/"), f"{below}{separator}{rest}"}


def _cases(offers: Mapping[str, "Offer"], name: str, root: Path) -> list[str]:
    ways = _spellings(name, root)
    begins = tuple(way + mark for way in ways for mark in ("#", "[", "::", "/"))
    return [case_id for case_id in offers if case_id in ways or case_id.startswith(begins)]


def _is_exact(offer: "Offer", case_id: str, name: str, root: Path) -> bool:
    return bool(_spellings(name, root) & {case_id, offer.nodeid})


def _unknown(name: str, offers: Mapping[str, "Offer"]) -> str:
    close = difflib.get_close_matches(name, [*offers], n=3, cutoff=0.4)
    there = f"close to it: {', '.join(close)}" if close else f"it has {len(offers)} cases"
    return f"the candidate has no case {name!r}; {there}"
