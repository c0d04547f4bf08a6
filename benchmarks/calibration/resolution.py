"""How often the stated resolution is caught: four times in five, it says."""

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.calibration import gate
from benchmarks.calibration.alone import PRIORS, change_of
from benchmarks.calibration.rows import Bound, Effort, Row, Section, row_or_lack, share_of
from pytest_pareto.model.change import Change, Outcome

SEED = 5
TOLERANCE, RUN_SD = 0.05, 0.02
CAUGHT = Bound(0.75, 0.85)
EACH_SIDE = {2: 2, 4: 3, 8: 5}
"""Degrees of freedom, and the runs on each side that have them."""


def is_caught(rng: np.random.Generator, runs: int, session_spread: float) -> bool:
    """Whether a candidate that is slower by the stated resolution is called WORSE."""
    sessions = math.log1p(session_spread) * rng.normal(size=(2, 1))
    then, now = np.exp(sessions + RUN_SD * rng.normal(size=(2, runs)))
    stated = change_of(then, now, TOLERANCE, session_spread).resolution
    change = change_of(then, now * (1 + stated), TOLERANCE, session_spread)
    return change.outcome is Outcome.WORSE


def unconfirmed(effort: Effort) -> Iterator[Row]:
    """Yield a row for each number of degrees of freedom, then one where sessions differ."""
    rng = np.random.default_rng(SEED)
    for df, runs in EACH_SIDE.items():
        share = share_of(is_caught(rng, runs, 0.0) for _ in range(effort.comparisons))
        what = f"{df} degrees of freedom"
        yield Row(what, effort.comparisons, share, CAUGHT, simulated=True)
    share = share_of(is_caught(rng, 5, PRIORS.host) for _ in range(effort.comparisons))
    what = "5 against 5, sessions differ by 4 %"
    yield Row(what, effort.comparisons, share, CAUGHT, simulated=True)


def is_caught_confirmed(rng: np.random.Generator, runs: int) -> bool:
    """Whether a candidate slower by the stated resolution is called WORSE after confirmation."""
    then, now, again = np.exp(RUN_SD * rng.normal(size=(3, runs)))

    def judged(factor: float) -> Change:
        return gate.confirmed_alone(
            then, now * factor, again * factor, tolerance=TOLERANCE, session_spread=0.0
        )

    return judged(1 + judged(1.0).resolution).outcome is Outcome.WORSE


def confirmed(effort: Effort) -> Iterator[Row]:
    """Yield the same of screen and confirmation together, the runs of each side as before."""
    for df, runs in EACH_SIDE.items():
        what = f"{df} degrees of freedom"
        yield row_or_lack(what, CAUGHT, partial(_confirmed, what, runs, effort))


def _confirmed(what: str, runs: int, effort: Effort) -> Row:
    rng = np.random.default_rng(SEED)
    share = share_of(is_caught_confirmed(rng, runs) for _ in range(effort.comparisons))
    return Row(what, effort.comparisons, share, CAUGHT, simulated=True)


SECTIONS = (
    Section("Slower by exactly the stated resolution, tolerance 5 %", unconfirmed),
    Section("The same with confirmation", confirmed),
)
