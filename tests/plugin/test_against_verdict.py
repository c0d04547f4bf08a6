"""Failures of the old code, which fail nothing and are told."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import Interleaved, Run
from pytest_pareto.model.session_record import Asked
from pytest_pareto.plugin.against_verdict import InterleavedRuns, failed_before, judge_interleaved
from pytest_pareto.plugin.settings import Settings

ONE, TWO, MODULE = "test_a.py::test_one", "test_a.py::test_two", "test_b.py"


def runs(*failed: Mapping[str, str]) -> list[Run]:
    return [Run(Environment("a CPU", 2, 1), failed=each) for each in failed]


@pytest.mark.parametrize(
    ("failed", "notices"),
    [
        ([{ONE: "x"}] * 2, [f"1 test fails, and cannot be compared: {ONE}: x"]),
        ([{TWO: "y", ONE: "x"}] * 2, [f"2 tests fail, and cannot be compared: {ONE}: x"]),
        ([{MODULE: "x"}] * 2, [f"1 module fails, and cannot be compared: {MODULE}: x"]),
        ([{}, {ONE: "x"}, {}], [f"{ONE} fails in 1 of 3 runs, and is compared with the others: x"]),
        (
            [{MODULE: "m", ONE: "x"}, {MODULE: "m", TWO: "y"}],
            [
                f"1 module fails, and cannot be compared: {MODULE}: m",
                f"{ONE} (and 1 more) fails in 1 of 2 runs, and is compared with the others: x",
            ],
        ),
        ([{}, {}], []),
        ([], []),
    ],
)
def test_it_is_told_how_often(failed: list[Mapping[str, str]], notices: list[str]) -> None:
    assert failed_before(runs(*failed)) == [f"with the old code {text}" for text in notices]
    again = [f"with the old code, measured again, {text}" for text in notices]
    assert failed_before(runs(*failed), again=True) == again


def test_the_verdict_tells_it() -> None:
    new = runs({}, {})
    interleaved = InterleavedRuns(
        Interleaved(tuple(runs({}, {ONE: "x"})), tuple(new)),
        again=Interleaved(tuple(runs({TWO: "y"})), tuple(new)),
    )
    settings = Settings(Path(), Policy())
    selection: Any = SimpleNamespace(stopped=None, asked=Asked())
    text = "\n".join(judge_interleaved(interleaved, settings, selection).judgement.notices)
    assert f"with the old code {ONE} fails in 1 of 2 runs" in text
    assert "with the old code, measured again, 1 test fails" in text
