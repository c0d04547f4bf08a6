"""Whether a simulated build fails, without building its session: for rows that need many draws.

Where nothing is better and no place can be lost without a metric that is WORSE, the gate fails
when Holm convicts one of the metrics that share alpha. The tests are the product's own, and the
suite holds these shortcuts against the product's judgement of whole sessions. Arrays of p-values
are (latency and device time, case), or (case,) of scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration.alone import ALPHA, change_in_turn, change_of, p_worse_of
from benchmarks.calibration.noise import Flags, Values
from benchmarks.calibration.nouns import IDS, levels_of, levels_of_case
from benchmarks.calibration.world import CASES, QUALITY, TIMES, InTurn, Stored, World
from pytest_pareto.compare.scores import compare_scores
from pytest_pareto.judge.holm import holm
from pytest_pareto.model.change import Change
from pytest_pareto.model.formatting import round_samples
from pytest_pareto.model.policy import SCREEN_ALPHA, SCREENING_BLOCKS, AlphaShares, SessionSpreads
from pytest_pareto.stats.power import blocks_for

SHARE = AlphaShares.of(has_budgets=False).changes
"""The part of alpha that changes of metrics may spend."""


def convicts(*p_values: Values) -> bool:
    """Whether Holm finds one of all these WORSE."""
    return min(holm(np.concatenate([p.ravel() for p in p_values]).tolist())) <= ALPHA * SHARE


@dataclass(frozen=True, slots=True, eq=False)
class Screen:
    """The p-values of runs that screen, and of the confirming runs that they ask for."""

    p_worse: Values
    p_again: Values

    @property
    def flagged(self) -> Flags:
        """What is measured again."""
        return self.p_worse <= SCREEN_ALPHA


@dataclass(frozen=True, slots=True, eq=False)
class PValues:
    """How compatible everything in a session is with being within its tolerance.

    ``first`` is of the session's own runs, ``lone`` of the first of them alone; each against the
    stored baseline, and with the confirming runs, if the session has any.
    """

    first: Screen
    lone: Screen
    scores: Values

    @classmethod
    def of(cls, session: Stored, spreads: SessionSpreads) -> "PValues":
        """Test everything that a session can be judged by."""
        new = levels_of(session.new)
        lone = [[runs[:1] for runs in cases] for cases in new]
        first, one = (_screen(session, runs, spreads) for runs in (new, lone))
        return cls(first, one, _p_scores(session))


def fails_unconfirmed(p: PValues, screen: Screen) -> bool:
    """Whether a build fails by ``screen`` alone, which is ``p.first`` or ``p.lone``."""
    return convicts(screen.p_worse, p.scores)


def fails_confirmed(p: PValues, screen: Screen) -> bool:
    """Whether it fails by what was measured again of everything that ``screen`` flags.

    Holm is over all there is: the confirming runs meet the same stored baseline.
    """
    return convicts(np.where(screen.flagged, screen.p_again, screen.p_worse), p.scores)


def fails_in_turn(session: InTurn) -> bool:
    """Whether a build fails in which old and new code took turns.

    Holm is over what two blocks flag, measured again in as many as the product plans, and over
    the scores, which are not measured again.
    """
    screen = _changes(session, SCREENING_BLOCKS)
    suspects = {at: change for at, change in screen.items() if change.p_worse <= SCREEN_ALPHA}
    if suspects:
        level = ALPHA * SHARE / (len(suspects) + CASES)
        blocks = blocks_for(list(suspects.values()), SCREENING_BLOCKS, level)
        again = _changes(session, blocks, after=SCREENING_BLOCKS, only=list(suspects))
        decided = again.values()
    else:
        decided = screen.values()
    return convicts(np.array([change.p_worse for change in decided]), _p_scores(session))


Levels = list[list[list[float]]]
"""(time, case, run)."""


def _screen(session: Stored, new: Levels, spreads: SessionSpreads) -> Screen:
    """Test runs that screen, and as many confirming runs as they ask for."""
    world, old, confirming = session.world, levels_of(session.old), levels_of(session.confirm)
    p_worse = _p_worse(world, old, new, spreads)
    most = len(confirming[0][0])
    if not most:
        return Screen(p_worse, np.ones_like(p_worse))
    needed = [1] * CASES
    for time, case in np.argwhere(p_worse <= SCREEN_ALPHA):
        metric = world.metrics[time]
        change = change_of(
            old[time][case],
            new[time][case],
            metric.tolerance,
            spreads.on_same_board(metric.scope),
            family=(TIMES + 1) * CASES / SHARE,
            confirming=most,
        )
        needed[case] = max(needed[case], change.confirming_runs or most)
    again = [
        [runs[:count] for runs, count in zip(cases, needed, strict=True)] for cases in confirming
    ]
    return Screen(p_worse, _p_worse(world, old, again, spreads))


def _p_worse(world: World, old: Levels, new: Levels, spreads: SessionSpreads) -> Values:
    p = np.ones((TIMES, CASES))
    for time, metric in enumerate(world.metrics):
        spread = spreads.on_same_board(metric.scope)
        for case, (base, candidate) in enumerate(zip(old[time], new[time], strict=True)):
            if candidate:
                p[time, case] = p_worse_of(base, candidate, metric.tolerance, spread)
    return p


def _p_scores(session: Stored | InTurn) -> Values:
    pairs = zip(session.before.tolist(), session.after.tolist(), strict=True)
    return np.array([_p_score(before, after) for before, after in pairs])


def _p_score(before: list[float], after: list[float]) -> float:
    return compare_scores(
        IDS,
        round_samples(before),
        round_samples(after),
        better=QUALITY.better,
        tolerance=QUALITY.tolerance,
        alpha=ALPHA,
    ).p_worse


def _changes(
    session: InTurn,
    blocks: int,
    *,
    after: int = 0,
    only: Sequence[tuple[int, int]] = tuple(np.ndindex(TIMES, CASES)),
) -> dict[tuple[int, int], Change]:
    """Compare both sides of some blocks: by time and case, all of them or those named."""
    old, new = session.taken(blocks, after=after)
    metrics = session.world.metrics
    return {
        at: change_in_turn(
            levels_of_case(old[at]), levels_of_case(new[at]), metrics[at[0]].tolerance
        )
        for at in only
    }
