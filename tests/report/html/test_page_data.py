"""Tests of the script's data: JSON that cannot leave its element."""

import json
from dataclasses import replace
from itertools import combinations

import pytest

from benchmarks.html_report import synthetic_session
from pytest_pareto.model.verdict import CaseVerdict
from pytest_pareto.report.html.case_rows import build_sections
from pytest_pareto.report.html.page import data_json

HOSTILE = "</script><script>alert(1)</script><!--&\u2028\u2029"


def renamed(case: CaseVerdict, name: str) -> CaseVerdict:
    results = list(case.comparison.metrics)
    results[0] = replace(results[0], metric=replace(results[0].metric, name=name))
    return replace(case, comparison=replace(case.comparison, metrics=tuple(results)))


def test_nothing_in_it_can_end_its_element() -> None:
    judgement = synthetic_session(12).judgement
    cases = tuple(renamed(case, HOSTILE) for case in judgement.cases)
    text = data_json(build_sections(replace(judgement, cases=cases)))
    assert not {"<", ">", "&", "\u2028", "\u2029"} & set(text)
    (section,) = json.loads(text)["sections"]
    # `clean` escapes line separators; all else is unchanged.
    shown = HOSTILE.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    assert section["axes"][0]["label"] == f"{shown} (ms), lower is better"


def test_it_holds_the_numbers_of_the_judgement() -> None:
    judgement = synthetic_session(12).judgement
    sections = build_sections(judgement)
    (section,) = json.loads(data_json(sections))["sections"]
    for number, case in enumerate(sections[0].cases):
        latency = case.verdict.comparison.metric("latency")
        assert latency is not None
        axis = section["axes"][0]
        one = 10.0 ** axis["power"]
        assert axis["new"][number] * one == pytest.approx(latency.candidate, rel=1e-3)
        drawn = case.block.changed or any(number in sides[0] for sides in section["lines"].values())
        assert (str(number) in axis["old"]) is drawn
        if drawn:
            assert axis["old"][str(number)] * one == pytest.approx(latency.baseline, rel=1e-3)


def test_columns_sort_by_the_order_of_their_changes() -> None:
    (section,) = build_sections(synthetic_session(12).judgement)
    (data,) = json.loads(data_json([section]))["sections"]
    for place, name in enumerate(section.names):
        found = [case.verdict.comparison.metric(name) for case in section.cases]
        changes = [result.change.estimate for result in found if result and result.change]
        ranks = data["columns"][place]["harm"] or [0] * 12
        assert len(ranks) == len(changes) == 12
        for a, b in combinations(range(12), 2):
            assert (ranks[a] < ranks[b]) is (changes[a] < changes[b])
            assert (ranks[a] == ranks[b]) is (changes[a] == changes[b])


def test_every_pair_of_axes_has_its_lines() -> None:
    (section,) = json.loads(data_json(build_sections(synthetic_session(12).judgement)))["sections"]
    count = len(section["axes"])
    assert set(section["lines"]) == {f"{a},{b}" for b in range(count) for a in range(b)}
    assert [axis["higher"] for axis in section["axes"]] == [False] * 4 + [True] + [False] * 2


def test_close_levels_keep_the_digits_that_distinguish_them() -> None:
    judgement = synthetic_session(3).judgement

    def close(case: CaseVerdict, number: int) -> CaseVerdict:
        results = list(case.comparison.metrics)
        level = 1.0 + number * 1e-6
        results[0] = replace(results[0], baseline=level, candidate=level)
        return replace(case, comparison=replace(case.comparison, metrics=tuple(results)))

    cases = tuple(close(case, number) for number, case in enumerate(judgement.cases))
    text = data_json(build_sections(replace(judgement, cases=cases)))
    (section,) = json.loads(text)["sections"]
    assert len(set(section["axes"][0]["new"])) == 3
