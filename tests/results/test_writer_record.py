"""A record is the same after a round trip through its evidence."""

import json
import math
from dataclasses import replace

import msgspec
import pytest

from pytest_pareto.model.attribution import Breakdown
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.results.json_schema import Evidence
from pytest_pareto.results.reader import EvidenceError, record_of
from pytest_pareto.results.writer import evidence_of

PARTS = ("runs", "cases", 0, "metrics", 0, "breakdowns", 0)


def round_trip(record: SessionRecord) -> SessionRecord:
    written = json.dumps(msgspec.to_builtins(evidence_of(record)))
    return record_of(msgspec.convert(json.loads(written), Evidence))


def test_the_round_trip_keeps_every_digit(full_record: SessionRecord) -> None:
    assert round_trip(full_record) == full_record


def test_the_round_trip_keeps_a_difference_in_one_digit(full_record: SessionRecord) -> None:
    """The negative control of the test above."""
    run = full_record.runs[0]
    case = next(iter(run.cases.values()))
    slower = replace(case.measurements[0], values=(0.1 / 3 + 1e-17,))
    other = replace(case, measurements=(slower, *case.measurements[1:]))
    changed = replace(full_record, runs=(replace(run, cases={**run.cases, case.case_id: other}),))
    assert round_trip(changed) == changed
    assert round_trip(changed).runs[0] != full_record.runs[0]


def test_the_round_trip_keeps_what_a_level_consists_of(full_record: SessionRecord) -> None:
    """Without its breakdown a record is another one; one of nothing is not none."""
    run = full_record.runs[1]
    case = next(iter(run.cases.values()))
    blind = replace(case, measurements=tuple(replace(m, breakdown=None) for m in case.measurements))
    changed = replace(full_record, runs=(replace(run, cases={**run.cases, case.case_id: blind}),))
    assert round_trip(changed) == changed
    assert round_trip(changed).runs[0] != run
    memory = next(iter(full_record.runs[2].cases.values())).measurement("peak_memory")
    assert memory is not None
    assert memory.breakdown == Breakdown(())


def test_parts_with_one_name_are_refused(full_record: SessionRecord) -> None:
    content = json.loads(json.dumps(msgspec.to_builtins(evidence_of(full_record))))
    parts = content["runs"]["cases"][0]["metrics"][0]["breakdowns"][0]["parts"]
    assert len(parts) == 2
    record_of(msgspec.convert(content, Evidence))
    parts[1][:2] = parts[0][:2]
    with pytest.raises(EvidenceError, match="two parts of one name"):
        record_of(msgspec.convert(content, Evidence))


def test_repeated_content_is_stored_once(full_record: SessionRecord) -> None:
    evidence = evidence_of(full_record)
    assert len(evidence.environments) == 1
    assert len(set(evidence.lists)) == len(evidence.lists)
    (x,) = [case for case in evidence.runs.cases if "test_x" in case.case]
    (score,) = [m for m in x.metrics if evidence.metrics[m.metric].name == "score"]
    assert [scored.runs for scored in score.scores] == [(0,), (1, 2)]
    (latency,) = [m for m in x.metrics if evidence.metrics[m.metric].name == "latency"]
    assert [composed.runs for composed in latency.breakdowns] == [(1, 2)]


def test_a_test_that_changes_between_runs_has_an_entry_for_each(
    full_record: SessionRecord,
) -> None:
    first, second = full_record.runs[1:]
    case = next(iter(second.cases.values()))
    moved = {**second.cases, case.case_id: replace(case, source="other")}
    changed = replace(full_record, runs=(first, Run(second.environment, moved)))
    assert round_trip(changed) == changed


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("policy", "alpha"), 0.7, "policy.alpha"),
        (("spreads", "host"), -1.0, "spreads.host"),
        (("confirming",), -1, "confirming"),
        (("runs",), {"runs": [], "cases": []}, "runs.runs"),
        (("runs", "runs", 0, "environment"), 9, "runs.runs[0].environment"),
        (("runs", "runs", 0, "finished"), -1, "runs.runs[0].finished"),
        (("runs", "cases", 0, "runs"), [0, 1, 7], "runs.cases[0].runs"),
        (("runs", "cases", 0, "metrics", 0, "metric"), 99, "runs.cases[0].metrics[0].metric"),
        (("runs", "cases", 0, "metrics", 0, "levels"), [1.0], "runs.cases[0].metrics[0].levels"),
        (("runs", "cases", 0, "metrics", 0, "levels"), [-1.0] * 3, "runs.cases[0].metrics[0]"),
        (("runs", "cases", 0, "budgets", 0, "text"), "fast", "runs.cases[0].budgets"),
        (("runs", "cases", 1, "case"), "test_a.py::test_x[é#1]", "runs.cases[1]"),
        ((*PARTS, "runs"), [1, 1], "runs.cases[0].metrics[0].breakdowns"),
        ((*PARTS, "names"), 99, "runs.cases[0].metrics[0].breakdowns.names"),
        ((*PARTS, "marks"), 99, "runs.cases[0].metrics[0].breakdowns.marks"),
        ((*PARTS, "parts"), [[99, -1, 1.0]], "runs.cases[0].metrics[0].breakdowns.parts[0]"),
        ((*PARTS, "parts"), [[-1, -1, 1.0]], "runs.cases[0].metrics[0].breakdowns.parts[0]"),
        ((*PARTS, "parts"), [[0, -2, 1.0]], "runs.cases[0].metrics[0].breakdowns.parts[0]"),
        ((*PARTS, "parts"), [[0, -1, math.inf]], "runs.cases[0].metrics[0].breakdowns"),
        ((*PARTS, "parts"), [[0, -1, 1.0, -1.0]], "runs.cases[0].metrics[0].breakdowns"),
        ((*PARTS, "parts"), [[0, -1, 1.0, math.inf]], "runs.cases[0].metrics[0].breakdowns"),
        ((*PARTS, "parts"), [[0, -1, 1.0, math.nan]], "runs.cases[0].metrics[0].breakdowns"),
        ((*PARTS, "rest"), math.nan, "runs.cases[0].metrics[0].breakdowns"),
        ((*PARTS, "folded"), -1, "runs.cases[0].metrics[0].breakdowns"),
    ],
)
def test_inconsistent_evidence_is_refused(
    full_record: SessionRecord, path: tuple[str | int, ...], value: object, place: str
) -> None:
    content = json.loads(json.dumps(msgspec.to_builtins(evidence_of(full_record))))
    at = content
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(EvidenceError) as caught:
        record_of(msgspec.convert(content, Evidence))
    assert caught.value.place == place
