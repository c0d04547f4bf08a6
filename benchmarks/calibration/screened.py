"""How often one metric of unchanged code is called WORSE when it is screened and confirmed.

One metric is a family of one, so that Holm over what was flagged and Holm over everything are
the same, and the product's test over runs alone decides both times.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration.alone import ALPHA, OverRuns
from benchmarks.calibration.recordings import METRICS, Series, series
from benchmarks.calibration.rows import Effort, Row, Section, at_most, share_of_groups
from benchmarks.calibration.splits import Groups, Sides, random_groups
from pytest_pareto.model.policy import SCREEN_ALPHA

SEED = 3
HELD, SCREENED, AGAIN = 4, 2, 3
WITHOUT_TOLERANCE = OverRuns(tolerance=0.0)


@dataclass(frozen=True, slots=True)
class Design:
    """Which processes screen and which confirm: baseline and candidate of both."""

    series: Series
    groups: Groups

    @property
    def screen(self) -> Sides:
        """4 against 2."""
        return Sides(self.series, self.groups[0], self.groups[1])

    @property
    def confirmation(self) -> Sides:
        """3 against 3 of their own, or against the baseline of the screen."""
        fresh = self.groups[2:]
        held = fresh[0] if len(fresh) == 2 else self.groups[0]
        return Sides(self.series, held, fresh[-1])

    def convicts(self) -> bool:
        """Whether both say so."""
        flagged = WITHOUT_TOLERANCE.change(self.screen).p_worse <= SCREEN_ALPHA
        return flagged and WITHOUT_TOLERANCE.change(self.confirmation).p_worse <= ALPHA


def confirmed(effort: Effort) -> Iterator[Row]:
    """Yield the share of designs that end in WORSE, with fresh and with stored old processes."""
    rng = np.random.default_rng(SEED)
    for sizes, told, bound in (
        ((HELD, SCREENED, AGAIN, AGAIN), "then 3 fresh ones against 3", at_most(1.5)),
        ((HELD, SCREENED, AGAIN), "then 3 against the same 4", at_most(3.5)),
    ):
        long_enough = [s for m in METRICS for s in series(m) if len(s.levels) >= sum(sizes)]
        groups = [
            [Design(s, g) for g in random_groups(len(s.levels), sizes, effort.splits, rng)]
            for s in long_enough
        ]
        yield Row(
            f"4 against 2, {told}",
            draws=sum(map(len, groups)),
            share=share_of_groups(groups, Design.convicts),
            bound=bound,
        )


SECTIONS = (Section("Unchanged code, tolerance 0: screen at .2, then confirm at .05", confirmed),)
