"""Simulated sessions of twenty cases: what is said of them, by each way of judging them."""

from collections.abc import Iterator

from benchmarks.calibration.alone import PRIORS
from benchmarks.calibration.noise import Shape
from benchmarks.calibration.rows import Effort, Row, Section
from benchmarks.calibration.trials import (
    at_tolerance,
    one_slower,
    powers,
    sizes,
    unchanged,
)
from benchmarks.calibration.ways import RUNS, Way, asked_of_all, failing, failing_in_turn, in_turn
from benchmarks.calibration.world import World

DIFFERING = World(sessions=PRIORS)

# Made once, so that all ways judge the same draws.
SIZES = sizes(drift=False)
DIFFERING_SIZES = (
    at_tolerance(DIFFERING, str(Shape.NORMAL)),
    at_tolerance(World(Shape.EXPONENTIAL, sessions=PRIORS), str(Shape.EXPONENTIAL)),
    at_tolerance(World(Shape.BIMODAL, sessions=PRIORS), str(Shape.BIMODAL)),
    unchanged(DIFFERING, str(Shape.NORMAL)),
)


def unconfirmed(effort: Effort) -> Iterator[Row]:
    """Yield what a session says by its own runs, where sessions do not differ."""
    way = Way(RUNS, confirmed=False)
    yield from failing(SIZES, way, effort, beside_peers=True)
    slower = [one_slower().without_bounds()]
    yield from asked_of_all(slower, way.judged, effort, beside_peers=True)
    yield from asked_of_all(powers(World()), way.judged, effort)


def one_run(effort: Effort) -> Iterator[Row]:
    """Yield the same of a single run, which is meant to screen and not to convict."""
    trials = SIZES[: len(Shape)]
    way = Way(1, confirmed=False)
    yield from failing(trials, way, effort, bounded=False, beside_peers=True)


def where_sessions_differ(effort: Effort) -> Iterator[Row]:
    """Yield the same where sessions differ as assumed; what is caught has to be larger there."""
    way = Way(RUNS, confirmed=False, spreads=PRIORS)
    yield from failing(DIFFERING_SIZES, way, effort, beside_peers=True)
    larger = [trial.without_bounds() for trial in powers(DIFFERING)]
    yield from asked_of_all(larger, way.judged, effort)


def confirmed(effort: Effort) -> Iterator[Row]:
    """Yield what is said after confirmation against the stored baseline."""
    yield from _confirmed(Way(RUNS, confirmed=True), effort)


def default(effort: Effort) -> Iterator[Row]:
    """Yield the same of one run that screens, as a plain ``--pareto`` takes it."""
    yield from _confirmed(Way(1, confirmed=True), effort)


def _confirmed(way: Way, effort: Effort) -> Iterator[Row]:
    yield from failing(SIZES, way, effort)
    yield from asked_of_all((one_slower().without_bounds(), *powers(World())), way.judged, effort)


def default_where_sessions_differ(effort: Effort) -> Iterator[Row]:
    """Yield the same where sessions differ as assumed: what users of one baseline meet."""
    way = Way(1, confirmed=True, spreads=PRIORS)
    yield from failing(DIFFERING_SIZES, way, effort)
    larger = [trial.without_bounds() for trial in powers(DIFFERING)]
    yield from asked_of_all(larger, way.judged, effort)


def interleaved(effort: Effort) -> Iterator[Row]:
    """Yield what is said where old and new code took turns."""
    yield from failing_in_turn(sizes(drift=True), effort)
    yield from asked_of_all((one_slower(), *powers(World())), in_turn, effort)


SECTIONS = (
    Section("20 cases × 3 metrics, unconfirmed, 5 runs against 5; one session", unconfirmed),
    Section("20 cases × 3 metrics, unconfirmed, 1 run against 5; one session", one_run),
    Section("20 cases × 3 metrics, unconfirmed, 5 against 5; session term", where_sessions_differ),
    Section(
        "20 cases × 3 metrics, stored baseline, 5 runs screen, up to 5 confirm; one session",
        confirmed,
    ),
    Section(
        "20 cases × 3 metrics, stored baseline, 1 run screens, up to 5 confirm; one session",
        default,
    ),
    Section(
        "20 cases × 3 metrics, stored baseline, 1 run screens, up to 5 confirm; session term",
        default_where_sessions_differ,
    ),
    Section("20 cases × 3 metrics, old and new code in turns, confirmed", interleaved),
)
