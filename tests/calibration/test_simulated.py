"""Simulated sessions hold what they say: shapes of noise, harm, turns, fronts."""

import numpy as np
import pytest

from benchmarks.calibration.alone import NO_SESSIONS, PRIORS
from benchmarks.calibration.gate import judge_unconfirmed
from benchmarks.calibration.noise import AUTOCORRELATION, Shape, unit_calls, unit_noise
from benchmarks.calibration.nouns import baseline_of, confirming_runs_of, runs_of, turns_of
from benchmarks.calibration.world import CASES, NAMES, QUALITY, Harm, World
from pytest_pareto.model.metric import DEVICE_TIME, LATENCY
from pytest_pareto.model.run import Run
from pytest_pareto.model.verdict import Position, Verdict

QUIET = World(spreads=(1e-4, 1e-4))
SUBJECT = NAMES[6]


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def level(run: Run, case_id: str, metric: str) -> float:
    measurement = run.cases[case_id].measurement(metric)
    assert measurement is not None
    return float(np.mean(measurement.values))


@pytest.mark.parametrize("shape", Shape)
def test_noise_has_no_mean_and_a_variance_of_one(shape: Shape) -> None:
    drawn = unit_noise(rng(), shape, (50, 4_000))
    assert drawn.mean() == pytest.approx(0, abs=0.01)
    assert drawn.var() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("shape", Shape)
def test_only_the_calls_of_ar1_remember(shape: Shape) -> None:
    calls = unit_calls(rng(), shape, (20_000, 12))
    assert calls.std() == pytest.approx(1, abs=0.02)
    remembered = np.corrcoef(calls[:, 5], calls[:, 6])[0, 1]
    assert remembered == pytest.approx(AUTOCORRELATION if shape is Shape.AR1 else 0, abs=0.03)


def test_a_session_has_its_runs_and_its_harm() -> None:
    harm = Harm.at(SUBJECT, times=(1.1, 1.2), quality=0.5)
    session = QUIET.stored(rng(), harm, sizes=(5, 3, 2))
    runs, confirming = runs_of(session), confirming_runs_of(session)
    assert (len(runs), len(confirming)) == (3, 2)
    assert (session.old.shape, session.new.shape) == ((2, CASES, 5, 12), (2, CASES, 3, 12))
    for name in (SUBJECT, NAMES[0]):
        past = baseline_of(session).cases[name].metrics
        worse = name == SUBJECT
        for metric, factor in ((LATENCY, 1.1), (DEVICE_TIME, 1.2)):
            ratio = level(runs[0], name, metric.name) / past[metric.name].newest.runs[0]
            assert ratio == pytest.approx(factor if worse else 1.0, rel=1e-3)
        lost = past[QUALITY.name].newest.runs[0] - level(confirming[0], name, QUALITY.name)
        assert lost == pytest.approx(0.5 if worse else 0.0, abs=0.02)


def test_at_the_tolerance_is_at_the_tolerance() -> None:
    harm = QUIET.at_tolerance()
    assert np.exp(harm.times[:, 3]).tolist() == pytest.approx([1.05, 1.01])
    assert harm.quality[3] == QUALITY.tolerance


def test_sessions_differ_as_much_as_they_are_said_to() -> None:
    world = World(spreads=(1e-4, 1e-4), sessions=PRIORS)
    drawn = [world.stored(np.random.default_rng(i), Harm()) for i in range(40)]
    apart = np.array([np.log(s.new.mean((2, 3)) / s.old.mean((2, 3))) for s in drawn])
    assert apart[:, 0].std() == pytest.approx(PRIORS.host * np.sqrt(2), rel=0.1)
    assert apart[:, 1].std() == pytest.approx(PRIORS.gpu * np.sqrt(2), rel=0.1)


def test_old_and_new_take_turns_so_that_a_drift_cancels() -> None:
    world = World(spreads=(1e-6, 1e-6), drift=0.05)
    session = world.in_turn(rng(), Harm.at(SUBJECT, times=(1.1, 1.0)), blocks=5)
    screen, confirm = turns_of(session, 2), turns_of(session, 3, after=2)
    assert [len(side) for side in (screen.old, screen.new)] == [4, 4]
    assert [len(side) for side in (confirm.old, confirm.new)] == [6, 6]

    def mean_log(runs: tuple[Run, ...]) -> float:
        return float(np.mean([np.log(level(run, SUBJECT, LATENCY.name)) for run in runs]))

    for turns in (screen, confirm):
        apart = mean_log(turns.new) - mean_log(turns.old)
        assert apart == pytest.approx(np.log(1.1), abs=1e-4)
    first, last = (level(run, NAMES[0], LATENCY.name) for run in (screen.old[0], confirm.new[-1]))
    assert last > 1.2 * first


def test_what_did_not_change_keeps_its_place_on_a_front_of_its_own() -> None:
    judgement = judge_unconfirmed(QUIET.stored(rng(), Harm()), NO_SESSIONS)
    assert not judgement.failed
    assert {case.verdict for case in judgement.cases} <= {Verdict.UNCHANGED, Verdict.INCONCLUSIVE}
    assert {case.place.position for case in judgement.cases} <= {
        Position.KEPT,
        Position.AMBIGUOUS,
    }
    assert len({case.comparison.front for case in judgement.cases}) == 4
