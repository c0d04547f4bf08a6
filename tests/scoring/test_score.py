"""Metrics as users pass them: what is read, and what is rejected before generation."""

from typing import Any

import pytest
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.image import PeakSignalNoiseRatio
from torchmetrics.regression import MeanSquaredError

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Better, Kind, Scope
from pytest_pareto.scoring.score import Score
from pytest_pareto.scoring.scorers import read_scorers


def number(output: Any, target: Any) -> float:
    return 0.0


def directed(output: Any, target: Any) -> float:
    return 0.0


directed.higher_is_better = False  # type: ignore[attr-defined]  # as users write it


class RealAndFake:
    higher_is_better = False

    def update(self, imgs: Any, real: bool) -> None: ...
    def compute(self) -> float:
        return 0.0

    def reset(self) -> None: ...


def metric(given: Any) -> Any:
    (scorer,) = read_scorers({"m": given})
    return scorer.metric


def test_a_direction_comes_from_the_score_or_from_the_metric() -> None:
    assert metric(Score(number, better="higher")).better is Better.HIGHER
    assert metric(directed).better is Better.LOWER
    assert metric(PeakSignalNoiseRatio(data_range=1.0)).better is Better.HIGHER
    assert metric(MeanSquaredError()).better is Better.LOWER
    assert metric(Score(directed, better="higher")).better is Better.HIGHER


def test_a_score_sets_the_other_fields() -> None:
    found = metric(
        Score(number, better="lower", tolerance=0.5, unit="dB", scope="anywhere", gate=False)
    )
    assert (found.tolerance, found.unit, found.scope) == (0.5, "dB", Scope.ANYWHERE)
    assert not found.gates
    assert not found.relative
    assert found.kind is Kind.PAIRED
    assert metric(Score(number, better="higher", ordinal=True)).kind is Kind.ORDINAL
    whole = Score(number, better="lower", over="set", features=number)
    assert metric(whole).kind is Kind.SET


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (number, r"'m' does not say whether higher or lower .*better='higher'"),
        (MetricCollection([MeanSquaredError()]), "'m' does not say"),
        (3, "metric 'm' is 3; give a function"),
        (RealAndFake(), "real and generated data .* features=f"),
    ],
)
def test_a_metric_that_cannot_be_used_is_named(given: Any, message: str) -> None:
    with pytest.raises(ParetoError, match=message):
        read_scorers({"m": given})


@pytest.mark.parametrize("given", [{}, [number], {1: directed}, {"": directed}])
def test_metrics_are_a_mapping_from_names(given: Any) -> None:
    with pytest.raises(ParetoError, match=r"mapping from names|named by strings"):
        read_scorers(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"better": "more"}, "higher, not 'more'"),
        ({"over": "all"}, "sample, batch, set, not 'all'"),
        ({"scope": "here"}, "not 'here'"),
        ({"tolerance": -1}, "a number >= 0, not -1"),
        ({"tolerance": "1 %"}, "a number >= 0, not '1 %'"),
        ({"features": number}, "over='set'"),
        ({"over": "set"}, "together with features="),
        ({"over": "set", "features": number, "ordinal": True}, "grades of samples"),
    ],
)
def test_an_inconsistent_score_is_rejected(given: Any, message: str) -> None:
    with pytest.raises(ParetoError, match=message):
        Score(number, **given)


def test_stateful_metrics_are_scored_per_sample_or_over_the_set() -> None:
    accuracy = MulticlassAccuracy(num_classes=3)
    with pytest.raises(ParetoError, match="MulticlassAccuracy is scored per sample"):
        Score(accuracy, over="batch")
    with pytest.raises(ParetoError, match="without features="):
        Score(accuracy, over="set", features=number)
    with pytest.raises(ParetoError, match="takes a function"):
        Score(3)
