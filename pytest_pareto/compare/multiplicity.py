"""Which tests share the session's alpha, in which shares, and how many they are."""

from collections.abc import Collection, Iterable

from pytest_pareto.compare.pairs import MatchedCase
from pytest_pareto.model.policy import SCREEN_ALPHA, AlphaShares, Terms
from pytest_pareto.model.run import CaseRun
from pytest_pareto.model.session_record import Confirmation


def alpha_shares(
    fronts: Collection[str], cases: Iterable[CaseRun], *, has_anchor: bool
) -> AlphaShares:
    """Split alpha among the claims that a session can make.

    ``fronts`` has the front of every case, measured or remembered: two that share one are rivals.
    ``cases`` are those measured, whose budgets are tested.
    """
    return AlphaShares.of(
        has_rivals=len(set(fronts)) < len(fronts),
        has_budgets=count_budgets(cases) > 0,
        has_anchor=has_anchor,
    )


def count_budgets(cases: Iterable[CaseRun]) -> int:
    """Count the budgets that gate."""
    return sum(len(case.budgets) for case in cases if case.gate)


def family_size(cases: Iterable[MatchedCase]) -> int:
    """Count the tests that share the session's alpha: noisy, gated, and comparable."""
    return sum(1 for case in cases if case.run.gate for _ in case.tested())


def screened_family(size: float) -> float:
    """Return how many of ``size`` tests may be flagged by chance, where one of them is real."""
    return 1 + SCREEN_ALPHA * max(0.0, size - 1)


def anew_family(
    cases: Iterable[MatchedCase], confirmation: Confirmation | None, terms: Terms
) -> frozenset[tuple[str, str]] | None:
    """Name what shares alpha where both sides of what was flagged were measured anew: that.

    None where all that gates shares it. Scores are never confirmed, so that each of them counts.
    """
    if confirmation is None or not terms.interleaved:
        return None
    noisy = {
        (case.case_id, match.measured.metric.name): match.measured.metric.kind
        for case in cases
        for match in case.tested()
        if case.run.gate
    }
    scores = {name for name, kind in noisy.items() if kind.sampled}
    return (confirmation.flagged & noisy.keys()) | scores


def expected_family(
    cases: Iterable[MatchedCase], tested: frozenset[tuple[str, str]] | None, terms: Terms
) -> float:
    """Return how many tests share alpha; before a confirmation, how many may be flagged.

    ``tested`` names them where not all that gates does.
    """
    if tested is not None:
        return len(tested)
    size = family_size(cases)
    return screened_family(size) if terms.interleaved and terms.confirming else size
