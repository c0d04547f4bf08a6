"""What the mean of scores may claim while only a part of the samples is known."""

import math
from dataclasses import dataclass, replace

from pytest_pareto.compare.collapse import Collapse
from pytest_pareto.model.change import Change
from pytest_pareto.model.run import Looks

ENOUGH = 59
"""So many samples, of which none collapsed, tell that fewer than 1 in 20 do: 0.95⁵⁹ < 0.05.

A mean knows nothing of what is rare and was not drawn. Where most scores hardly move, it would
be certain at the first look: of 40 samples a collapse of 5 % spares all with a chance of .13,
and as many rare successes would be missed by a claim of harm.
"""


@dataclass(frozen=True, slots=True)
class Barred:
    """That nothing got worse has to wait, claims of ``harm`` by the mean perhaps too; and why."""

    harm: bool
    reason: str

    def of(self, change: Change) -> Change:
        """Return the change without these claims, and with the reason where that leaves none."""
        low = -math.inf if self.harm else change.low
        return replace(change, low=low, high=math.inf, p_better=1.0)


def barred(guard: Collapse | None, pairs: int, looks: Looks | None) -> Barred | None:
    """Return what has to wait for more samples, or None.

    All claims wait for `ENOUGH` samples, the guard's alone do not. And while more samples
    collapsed than rose as far, that nothing got worse waits for the last look: a few of the
    part are too few to convict, and might be too many of the whole.
    """
    if looks is None or looks.complete:
        return None
    if pairs < ENOUGH:
        reason = f"a mean of {pairs} samples claims nothing before the last look, one of {ENOUGH}"
        return Barred(harm=True, reason=f"{reason} does")
    if guard is not None and guard.fell > guard.rose:
        reason = f"{guard.fell} of {pairs} samples collapsed, which the rest has to acquit"
        return Barred(harm=False, reason=reason)
    return None
