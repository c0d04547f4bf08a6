"""Sessions that use every part of a result file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_pareto.model.attribution import Breakdown, Part
from pytest_pareto.model.baseline import Past
from pytest_pareto.model.metric import (
    LATENCY,
    PEAK_MEMORY,
    Better,
    Kind,
    Metric,
    Scope,
    parse_budget,
)
from pytest_pareto.model.policy import Policy, TradeOffs
from pytest_pareto.model.run import CaseRun, Looks, Measurement, Run
from pytest_pareto.model.session_record import Asked, Picture, SessionRecord, SessionReport
from pytest_pareto.model.verdict import Failure
from pytest_pareto.pipeline import facts_against, judge_record, without_calls
from tests.sessions import HERE, SCORE, baseline, five, ids, remembered

FID = Metric("fid", "", Better.LOWER, Kind.SET, Scope.GPU, 1.0, relative=False)
THREE = (0.1 + 0.2, 1 / 3, 2e-9)
"""Numbers that need all their digits to be read back."""


def _run(number: int) -> Run:
    score = Measurement(SCORE, THREE if number else (0.5, 0.25, 0.125), ids(3))
    fid = Measurement(FID, (3.25, 4.5), ("b0", "b1"), whole=3.9)
    early = Metric("early", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
    looked = Measurement(early, (0.5, 0.75), ids(2), looks=Looks(4, 2, 1, seed=7))
    times = Part("aten::addmm in Nét.fc1", 0.1 / 7, 2.0), Part("aten::relu", 1e-7 / 3, None)
    latency = Measurement(
        LATENCY,
        (0.1 / 3,),
        first=1.5,
        notes=("throttled",) if number else (),
        breakdown=Breakdown(times, 0.1 / 9, 3, "9+AbX/") if number else None,
    )
    memory = Measurement(
        PEAK_MEMORY,
        (4.2e9,),
        lower_bound="without x" if number else None,
        breakdown=Breakdown((Part("float32 [2, 3]", 24.0),)) if number < 2 else Breakdown(()),
    )
    lost = Measurement(FID, absent="no blocks here", notes=("odd",))
    broken = Measurement(replace(FID, name="kid"), absent="nan at sample 'p7'", broken=True)
    first = CaseRun(
        "test_a.py::test_x[é#1]", "test_a.py::test_x[é#1]", "f", "s",
        (latency, memory, score, fid if number < 2 else lost, broken),
        budgets=(parse_budget("latency", ">= 20 ms, <= 300 ms"),), items=4,
    )  # fmt: skip
    second = CaseRun(
        "test_a.py::test_y", "test_a.py::test_y", "f", "s2", (latency, looked), gate=False
    )
    cases = (first, second) if number else (first,)
    return Run(
        HERE,
        {case.case_id: case for case in cases},
        {} if number else {"test_a.py::test_y": "AssertionError: no"},
        frozenset({case.case_id for case in cases}),
        frozenset({"test_a.py::test_z"}),
    )


@pytest.fixture
def full_record() -> SessionRecord:
    """A record that uses every part of the file format."""
    runs = tuple(map(_run, range(3)))
    return SessionRecord(
        runs,
        Policy(alpha=0.1, trade_offs=TradeOffs.FAIL, ci=True, confirming=5),
        Asked(("tests", "."), "1 deselected", None, ("test_s.py",)),
        flagged=frozenset({("test_a.py::test_x[é#1]", "latency"), ("b", "a")}),
        again=runs[1:],
        old_runs=runs[:1],
        old_again=runs[2:],
        failures=(Failure("run 2 died"),),
        notices=("told",),
        gone=("test_a.py::test_old",),
        anchored=True,
    )


Judged = Callable[..., SessionReport]


@pytest.fixture
def judged() -> Judged:
    """Judge a record of three cases (worse, better, and one that has no baseline)."""

    def report(record: SessionRecord | None = None) -> SessionReport:
        past = baseline(
            remembered("m.py::a", {"device": five(1.0), "score": [[0.5, 0.6, 0.7]] * 5}),
            remembered("m.py::b", {"device": five(1.0)}),
        )
        if record is None:
            record = small_record()
        found = judge_record(record, Past(past, past))
        facts = facts_against(record, past, "pareto_baselines/here")
        picture = Picture("m.py::a", "score", "s1", Path("art") / "a.png")
        return SessionReport(found.judgement, facts, HERE, (picture,), without_calls(record))

    return report


def small_record() -> SessionRecord:
    from tests.sessions import case_runs, session

    score = [[0.4, 0.5, 0.6]] * 5
    budget = (parse_budget("device", "<= 1.5 s"),)
    worse = case_runs("m.py::a", {"device": five(1.1), "score": score}, budgets=budget)
    better = case_runs("m.py::b", {"device": five(0.9)})
    new = case_runs("m.py::c", {"device": five(1.0)})
    return SessionRecord(tuple(session(worse, better, new)), Policy(), anchored=True)
