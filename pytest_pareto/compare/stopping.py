"""Whether an evaluation may stop: nothing that the rest of the session finds can undo it."""

from pytest_pareto.model.change import Change, Outcome


def decided(change: Change, family: float = 1.0) -> Outcome | None:
    """Return the outcome that is settled for good, or None where more samples may settle it.

    ``family`` is how many metrics share alpha, divided by the share of it that they have. WORSE
    is settled by Bonferroni's correction, which is sufficient for Holm's whatever the others
    turn out to be. Not being worse needs no correction. What is WORSE alone and not corrected
    is suspected, and never settled.
    """
    if change.p_worse <= change.alpha / family:
        return Outcome.WORSE
    if change.p_worse <= change.alpha:
        return None
    outcome = change.outcome
    return None if outcome is Outcome.INCONCLUSIVE else outcome
