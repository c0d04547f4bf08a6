"""Set metrics: the value over all outputs, its blocks, and errors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from pytest_pareto.model.metric import Kind
from pytest_pareto.scoring import Evaluation, Score, evaluate

IDS = [f"p{n}" for n in range(60)]


def draw(samples: Sequence[str], seeds: list[int]) -> Any:
    return [np.random.default_rng(seed).normal(size=3) for seed in seeds]


def mean(features: Any) -> float:
    return float(features.mean())


def itself(output: Any, target: Any) -> Any:
    return output


def whole(
    statistic: Any = mean, features: Any = itself, ids: Sequence[str] = IDS, **given: Any
) -> Evaluation:
    score = Score(statistic, better="lower", over="set", features=features)
    return evaluate(draw, ids, metrics={"m": score}, batch_size=7, keep_outputs=True, **given)


def test_the_value_is_over_all_features_with_one_value_per_block() -> None:
    result = whole()
    (measurement,) = result.measurements
    assert measurement.metric.kind is Kind.SET
    assert result.outputs is not None
    every = np.stack(list(result.outputs.values()))
    assert measurement.whole == pytest.approx(every.mean())
    assert len(measurement.values) == len(set(measurement.ids)) == 20
    # Of a mean, and blocks of equal size, pseudo-values are the blocks' own means.
    assert np.mean(measurement.values) == pytest.approx(every.mean())
    assert not result.scores


def test_blocks_do_not_depend_on_the_order_of_samples() -> None:
    before = dict(zip(*_named(whole()), strict=True))
    reordered = dict(zip(*_named(whole(ids=IDS[::-1])), strict=True))
    assert reordered == pytest.approx(before)
    others = _named(whole(ids=[*IDS[:-1], "other"]))[0]
    assert 0 < len(set(before) - set(others)) <= 20
    every = [key + "x" for key in IDS]
    assert not set(_named(whole(ids=every))[0]) & set(before)


def _named(result: Evaluation) -> tuple[tuple[str, ...], tuple[float, ...]]:
    (measurement,) = result.measurements
    return measurement.ids, measurement.values


def test_the_seeds_of_a_sample_are_in_one_block() -> None:
    seen: list[int] = []

    def count(features: Any) -> float:
        seen.append(len(features))
        return 0.0

    whole(count, seeds=3)
    assert seen[0] == 180
    assert set(seen[1:]) == {171}  # three samples of three seeds at a time


def test_few_samples_have_few_blocks() -> None:
    assert len(_named(whole(ids=IDS[:6]))[0]) == 6
    assert "needs two samples at least" in str(whole(ids=IDS[:1]).measurements[0].absent)


def fails(features: Any) -> float:
    raise ArithmeticError("singular")


@pytest.mark.parametrize(
    ("statistic", "features", "message"),
    [
        (fails, itself, r"'m' raised ArithmeticError \(singular\) over 60 outputs"),
        (lambda features: features, itself, "'m' returned ndarray of shape"),
        (lambda features: float("nan"), itself, "'m' returned float nan over 60 outputs"),
        (mean, lambda o, t: o[0], r"features of 'm' returned float64 of shape \(\) at sample 'p0'"),
        (mean, lambda o, t: o * np.nan, "features of 'm' are not finite at sample 'p0'"),
        (mean, lambda o, t: o[: 2 if t == "p37" else 3], "2 numbers at sample 'p37' and 3 at 'p0'"),
        (mean, lambda o, t: {}[t], r"'m: features' raised KeyError \('p0'\) at sample 'p0'"),
    ],
)
def test_a_value_that_cannot_be_computed_is_broken(
    statistic: Any, features: Any, message: str
) -> None:
    result = whole(statistic, features)
    assert result.measurements[0].broken
    with pytest.raises(Exception, match=message):
        result.check()


def test_features_may_be_tensors_of_half_precision() -> None:
    assert whole(features=lambda o, t: torch.tensor(o).bfloat16()).whole["m"] == pytest.approx(
        whole().whole["m"], abs=0.01
    )
