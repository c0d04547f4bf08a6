"""Multiplicity: which tests share the session's alpha, in which shares, and their number."""

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_pareto.compare.pairs import Pairs
from pytest_pareto.model.policy import SCREEN_ALPHA, AlphaShares
from pytest_pareto.model.run import CaseRun


@dataclass(frozen=True, slots=True)
class AlphaSplit:
    """How a session divides its alpha.

    ``family`` is the number of tests that share the part for changes, ``budgets`` the number of
    budgets that share theirs. ``tested`` names the tests, by (case id, metric name), where not all
    that gate share alpha.
    """

    shares: AlphaShares
    family: float
    budgets: int
    tested: frozenset[tuple[str, str]] | None


def share_alpha(pairs: Pairs) -> AlphaSplit:
    """Divide the alpha of a session among the claims that it can make."""
    record = pairs.levels.record
    runs = [case.run for case in pairs.cases]
    has_anchor = pairs.anchored is not None or record.anchored
    shares = alpha_shares(runs, has_anchor=has_anchor)
    screens = record.interleaved and not pairs.pooled
    tested = _remeasured_family(pairs) if screens and record.confirmed else None
    family: float = pairs.family if tested is None else len(tested)
    if tested is None and screens and record.policy.confirming:
        family = screened_family(family)
    return AlphaSplit(shares, family, count_budgets(runs), tested)


def alpha_shares(cases: Iterable[CaseRun], *, has_anchor: bool) -> AlphaShares:
    """Return the shares of alpha for the kinds of claims that a session can make.

    ``cases`` are the measured ones, whose budgets are tested.
    """
    return AlphaShares.of(has_budgets=count_budgets(cases) > 0, has_anchor=has_anchor)


def count_budgets(cases: Iterable[CaseRun]) -> int:
    """Count the budgets that gate."""
    return sum(len(case.budgets) for case in cases if case.gate)


def screened_family(size: float) -> float:
    """Return the expected number of flagged tests among ``size``, where one is a real change."""
    return 1 + SCREEN_ALPHA * max(0.0, size - 1)


def _remeasured_family(pairs: Pairs) -> frozenset[tuple[str, str]]:
    """Return the tests of the flagged metrics, where both sides were measured again.

    Scores are never measured again, so all of them belong to the family too.
    """
    noisy = {
        (case.case_id, found.measured.metric.name): found.measured.metric.kind
        for case in pairs.cases
        for found in case.tested()
        if case.run.gate
    }
    scores = {name for name, kind in noisy.items() if kind.sampled}
    return (pairs.levels.record.flagged & noisy.keys()) | scores
