"""How often simulated sessions, judged whole, fail the build, and for what."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from benchmarks.calibration import direct, gate, peers
from benchmarks.calibration.alone import NO_SESSIONS, PRIORS
from benchmarks.calibration.noise import Shape, Values
from benchmarks.calibration.peers import Rule
from benchmarks.calibration.rows import Effort, NotBuiltYet, Row, Section, share_of
from benchmarks.calibration.trials import (
    Trial,
    at_tolerance,
    one_slower,
    powers,
    sizes,
    unchanged,
)
from benchmarks.calibration.world import NAMES, TIMES, World
from pytest_pareto.compare.terms import SessionSpreads
from pytest_pareto.model.verdict import Judgement

SEED = 6
BASELINE_RUNS, RUNS, CONFIRMING = 5, 5, 5
BLOCKS = (2, 4)
"""ABBA blocks of an interleaved session: to screen, and to confirm."""

Draw = Callable[[Trial, np.random.Generator], Judgement]


def draw_unconfirmed(
    trial: Trial, rng: np.random.Generator, *, spreads: SessionSpreads
) -> Judgement:
    """Draw a session against a stored baseline, and judge it by its own runs."""
    session = trial.world.stored(rng, trial.harm, sizes=(BASELINE_RUNS, RUNS, 0))
    return gate.judge_unconfirmed(session, spreads)


def draw_confirmed(trial: Trial, rng: np.random.Generator) -> Judgement:
    """Draw a session against a stored baseline; what it flags is measured again."""
    session = trial.world.stored(rng, trial.harm, sizes=(BASELINE_RUNS, RUNS, CONFIRMING))
    return gate.judge_confirmed(session, NO_SESSIONS)


def draw_interleaved(trial: Trial, rng: np.random.Generator) -> Judgement:
    """Draw old and new code in turns; what is flagged is measured again in turns."""
    return gate.judge_interleaved(trial.world.interleaved(rng, trial.harm, blocks=BLOCKS))


def rows_of(trials: Sequence[Trial], draw: Draw, effort: Effort) -> Iterator[Row]:
    """Yield a row for each question of each trial."""
    for trial in trials:
        try:
            yield from _asked(trial, draw, effort)
        except NotBuiltYet as lack:
            yield from (Row(a.what, bound=a.bound, lacking=str(lack)) for a in trial.asked)


def _asked(trial: Trial, draw: Draw, effort: Effort) -> Iterator[Row]:
    count = max(1, round(effort.sessions * trial.share))
    rng = np.random.default_rng(SEED)
    judgements = [draw(trial, rng) for _ in range(count)]
    for asked in trial.asked:
        share = share_of(map(asked.question, judgements))
        beside = peers_fail(trial, asked.beside, effort) if asked.beside else {}
        yield Row(asked.what, count, share, asked.bound, beside, simulated=True)


def peers_fail(
    trial: Trial, cases: Sequence[str], effort: Effort, *, runs: int = RUNS
) -> dict[str, float]:
    """Return how often each other tool would report any of the times of these cases as slower."""
    places = [NAMES.index(case_id) for case_id in cases]
    rng = np.random.default_rng(SEED)
    drawn = [
        trial.world.stored(rng, trial.harm, sizes=(BASELINE_RUNS, runs, 0))
        for _ in range(effort.peer_sessions)
    ]
    return {
        name: share_of(any_slower(session.old, session.new, places, rule) for session in drawn)
        for name, rule in peers.rules(effort.resamples).items()
    }


def any_slower(base: Values, new: Values, cases: Sequence[int], rule: Rule) -> bool:
    """Whether a rule calls any time of these cases slower; (time, case, run, call)."""
    return any(
        rule(base[time, case].ravel(), new[time, case].ravel())
        for time in range(TIMES)
        for case in cases
    )


def sizes_of(
    trials: Sequence[Trial], effort: Effort, *, runs: int, spreads: SessionSpreads
) -> Iterator[Row]:
    """Yield how often the build fails by ``runs`` runs alone, derived from their p-values."""
    for trial in trials:
        rng = np.random.default_rng(SEED)
        drawn = (
            trial.world.stored(rng, trial.harm, sizes=(BASELINE_RUNS, runs, 0))
            for _ in range(effort.builds)
        )
        share = share_of(direct.fails(session, spreads) for session in drawn)
        for asked in trial.asked:
            beside = peers_fail(trial, asked.beside, effort, runs=runs)
            yield Row(asked.what, effort.builds, share, asked.bound, beside, simulated=True)


def unconfirmed(effort: Effort) -> Iterator[Row]:
    """Yield what a session says by its own runs, where sessions do not differ."""
    yield from sizes_of(sizes(drift=False), effort, runs=RUNS, spreads=NO_SESSIONS)
    trials = (one_slower().without_bounds(), *powers(World()))
    yield from rows_of(trials, partial(draw_unconfirmed, spreads=NO_SESSIONS), effort)


def one_run(effort: Effort) -> Iterator[Row]:
    """Yield the same of a single run, which is meant to screen and not to convict."""
    trials = [at_tolerance(World(shape), str(shape)).without_bounds() for shape in Shape]
    yield from sizes_of(trials, effort, runs=1, spreads=NO_SESSIONS)


def where_sessions_differ(effort: Effort) -> Iterator[Row]:
    """Yield the same where sessions differ as assumed; what is caught has to be larger there."""
    world = World(sessions=PRIORS)
    trials = (at_tolerance(world, "normal"), unchanged(world, "normal"))
    yield from sizes_of(trials, effort, runs=RUNS, spreads=PRIORS)
    larger = [trial.without_bounds() for trial in powers(world)]
    yield from rows_of(larger, partial(draw_unconfirmed, spreads=PRIORS), effort)


def confirmed(effort: Effort) -> Iterator[Row]:
    """Yield what is said after confirmation against the stored baseline."""
    trials = (*sizes(drift=False), one_slower().without_bounds(), *powers(World()))
    yield from rows_of(trials, draw_confirmed, effort)


def interleaved(effort: Effort) -> Iterator[Row]:
    """Yield what is said where old and new code took turns."""
    trials = (*sizes(drift=True), one_slower(), *powers(World()))
    yield from rows_of(trials, draw_interleaved, effort)


SECTIONS = (
    Section("20 cases × 3 metrics, unconfirmed, 5 runs against 5; one session", unconfirmed),
    Section("20 cases × 3 metrics, unconfirmed, 1 run against 5; one session", one_run),
    Section("20 cases × 3 metrics, unconfirmed, 5 against 5; session term", where_sessions_differ),
    Section("20 cases × 3 metrics, confirmed against the stored baseline; one session", confirmed),
    Section("20 cases × 3 metrics, old and new code in turns, confirmed", interleaved),
)
