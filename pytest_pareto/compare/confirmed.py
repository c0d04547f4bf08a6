"""Cases as the fresh runs have them that measured again what had looked worse."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from pytest_pareto.compare.matched import MatchedCase, match_cases
from pytest_pareto.compare.measured import runs_by_case
from pytest_pareto.compare.terms import Terms
from pytest_pareto.model.history import Baseline
from pytest_pareto.model.run import Run

T = TypeVar("T")


def confirmed_by(
    runs: Sequence[Run],
    first: tuple[MatchedCase, ...],
    flagged: frozenset[tuple[str, str]],
    past: Baseline,
    terms: Terms,
) -> tuple[MatchedCase, ...]:
    """Let fresh ``runs`` decide about what was ``flagged``; ``past`` is what they meet.

    Without runs all stays as it was ``first``.
    """
    if not runs:
        return first
    suspects = {case_id for case_id, _ in flagged}
    again = {k: found for k, found in runs_by_case(runs).items() if k in suspects}
    return confirm_cases(first, match_cases(past, again, runs[-1].environment, terms), flagged)


def confirm_cases(
    first: Iterable[MatchedCase],
    again: Iterable[MatchedCase],
    flagged: frozenset[tuple[str, str]],
) -> tuple[MatchedCase, ...]:
    """Let what was ``flagged``, by case id and metric name, be what the fresh runs say of it.

    Also where they say nothing: what looked worse and cannot be measured again is no less
    suspicious for that, and what looked better rescues nothing.
    """
    fresh = {case.case_id: case for case in again}
    return tuple(
        _confirmed(
            case,
            fresh[case.case_id],
            frozenset(name for case_id, name in flagged if case_id == case.case_id),
        )
        if case.case_id in fresh
        else case
        for case in first
    )


def _confirmed(first: MatchedCase, again: MatchedCase, names: frozenset[str]) -> MatchedCase:
    def chosen(before: Mapping[str, T], after: Mapping[str, T]) -> dict[str, T]:
        kept = {name: found for name, found in before.items() if name not in names}
        return kept | {name: found for name, found in after.items() if name in names}

    return replace(
        first,
        measured=chosen(first.measured, again.measured),
        matches=chosen(first.matches, again.matches),
        spreads=chosen(first.spreads, again.spreads),
        priors=chosen(first.priors, again.priors),
        confirmed=names,
        first=first,
    )
