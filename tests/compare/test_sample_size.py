"""Tests of what a score's samples will resolve: the number that is stated has the power stated."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from pytest_pareto.compare.sample_size import coarse_scores, sample_size
from pytest_pareto.compare.scores import compare_scores
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from tests.sessions import METRICS, baseline, case_runs, judged, session

SCORE = Metric("score", "", Better.HIGHER, Kind.PAIRED, Scope.ANYWHERE, 0.02, relative=False)
Pairs = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def redrawn(
    draw: Callable[[int], npt.NDArray[np.float64]], n: int, rng: np.random.Generator
) -> Pairs:
    """Scores of unchanged code on both sides: every second sample is drawn anew."""
    before = draw(n)
    return before, np.where(rng.random(n) < 0.5, before, draw(n))


def normal(n: int, rng: np.random.Generator) -> Pairs:
    """Normal scores of a standard deviation of 0.1, which correlate by 1/2."""
    shared = rng.normal(0.7, 0.1 * math.sqrt(0.5), n)
    return shared + rng.normal(0, 0.1 * math.sqrt(0.5), n), shared + rng.normal(
        0, 0.1 * math.sqrt(0.5), n
    )


def binary(n: int, rng: np.random.Generator) -> Pairs:
    return redrawn(lambda size: (rng.random(size) < 0.8).astype(float), n, rng)


def grades(n: int, rng: np.random.Generator) -> Pairs:
    shares = [0.1, 0.1, 0.2, 0.4, 0.2]
    return redrawn(lambda size: rng.choice(5, size, p=shares).astype(np.float64), n, rng)


@pytest.mark.parametrize(
    ("draw", "kind", "tolerance"),
    [
        (binary, Kind.PAIRED, 0.05),
        (normal, Kind.PAIRED, 0.02),
        (grades, Kind.ORDINAL, 0.08),
    ],
)
def test_the_number_that_is_stated_has_the_power_that_is_stated(
    draw: Callable[[int, np.random.Generator], Pairs], kind: Kind, tolerance: float
) -> None:
    """An unchanged score is shown to be within its tolerance at .8, and not with half of them."""
    rng = np.random.default_rng(11)
    metric = replace(SCORE, kind=kind, tolerance=tolerance)
    needed = math.ceil(sample_size(draw(4000, rng)[0], metric, 0.05).needed)

    def shown(samples: int) -> float:
        ids, hits = list(map(str, range(samples))), 0
        for _ in range(250):
            before, after = draw(samples, rng)
            found = compare_scores(
                ids, before, after, better=Better.HIGHER, tolerance=tolerance, kind=kind
            )
            hits += found.outcome in (Outcome.UNCHANGED, Outcome.NOT_WORSE, Outcome.BETTER)
        return hits / 250

    assert 0.7 <= shown(needed) <= 0.9
    assert shown(needed // 2) < 0.65


def test_a_loss_of_the_resolution_is_found() -> None:
    rng = np.random.default_rng(3)
    seen = sample_size(normal(4000, rng)[0][:128], SCORE, 0.05)
    ids, hits = list(map(str, range(128))), 0
    for _ in range(250):
        before, after = normal(128, rng)
        found = compare_scores(
            ids, before, after - seen.resolution, better=Better.HIGHER, tolerance=0.02
        )
        hits += found.outcome is Outcome.WORSE
    assert 0.7 <= hits / 250 <= 0.9


def test_equal_scores_need_few_samples() -> None:
    assert sample_size([0.7] * 10, SCORE, 0.05).share == math.inf
    # Without a flip Tango's limit needs z² (1 - δ) / δ.
    assert sample_size([1.0] * 10, SCORE, 0.05).needed == pytest.approx(
        2.7055 * 0.98 / 0.02, rel=1e-3
    )


def test_only_scores_that_are_too_few_are_reported_the_coarsest_first() -> None:
    rng = np.random.default_rng(5)

    def runs(name: str, samples: int) -> list:  # type: ignore[type-arg]
        scores = (rng.random(samples) < 0.76).astype(float).tolist()
        return case_runs(name, {"score": [scores]}, score=replace(METRICS["score"], tolerance=0.02))

    cases = [runs("few", 128), runs("fewer", 64), runs("enough", 4000)]
    found = judged(session(*cases), baseline())
    every = {(case.case_id, "score") for case in found.judgement.cases}
    first, second, assumed = coarse_scores(found, every, 0.05)
    assert first.startswith("fewer score: 64 samples resolve 0.")
    assert second.startswith("few score: 128 samples resolve 0.1")
    assert second.endswith("; its tolerance 0.02 needs about 3,100")
    assert assumed.endswith("taken to correlate by 0.5")
    assert not list(coarse_scores(found, {("enough", "score")}, 0.05))
    assert not list(coarse_scores(found, (), 0.05))
