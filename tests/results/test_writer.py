"""The table: one flat record per case and metric, with everything that reports show."""

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from pytest_pareto.model.attribution import Attribution, Contribution
from pytest_pareto.model.change import Change
from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import CaseComparison, CaseVerdict, Judgement, MetricResult
from pytest_pareto.results.json_schema import CaseRecord, MetricRecord
from pytest_pareto.results.reader import decode
from pytest_pareto.results.writer import encode, render_json, results_of

Judged = Callable[..., SessionReport]
LISTS = {"notes", "worst_ids"}


def written(report: SessionReport) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(render_json(report))
    return content


def test_the_table_is_flat(judged: Judged) -> None:
    for side in ("metrics", "anchor"):
        rows = written(judged())[side]
        assert rows
        assert len({tuple(row) for row in rows}) == 1
        for row in rows:
            nested = {name for name, value in row.items() if isinstance(value, list | dict)}
            assert nested <= LISTS
            assert all(isinstance(text, str) for name in nested for text in row[name])


def test_one_line_of_pandas_reads_the_table(judged: Judged) -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(written(judged())["metrics"])
    assert list(table.query("outcome == 'WORSE'")["metric"]) == ["device"]
    assert table["estimate"].dtype == float


def test_the_numbers_are_those_of_the_judgement(judged: Judged) -> None:
    report = judged()
    rows = written(report)["metrics"]
    results = [(c, r) for c in report.judgement.cases for r in c.comparison.metrics]
    assert len(rows) == len(results)
    for row, (case, result) in zip(rows, results, strict=True):
        assert (row["case"], row["metric"]) == (case.case_id, result.metric.name)
        assert row["outcome"] == result.outcome
        assert (row["baseline"], row["candidate"]) == (result.baseline, result.candidate)
        if result.change is not None:
            for name in ("estimate", "low", "high", "p_worse", "p_convicting", "df", "pairs"):
                assert row[name] == getattr(result.change, name), name
            assert row["worst_ids"] == list(result.change.worst_ids)
        else:
            assert row["estimate"] is None
            assert row["reason"] == result.reason
    assert {row["outcome"] for row in rows} >= {"WORSE", "BETTER", "NEW"}


def test_every_field_of_the_reports_is_written() -> None:
    """A new field of a model class needs a field in the file."""
    rows = {field.name for field in fields(Change)} | {f.name for f in fields(MetricResult)}
    renamed = {"metric", "change", "state"}
    renamed |= {"without_waiting"}  # the levels and their waiting are in the evidence
    renamed |= {"runs"}  # the levels are in the evidence
    renamed |= {"confirming_runs"}  # the runs that were made are in the evidence
    renamed |= {"if_suspected"}  # where it applies, the reason has it
    assert rows - renamed <= set(MetricRecord.__struct_fields__)
    cases = {f.name for f in fields(CaseVerdict)} | {f.name for f in fields(CaseComparison)}
    renamed = {"comparison", "place", "case_id", "metrics", "anchor"}
    assert cases - renamed <= set(CaseRecord.__struct_fields__)


def test_an_attribution_is_written_as_it_is(judged: Judged) -> None:
    report = judged()
    case = report.judgement.cases[0]
    (first, *others) = case.comparison.metrics
    part = Contribution("aten::addmm in Net.fc1", 0.1, 0.3, 1.0, None, at_most=0.05)
    moved = replace(first, attribution=Attribution((part,), 0.1, -0.1, 0.2))
    comparison = replace(case.comparison, metrics=(moved, *others))
    cases = (replace(case, comparison=comparison),)
    text = render_json(replace(report, judgement=Judgement(cases)))
    row, *rest = json.loads(text)["metrics"]
    assert row["attribution"] == {
        "contributions": [
            {
                "name": "aten::addmm in Net.fc1",
                "baseline": 0.1,
                "candidate": 0.3,
                "baseline_count": 1.0,
                "candidate_count": None,
                "at_most": 0.05,
            }
        ],
        "other": 0.1,
        "unexplained": -0.1,
        "total": 0.2,
    }
    assert all(other["attribution"] is None for other in rest)
    assert decode(text, "b.json").metrics[0].attribution == moved.attribution


def test_the_gate_and_the_session_are_written(judged: Judged) -> None:
    report = judged()
    content = written(report)
    gate = content["gate"]
    assert gate["failed"] is True
    assert gate["counts"] == {str(v): n for v, n in report.judgement.counts.items()}
    assert content["session"]["baseline_path"] == "pareto_baselines/here"
    assert content["environment"]["gpu_product"] == "NVIDIA H200"
    assert content["pictures"] == [
        {"case": "m.py::a", "metric": "score", "sample": "s1", "file": "art/a.png"}
    ]
    (a, *_) = [case for case in content["cases"] if case["case"] == "m.py::a"]
    assert a["fails"]
    assert a["budgets"][0]["broken"] is False


def test_infinities_are_null(judged: Judged) -> None:
    """JSON has no infinity, but Python's writer writes one by default."""
    report = judged()
    case = report.judgement.cases[0]
    (result, *_) = case.comparison.metrics
    assert result.change is not None
    blind = replace(result, change=replace(result.change, resolution=float("inf"), df=float("nan")))
    cases = (replace(case, comparison=replace(case.comparison, metrics=(blind,))),)
    text = render_json(replace(report, judgement=Judgement(cases)))
    (row,) = json.loads(text, parse_constant=pytest.fail)["metrics"]
    assert row["resolution"] is None
    assert row["df"] is None
    assert row["low"] is not None


def test_records_become_plain_objects_one_at_a_time(judged: Judged) -> None:
    report = judged()
    many = report.judgement.cases * 100
    report = replace(report, judgement=replace(report.judgement, cases=many))
    tracemalloc.start()
    content = results_of(report)
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    text = encode(content)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The text, and the lines that it is joined from.
    assert most - before < 3.5 * len(text)
