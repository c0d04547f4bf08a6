"""What is derived of a build is what the product says of the whole session."""

import numpy as np
import pytest

from benchmarks.calibration import gate
from benchmarks.calibration.alone import NO_SESSIONS, PRIORS, change_of, p_worse_of
from benchmarks.calibration.direct import PValues, fails_in_turn
from benchmarks.calibration.noise import Shape
from benchmarks.calibration.ways import Way
from benchmarks.calibration.world import Harm, World

STEPS = (0.0, 0.9, 1.15, 1.3, 2.0)
"""Multiples of what is tolerated: some builds fail, and some do not."""


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def harm(world: World, step: float) -> Harm:
    tolerated = world.at_tolerance()
    return Harm(step * tolerated.times, tolerated.quality)


def test_the_quick_p_value_is_that_of_the_change() -> None:
    for seed, spread in ((1, 0.0), (2, 0.04)):
        then, now = np.exp(0.02 * rng(seed).normal(size=(2, 5))).tolist()
        assert p_worse_of(then, now, 0.01, spread) == change_of(then, now, 0.01, spread).p_worse


@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize(("shape", "runs"), [(Shape.NORMAL, 5), (Shape.EXPONENTIAL, 1)])
def test_of_a_session_against_a_stored_baseline(
    shape: Shape, runs: int, *, confirmed: bool
) -> None:
    world, way, said = World(shape), Way(runs, confirmed), []
    for seed, step in enumerate(STEPS):
        session = world.stored(rng(seed), harm(world, step), sizes=(5, runs, 5))
        judge = gate.judge_confirmed if confirmed else gate.judge_unconfirmed
        said.append(judge(session, NO_SESSIONS).failed)
        assert way.fails(PValues.of(session, NO_SESSIONS)) is said[-1]
    assert len(set(said)) == 2


@pytest.mark.parametrize("confirmed", [False, True])
def test_of_sessions_that_differ(*, confirmed: bool) -> None:
    world = World(sessions=PRIORS)
    session = world.stored(rng(3), harm(world, 3.0), sizes=(5, 5, 5))
    judge = gate.judge_confirmed if confirmed else gate.judge_unconfirmed
    said = [
        (Way(5, confirmed, spreads).fails(PValues.of(session, spreads)), spreads)
        for spreads in (NO_SESSIONS, PRIORS)
    ]
    for fails, spreads in said:
        assert fails is judge(session, spreads).failed


@pytest.mark.parametrize("shape", [Shape.NORMAL, Shape.EXPONENTIAL])
def test_of_a_session_in_turns(shape: Shape) -> None:
    world, said = World(shape, drift=0.01), []
    for seed, step in enumerate(STEPS):
        session = world.in_turn(rng(seed), harm(world, step), blocks=gate.BLOCKS)
        said.append(gate.judge_interleaved(session).failed)
        assert fails_in_turn(session) is said[-1]
    assert len(set(said)) == 2
