"""Why a change of scores is what it is said to be, or why nothing is said: in words."""

import math

from pytest_pareto.model.formatting import percent
from pytest_pareto.model.metric import Better, Kind
from pytest_pareto.stats.paired_change import Collapse, Shift


def say_collapse(guard: Collapse, better: Better) -> str:
    """Say how many samples collapsed."""
    verb = "rose" if better is Better.LOWER else "fell"
    return f"{guard.fell} of {guard.n} samples {verb} by more than {guard.drop:.3g}"


def say_identical(shift: Shift, kind: Kind, alpha: float, pairs: int, *, early: bool) -> str:
    """Say that nothing changed, and what could be otherwise in samples that were not seen."""
    if kind is Kind.SET:
        return "every block of samples gives the same as before"
    reason = "every score is the same as before"
    if early:
        unseen = percent(1 - alpha ** (1 / pairs), 1)
        return f"{reason}; up to {unseen} of the samples to come could differ"
    _, high = shift.limits(alpha)
    if high > 0:
        reason += f"; among other samples up to {percent(high, 2)} more could be worse"
    return reason


def say_undecided(shift: Shift, tolerance: float, alpha: float, pairs: int) -> str | None:
    """Say what would settle an undecided change, where more samples would."""
    if tolerance == 0:
        return "scores that differ cannot be shown to be unchanged with a tolerance of 0"
    needed = shift.pairs_needed(tolerance, alpha)
    if needed <= pairs:
        return None
    return (
        f"about {math.ceil(needed)} samples with this spread would bound an unchanged score "
        f"within the tolerance; there are {pairs}"
    )
