"""Ways in which a simulated session is judged, and how often that says something."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from benchmarks.calibration import direct, gate
from benchmarks.calibration.alone import NO_SESSIONS
from benchmarks.calibration.beside import peers_fail
from benchmarks.calibration.direct import PValues
from benchmarks.calibration.rows import Effort, Row, share_of
from benchmarks.calibration.trials import Trial
from pytest_pareto.model.policy import SessionSpreads
from pytest_pareto.model.verdict import Judgement

SEED = 6
BASELINE_RUNS, RUNS = 5, 5

Draw = Callable[[Trial, np.random.Generator], Judgement]


@dataclass(frozen=True, slots=True)
class Way:
    """How a session against a stored baseline is judged: by so many runs, confirmed or not.

    ``spreads`` is what sessions are taken to differ by.
    """

    runs: int
    confirmed: bool
    spreads: SessionSpreads = NO_SESSIONS

    def judged(self, trial: Trial, rng: np.random.Generator) -> Judgement:
        """Draw a session, and judge it whole."""
        again = gate.CONFIRMING if self.confirmed else 0
        session = trial.world.stored(rng, trial.harm, sizes=(BASELINE_RUNS, self.runs, again))
        judge = gate.judge_confirmed if self.confirmed else gate.judge_unconfirmed
        return judge(session, self.spreads)

    def fails(self, p: PValues) -> bool:
        """Whether the build fails by these p-values."""
        screen = p.lone if self.runs == 1 else p.first
        rule = direct.fails_confirmed if self.confirmed else direct.fails_unconfirmed
        return rule(p, screen)


def in_turn(trial: Trial, rng: np.random.Generator) -> Judgement:
    """Draw a session in which old and new code take turns, and judge it whole."""
    return gate.judge_interleaved(trial.world.in_turn(rng, trial.harm, blocks=gate.BLOCKS))


def asked_of_all(
    trials: Sequence[Trial], draw: Draw, effort: Effort, *, beside_peers: bool = False
) -> Iterator[Row]:
    """Yield a row for each question of each trial, asked of whole judgements."""
    for trial in trials:
        count = trial.count(effort.sessions)
        rng = np.random.default_rng(SEED)
        judgements = [draw(trial, rng) for _ in range(count)]
        for asked in trial.asked:
            share = share_of(map(asked.question, judgements))
            beside = _peers(trial, effort, RUNS) if beside_peers else {}
            yield Row(asked.what, count, share, asked.bound, beside, simulated=True)


def failing(
    trials: Sequence[Trial],
    way: Way,
    effort: Effort,
    *,
    bounded: bool = True,
    beside_peers: bool = False,
) -> Iterator[Row]:
    """Yield how often the build fails, derived from p-values."""
    for trial in trials:
        sessions = tested(trial, way.spreads, trial.count(effort.builds))
        beside = _peers(trial, effort, way.runs) if beside_peers else {}
        yield _row(trial, list(map(way.fails, sessions)), beside, bounded=bounded)


@cache
def tested(trial: Trial, spreads: SessionSpreads, count: int) -> tuple[PValues, ...]:
    """Draw sessions that can be judged in any `Way`."""
    rng = np.random.default_rng(SEED)
    sizes = (BASELINE_RUNS, RUNS, gate.CONFIRMING)
    sessions = (trial.world.stored(rng, trial.harm, sizes=sizes) for _ in range(count))
    return tuple(PValues.of(session, spreads) for session in sessions)


def failing_in_turn(trials: Sequence[Trial], effort: Effort) -> Iterator[Row]:
    """Yield how often the build fails where old and new code took turns."""
    for trial in trials:
        rng = np.random.default_rng(SEED)
        sessions = (
            trial.world.in_turn(rng, trial.harm, blocks=gate.BLOCKS)
            for _ in range(trial.count(effort.builds))
        )
        yield _row(trial, list(map(direct.fails_in_turn, sessions)), {}, bounded=True)


def _row(trial: Trial, fails: list[bool], beside: dict[str, float], *, bounded: bool) -> Row:
    (asked,) = trial.asked
    bound = asked.bound if bounded else None
    return Row(asked.what, len(fails), share_of(fails), bound, beside, simulated=True)


def _peers(trial: Trial, effort: Effort, runs: int) -> dict[str, float]:
    (asked,) = trial.asked
    return peers_fail(trial, asked.beside, effort, sizes=(BASELINE_RUNS, runs))
