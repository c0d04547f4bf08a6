"""How often the stated resolution is caught: four times in five, it says."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration.alone import PRIORS, change_of
from benchmarks.calibration.gate import BLOCKS, CONFIRMING
from benchmarks.calibration.rows import Bound, Effort, Row, Section, at_least, share_of
from benchmarks.calibration.twice import confirmed_alone, in_turn_alone
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.policy import RUNS_PER_BLOCK

SEED = 5
TOLERANCE, RUN_SD = 0.05, 0.02
CAUGHT = Bound(0.75, 0.85)
EACH_SIDE = {2: 2, 4: 3, 8: 5}
"""Degrees of freedom, and the runs on each side that have them."""


def is_caught(
    rng: np.random.Generator, runs: int, session_spread: float, times: float = 1.0
) -> bool:
    """Whether a candidate that is slower by the stated resolution is called WORSE.

    Sessions differ by so many ``times`` the assumed spread.
    """
    sessions = times * math.log1p(session_spread) * rng.normal(size=(2, 1))
    then, now = np.exp(sessions + RUN_SD * rng.normal(size=(2, runs)))
    stated = change_of(then, now, TOLERANCE, session_spread).resolution
    change = change_of(then, now * (1 + stated), TOLERANCE, session_spread)
    return change.outcome is Outcome.WORSE


def unconfirmed(effort: Effort) -> Iterator[Row]:
    """Yield a row for each number of degrees of freedom, then two where sessions differ.

    Of one session the report assumes that they may differ by twice as much as they should.
    """
    rng = np.random.default_rng(SEED)
    for df, runs in EACH_SIDE.items():
        share = share_of(is_caught(rng, runs, 0.0) for _ in range(effort.comparisons))
        what = f"{df} degrees of freedom"
        yield Row(what, effort.comparisons, share, CAUGHT, simulated=True)
    for times, bound in ((1, at_least(75)), (2, Bound(0.7, 0.9))):
        share = share_of(is_caught(rng, 5, PRIORS.host, times) for _ in range(effort.comparisons))
        what = f"5 against 5, sessions differ by {times * PRIORS.host:.0%}".replace("%", " %")
        yield Row(what, effort.comparisons, share, bound, simulated=True)


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored baseline of ``held`` runs; ``screened`` runs, then those that confirm.

    ``session_spread`` is what sessions differ by, and are taken to: all new runs are of one.
    """

    held: int
    screened: int
    session_spread: float = 0.0

    def is_caught(self, rng: np.random.Generator) -> bool:
        """Whether a candidate slower by the stated resolution is WORSE after confirmation."""
        then, now, again = (
            RUN_SD * rng.normal(size=runs) for runs in (self.held, self.screened, CONFIRMING)
        )
        apart = math.log1p(self.session_spread) * (rng.normal() - rng.normal())

        def judged(slower: float) -> Change:
            shift = apart + math.log1p(slower)
            return confirmed_alone(
                np.exp(then).tolist(),
                np.exp(now + shift).tolist(),
                np.exp(again + shift).tolist(),
                tolerance=TOLERANCE,
                session_spread=self.session_spread,
            )

        return judged(judged(0.0).resolution).outcome is Outcome.WORSE


@dataclass(frozen=True, slots=True)
class InTurn:
    """Old and new code in turns: two blocks, and as many more, or those that are planned."""

    confirming: int | None

    def is_caught(self, rng: np.random.Generator) -> bool:
        """Whether a candidate slower by the stated resolution is WORSE after confirmation."""
        old, new = RUN_SD * rng.normal(size=(2, RUNS_PER_BLOCK * BLOCKS))

        def judged(slower: float) -> Change:
            return in_turn_alone(
                np.exp(old).tolist(),
                np.exp(new + math.log1p(slower)).tolist(),
                tolerance=TOLERANCE,
                blocks=self.confirming,
            )

        return judged(judged(0.0).resolution).outcome is Outcome.WORSE


CONFIRMED: Mapping[str, Stored | InTurn] = {
    **{f"{df} degrees of freedom": Stored(runs, runs) for df, runs in EACH_SIDE.items()},
    "1 run against 5": Stored(5, 1),
    "1 run against 5, sessions differ by 4 %": Stored(5, 1, PRIORS.host),
    "in turns, confirmed by 5 blocks": InTurn(CONFIRMING),
    "in turns, by as many blocks as planned": InTurn(None),
}


def confirmed(effort: Effort) -> Iterator[Row]:
    """Yield the same of screen and confirmation together."""
    for what, way in CONFIRMED.items():
        rng = np.random.default_rng(SEED)
        share = share_of(way.is_caught(rng) for _ in range(effort.comparisons))
        differing = isinstance(way, Stored) and way.session_spread > 0
        bound = at_least(75) if differing else CAUGHT
        yield Row(what, effort.comparisons, share, bound, simulated=True)


SECTIONS = (
    Section("Slower by exactly the stated resolution, tolerance 5 %", unconfirmed),
    Section("The same with confirmation", confirmed),
)
