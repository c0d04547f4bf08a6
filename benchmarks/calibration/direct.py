"""Whether a simulated build fails, without building its session: for rows that need many draws.

Where nothing is better and no place can be lost without a metric that is WORSE, the gate fails
when Holm over all gated metrics convicts one of them. The tests are the product's own, and the
suite holds this shortcut against the product's judgement of whole sessions.
"""

from collections.abc import Iterator

from benchmarks.calibration.alone import ALPHA, change_of
from benchmarks.calibration.nouns import IDS, levels_of
from benchmarks.calibration.world import CASES, QUALITY, Stored
from pytest_pareto.compare.paired import compare_scores
from pytest_pareto.compare.terms import SessionSpreads
from pytest_pareto.judge.holm import holm
from pytest_pareto.model.digits import round_samples
from pytest_pareto.model.policy import AlphaShares


def fails(session: Stored, spreads: SessionSpreads) -> bool:
    """Whether the build fails by the session's own runs."""
    share = AlphaShares.of(has_rivals=True, has_budgets=False).changes
    return min(holm(list(p_values(session, spreads)))) <= ALPHA * share


def p_values(session: Stored, spreads: SessionSpreads) -> Iterator[float]:
    """Yield how compatible each metric of each case is with being within its tolerance."""
    for metric, then, now in zip(
        session.world.metrics, levels_of(session.old), levels_of(session.new), strict=True
    ):
        spread = spreads.on_one_board(metric.scope)
        for base, candidate in zip(then, now, strict=True):
            yield change_of(base, candidate, metric.tolerance, spread).p_worse
    for case in range(CASES):
        before, after = (
            round_samples(side[case].tolist()) for side in (session.before, session.after)
        )
        yield compare_scores(
            IDS, before, after, better=QUALITY.better, tolerance=QUALITY.tolerance, alpha=ALPHA
        ).p_worse
