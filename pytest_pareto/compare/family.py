"""Which tests share the session's alpha, and how many they are."""

from collections.abc import Iterable

from pytest_pareto.compare.matched import MatchedCase
from pytest_pareto.compare.terms import Terms
from pytest_pareto.model.policy import SCREEN_ALPHA


def family_size(cases: Iterable[MatchedCase]) -> int:
    """Count the tests that share the session's alpha: noisy, gated, and comparable."""
    return sum(1 for case in cases if case.run.gate for _ in case.tested())


def screened_family(size: float) -> float:
    """Return how many of ``size`` tests may be flagged by chance, where one of them is real."""
    return 1 + SCREEN_ALPHA * max(0.0, size - 1)


def anew_family(
    cases: Iterable[MatchedCase], flagged: frozenset[tuple[str, str]]
) -> frozenset[tuple[str, str]]:
    """Name what shares alpha where both sides of what was ``flagged`` were measured anew: that.

    Scores are never confirmed, so that each of them counts.
    """
    noisy = {
        (case.case_id, match.measured.metric.name): match.measured.metric.kind
        for case in cases
        for match in case.tested()
        if case.run.gate
    }
    scores = {name for name, kind in noisy.items() if kind.sampled}
    return (flagged & noisy.keys()) | scores


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
