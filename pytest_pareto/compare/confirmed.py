"""Cases as the fresh runs have them that measured again what had looked worse."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from pytest_pareto.compare.matched import MatchedCase, match_cases
from pytest_pareto.compare.measured import runs_by_case
from pytest_pareto.compare.recalled import baseline_of
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.policy import Terms
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import Confirmation

T = TypeVar("T")


def match_confirmed(
    runs: Sequence[Run], past: Baseline, terms: Terms, confirmation: Confirmation | None
) -> tuple[MatchedCase, ...]:
    """Bring what was measured together with the past, by the confirming runs where there are."""
    first = match_cases(past, runs_by_case(runs), runs[-1].environment, terms)
    if confirmation is None or not confirmation.runs:
        return first
    again = _match_again(confirmation, past, terms)
    return tuple(
        _confirmed(case, again[case.case_id], confirmation.flagged_of(case.case_id))
        if case.case_id in again
        else case
        for case in first
    )


def _match_again(
    confirmation: Confirmation, past: Baseline, terms: Terms
) -> dict[str, MatchedCase]:
    """Match the suspects as the fresh runs have them with what these meet."""
    suspects = {case_id for case_id, _ in confirmation.flagged}
    again = {k: found for k, found in runs_by_case(confirmation.runs).items() if k in suspects}
    met = baseline_of(confirmation.old_runs) if confirmation.old_runs else past
    matched = match_cases(met, again, confirmation.runs[-1].environment, terms)
    return {case.case_id: case for case in matched}


def _confirmed(first: MatchedCase, again: MatchedCase, names: frozenset[str]) -> MatchedCase:
    """Let the metrics of these ``names`` be what the fresh runs say of them.

    Also where they say nothing: what looked worse and cannot be measured again is no less
    suspicious for that, and what looked better rescues nothing.
    """

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
