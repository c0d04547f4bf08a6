"""OpenMetrics text, read by the format's own parser."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.session_record import SessionFacts, SessionReport
from pytest_pareto.model.verdict import (
    CaseComparison,
    CaseVerdict,
    Judgement,
    MetricResult,
    Place,
    Position,
    Verdict,
)
from pytest_pareto.report.openmetrics import render_openmetrics
from pytest_pareto.report.text import clean

Run = tuple[Judgement, SessionFacts]
Samples = dict[tuple[str, ...], float]


def read(text: str) -> Samples:
    """Return the values by name and labels."""
    found = {}
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # it has none
    for family in families:
        assert family.type in ("gauge", "unknown")
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.values()))
            assert key not in found
            found[key] = sample.value
    return found


def test_every_session_is_valid(any_run: Run) -> None:
    text = render_openmetrics(SessionReport(*any_run))
    assert text.endswith("\n# EOF\n")
    found = read(text)
    assert found["pareto_failed",] == any_run[0].failed
    assert sum(v for key, v in found.items() if key[0] == "pareto_cases") == len(any_run[0].cases)


def test_the_parser_refuses_what_is_not_valid() -> None:
    with pytest.raises(ValueError, match="EOF"):
        read("pareto_failed 1\n")


def test_what_changed_shows_its_level_and_what_did_not_its_baseline(failing_run: Run) -> None:
    found = read(render_openmetrics(SessionReport(*failing_run)))
    worse, still = "test_sd.py::test_generate[int8-20]", "test_sd.py::test_generate[q0]"
    assert found["pareto_level_seconds", "device_time", worse] == 0.246
    assert found["pareto_level_seconds", "latency", still] == 0.402
    assert found["pareto_metric_worse", "device_time", worse] == 1
    assert found["pareto_case_failed", worse] == 1
    assert found["pareto_case_failed", still] == 0


def test_noise_changes_no_line(passing_run: Run) -> None:
    judgement, _ = passing_run

    def shaken(result: MetricResult) -> MetricResult:
        assert result.candidate is not None
        return replace(result, candidate=result.candidate * 1.004)

    def moved(case: CaseVerdict) -> CaseVerdict:
        metrics = tuple(map(shaken, case.comparison.metrics))
        return replace(case, comparison=replace(case.comparison, metrics=metrics))

    again = Judgement(tuple(map(moved, judgement.cases)))
    reports = [SessionReport(each, passing_run[1]) for each in (judgement, again)]
    assert reports[0] != reports[1]
    assert render_openmetrics(reports[0]) == render_openmetrics(reports[1])


names = st.text(st.one_of(st.sampled_from('"\\\n{},= \u202e\x1b'), st.characters()), min_size=1)


@given(st.lists(names, min_size=1, max_size=3, unique=True), names, names)
def test_hostile_names_are_labels(ids: list[str], metric: str, unit: str) -> None:
    asked = Metric("x", "", Better.LOWER, Kind.RUN, Scope.HOST, 0.05, relative=True)
    # No file can hold such names, and no metric accepts them; a report still renders them.
    for name, text in (("name", metric), ("unit", unit)):
        object.__setattr__(asked, name, text)
    result = MetricResult(asked, candidate=0.5, state=Outcome.NEW)
    place = Place(Position.OFF)
    cases = [CaseVerdict(CaseComparison(i, i, "f", (result,)), Verdict.NEW, place) for i in ids]
    facts = SessionFacts("pareto_baselines/x", "x", 2, 10, 1, 1.0)
    found = read(render_openmetrics(SessionReport(Judgement(tuple(cases)), facts)))
    for name in ids:
        assert ("pareto_case_failed", clean(name)) in found
        labels = sorted((clean(name), clean(metric)))
        assert ("pareto_metric_worse", *labels) in found


def test_a_lower_bound_is_no_level(failing_run: Run) -> None:
    judgement, facts = failing_run

    def bounded(case: CaseVerdict) -> CaseVerdict:
        metrics = tuple(replace(r, lower_bound="without x") for r in case.comparison.metrics)
        return replace(case, comparison=replace(case.comparison, metrics=metrics))

    before = read(render_openmetrics(SessionReport(judgement, facts)))
    after = Judgement(tuple(map(bounded, judgement.cases)))
    found = read(render_openmetrics(SessionReport(after, facts)))
    assert any("pareto_level" in key[0] for key in before)
    assert not any("pareto_level" in key[0] for key in found)
