"""The files of scores per sample."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_pareto.baseline.codec import encode_samples
from pytest_pareto.baseline.schema import SamplesReader
from pytest_pareto.model.baseline import CaseHistory, MetricHistory, Samples
from pytest_pareto.model.errors import BaselineError
from pytest_pareto.model.formatting import round_samples


def test_a_candidate_rounds_as_the_baseline_does() -> None:
    assert round_samples([0.123449, 31.23456, 1.0, -0.0]) == (0.1234, 31.23, 1.0, 0.0)


def test_golden_file(
    case: Callable[..., CaseHistory], history: Callable[..., MetricHistory]
) -> None:
    scores = Samples(("cat", "dog"), (0.123456, 1.0))
    one = case(
        "t.py::test_a",
        accuracy=history("accuracy", (0.5,), samples=scores),
        clip=history("accuracy", (0.5,), samples=scores),
        latency=history("latency", (0.5,)),
    )
    other = case("t.py::test_b", accuracy=history("accuracy", (0.5,)))
    bare = case("t.py::test_c", latency=history("latency", (0.5,)))
    assert (
        encode_samples([other, bare, one])
        == """\
{
  "cases": {
    "test_a": {
      "accuracy":
        {"ids": "07bdda653630", "values": [0.1235, 1.0]},
      "clip":
        {"ids": "07bdda653630", "values": [0.1235, 1.0]}
    },
    "test_b": {
      "accuracy":
        {"ids": "0473ef2dc0d3", "values": [0.375, 0.625]}
    }
  },
  "ids": {
    "0473ef2dc0d3":
      ["a", "b"],
    "07bdda653630":
      ["cat", "dog"]
  },
  "schema": 1
}
"""
    )


def test_no_samples_need_no_file(
    case: Callable[..., CaseHistory], history: Callable[..., MetricHistory]
) -> None:
    assert encode_samples([case("t.py::test_a", latency=history("latency", (0.5,)))]) is None


_PLACE = 't.samples.json at cases["test_a"]["accuracy"]'


def _reader(**changes: Any) -> SamplesReader:
    content = {
        "schema": 1,
        "ids": {"k": ["a", "b"]},
        "cases": {"test_a": {"accuracy": {"ids": "k", "values": [0.5, 1]}}},
    }
    return SamplesReader(json.dumps(content | changes), "t.samples.json", "t.json")


def test_samples_are_taken_once() -> None:
    reader = _reader()
    assert reader.take("test_a", "accuracy") == Samples(("a", "b"), (0.5, 1.0))
    reader.refuse_leftovers()


def test_an_unused_id_list_is_accepted() -> None:
    # Two branches may each replace one of the two last users of a list.
    reader = _reader(ids={"k": ["a", "b"], "unused": ["z"]})
    reader.take("test_a", "accuracy")
    reader.refuse_leftovers()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"cases": {}},
            (f"{_PLACE}: expected the samples of a paired metric of t.json."),
        ),
        (
            {"cases": {"test_a": {"accuracy": {"ids": "x", "values": [0.5]}}}},
            (f"{_PLACE}.ids: expected a key of 'ids', got 'x'."),
        ),
        (
            {"cases": {"test_a": {"accuracy": {"ids": "k", "values": [0.5]}}}},
            (f"{_PLACE}.values: expected 2 values, one per id, got 1."),
        ),
        (
            {"cases": {"test_a": {"accuracy": {"ids": "k", "values": []}}}},
            f"{_PLACE}.values: Expected `array` of length >= 1",
        ),
        (
            {"cases": {"test_a": {"accuracy": {"ids": "k", "values": [1, float("nan")]}}}},
            (f"{_PLACE}.values[1]: expected a finite number, got nan."),
        ),
        (
            {"cases": {"test_a": {"accuracy": {"ids": "k", "values": [1, 2], "more": 0}}}},
            f"{_PLACE}: Object contains unknown field `more`.",
        ),
        (
            {"ids": {"k": ["a", "a"]}},
            't.samples.json at ids["k"]: expected every id once.',
        ),
        (
            {"ids": {"k": "ab"}},
            't.samples.json at ids["k"]: Expected `array`, got `str`.',
        ),
        (
            {"cases": {"test_a": []}},
            't.samples.json at cases["test_a"]: Expected `object`, got `array`.',
        ),
        ({"schema": 2}, "t.samples.json: schema 2 was written by a newer pytest-pareto; upgrade"),
        ({"more": 1}, "t.samples.json: Object contains unknown field `more`."),
    ],
)
def test_every_fault_is_reported_with_its_place(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BaselineError) as caught:
        _reader(**changes).take("test_a", "accuracy")
    assert str(caught.value).startswith(message)


def test_scores_of_no_paired_metric_are_refused() -> None:
    with pytest.raises(BaselineError) as caught:
        _reader().refuse_leftovers()
    assert str(caught.value).startswith(f"{_PLACE}: samples of what is no paired metric of t.json.")


def test_a_missing_file_is_empty() -> None:
    reader = SamplesReader(None, "t.samples.json", "t.json")
    reader.refuse_leftovers()
    with pytest.raises(BaselineError, match="expected the samples of a paired metric"):
        reader.take("test_a", "accuracy")
