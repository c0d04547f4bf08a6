"""What is done for each case does not grow with the number of cases: counted, not timed."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks import scale
from pytest_pareto.baseline.candidate import plan_candidate
from pytest_pareto.judge.gate import flagged
from pytest_pareto.model.baseline import Past
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.session_record import Judged, SessionRecord, SessionReport
from pytest_pareto.pipeline import facts_against, judge_record, without_calls
from pytest_pareto.report.terminal import render_terminal

CASES = 60
MOST = 2.3
"""The ratio of what 2 n cases take to what n do; it is 4 where all are seen for each."""


class Operations:
    """Counts how often a case's id is compared, hashed or searched for a part."""

    def __init__(self) -> None:
        self.count = 0

    def id(self, text: str) -> str:
        """Return a case id that counts."""
        operations = self

        class Id(str):
            __slots__ = ()

            def __eq__(self, other: object) -> bool:
                operations.count += 1
                return str.__eq__(self, other)

            def __hash__(self) -> int:
                operations.count += 1
                return str.__hash__(self)

            def startswith(self, *arguments: Any) -> bool:
                operations.count += 1
                return str.startswith(self, *arguments)

        return Id(text)


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> Operations:
    counting, named = Operations(), scale.case_names

    def case_names(cases: int, front: int) -> list[tuple[str, str]]:
        return [(counting.id(name), of) for name, of in named(cases, front)]

    monkeypatch.setattr(scale, "case_names", case_names)
    return counting


def judged(scenario: str, cases: int) -> tuple[SessionRecord, Past, Judged]:
    """Judge a session as the plugin does: what it flags is measured again."""
    record = SessionRecord(scale.runs_of(scenario, cases, 10, 0), Policy(confirming=scale.RUNS))
    past = Past(scale.baseline_of(cases, 10))
    found = judge_record(record, past)
    suspects = flagged(found.judgement)
    if suspects:
        again = scale.runs_of(scenario, cases, 10, 1)
        record = replace(record, flagged=suspects, again=again)
        found = judge_record(record, past)
    return record, past, found


def report_of(record: SessionRecord, past: Past, found: Judged) -> SessionReport:
    facts = facts_against(record, past.baseline, "baseline")
    return SessionReport(found.judgement, facts, scale.HERE, record=without_calls(record))


@pytest.mark.parametrize("scenario", scale.SCENARIOS)
def test_ids_are_looked_up_and_not_searched(operations: Operations, scenario: str) -> None:
    counts = []
    for cases in (CASES, 2 * CASES):
        operations.count = 0
        record, past, found = judged(scenario, cases)
        plan_candidate(past.baseline, found)
        report = report_of(record, past, found)
        render_terminal(report.judgement, report.facts, verbosity=-1, plot=False, width=80)
        render_terminal(report.judgement, report.facts, verbosity=0, plot=False, width=80)
        counts.append(operations.count)
    assert counts[1] <= MOST * counts[0]


def test_a_search_for_each_case_would_be_noticed(operations: Operations) -> None:
    counts = []
    for cases in (CASES, 2 * CASES):
        names = tuple(name for name, _ in scale.case_names(cases, 10))
        operations.count = 0
        assert all(any(name == other for other in names) for name in names)
        counts.append(operations.count)
    assert counts[1] > MOST * counts[0]
