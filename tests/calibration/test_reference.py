"""The host reference in the calibration: what a mood is, and that its short cut is the product."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.calibration import abused
from benchmarks.calibration.abused import MOODS
from benchmarks.calibration.alone import NO_SESSIONS, PRIORS
from benchmarks.calibration.moods import Mood
from benchmarks.calibration.reference import adjusted_alone, judge_beside_reference
from benchmarks.calibration.rows import QUICK
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.policy import SessionSpreads


@pytest.mark.parametrize("spreads", [NO_SESSIONS, PRIORS])
def test_a_latency_alone_is_judged_as_in_a_session(spreads: SessionSpreads) -> None:
    rng, how = np.random.default_rng(1), set()
    for mood in (*MOODS.values(), Mood(shift=0.08)):
        for _ in range(4):
            levels, references = mood.draw(rng)
            alone = adjusted_alone(levels, references, tolerance=0.0, spreads=spreads)
            result = judge_beside_reference(levels, references, tolerance=0.0, spreads=spreads)
            how.add((alone.used, alone.change is None))
            if alone.change is None:
                assert result.outcome is Outcome.NOT_COMPARABLE
                continue
            assert result.change is not None
            assert result.change.p_worse == pytest.approx(alone.change.p_worse, rel=1e-9)
            assert alone.worse is (result.outcome is Outcome.WORSE)
            assert alone.used is any(
                "adjusted by the host reference: raw" in n for n in result.notes
            )
    assert how == {(True, False), (False, False), (False, True)}


def test_a_mood_is_followed_by_its_slope() -> None:
    mood = replace(Mood((0.3, 0.9), shift=0.05), reference_sd=0.0)
    rng = np.random.default_rng(2)
    drawn = [mood.draw(rng) for _ in range(4_000)]
    slopes, shifts = [], []
    for side in (0, 1):
        latency = np.log([levels[side] for levels, _ in drawn]).ravel()
        reference = np.log([references[side] for _, references in drawn]).ravel()
        slopes.append(np.cov(latency, reference)[0, 1] / reference.var())
        shifts.append(reference.mean())
    assert slopes == pytest.approx([0.3, 0.9], abs=0.02)
    assert shifts[1] - shifts[0] == pytest.approx(0.05, abs=0.002)


def test_what_must_not_be_adjusted_is_not_and_says_why() -> None:
    rows = {row.what: row for row in abused.used(QUICK)}
    for what in (abused.FAR, abused.OTHER_TORCH):
        assert rows[what].share == 1.0


def test_software_that_did_not_change_is_no_reason() -> None:
    mood = Mood(shift=math.log1p(0.05))
    (row,) = (abused.refused("x", mood, abused.changed, QUICK, software={}),)
    assert row.missed
