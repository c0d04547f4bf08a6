"""Tests of renames: what is gone and seems to have another name now is offered, never done."""

from dataclasses import replace

import pytest

from pytest_pareto.model.metric import Metric
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import Rename, Verdict
from pytest_pareto.report.next_steps import session_steps
from tests.sessions import METRICS, Levels, baseline, case_runs, five, judged, remembered, session

SCORES = [[0.5, 0.25, 0.75, 0.125]]
OTHERS = [[0.5, 0.25, 0.75, 0.25]]
OLD, NEW = "t.py::test_old", "t.py::test_new"


def found(old: dict[str, Levels], new: dict[str, Levels], **metrics: Metric) -> tuple[Rename, ...]:
    past = baseline(*(remembered(case_id, levels) for case_id, levels in old.items()))
    runs = session(*(case_runs(case_id, levels, **metrics) for case_id, levels in new.items()))
    judgement = judged(runs, past).judgement
    assert all(str(each) in judgement.notices for each in judgement.renames)
    return judgement.renames


def test_a_test_with_equal_scores_is_offered_once_for_all_its_parameters() -> None:
    old: dict[str, Levels] = {f"{OLD}[{p}]": {"score": SCORES} for p in "ab"}
    new: dict[str, Levels] = {f"{NEW}[{p}]": {"score": SCORES} for p in "ab"}
    assert found(old, new) == (Rename(OLD, NEW, "equal values of score"),)


def test_a_parameter_that_was_renamed_is_offered_alone() -> None:
    old: dict[str, Levels] = {f"{OLD}[a]": {"score": SCORES}, f"{OLD}[b]": {"score": OTHERS}}
    new: dict[str, Levels] = {f"{OLD}[a]": {"score": SCORES}, f"{OLD}[c]": {"score": OTHERS}}
    assert found(old, new) == (Rename(f"{OLD}[b]", f"{OLD}[c]", "equal values of score"),)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({OLD: {"score": SCORES}}, {NEW: {"score": OTHERS}}),
        ({OLD: {"score": SCORES}}, {NEW: {"score": SCORES, "device": [1.0]}}),
        ({OLD: {"score": SCORES}}, {NEW: {"score": SCORES}, "t.py::test_too": {"score": SCORES}}),
        ({OLD: {"score": SCORES}}, {OLD: {"score": SCORES}, NEW: {"score": SCORES}}),
    ],
    ids=["other scores", "more metrics", "two could be it", "it is still there"],
)
def test_what_differs_or_is_ambiguous_is_not_offered(
    old: dict[str, Levels], new: dict[str, Levels]
) -> None:
    assert found(old, new) == ()


def test_noisy_levels_alone_are_told_apart_by_the_names_of_the_metrics() -> None:
    old: dict[str, Levels] = {OLD: {"device": five(1.0)}}
    assert found(old, {NEW: {"device": five(1.1)}}) == (Rename(OLD, NEW, "the same metrics"),)
    assert found(old, {NEW: {"score": [*SCORES] * 5}}) == ()


def test_a_metric_with_equal_scores_is_offered() -> None:
    renamed = replace(METRICS["score"], name="quality")
    old: dict[str, Levels] = {OLD: {"score": SCORES, "device": [1.0]}}
    new: dict[str, Levels] = {OLD: {"quality": SCORES, "device": [1.0]}}
    other: dict[str, Levels] = {OLD: {"quality": OTHERS, "device": [1.0]}}
    assert found(old, new, quality=renamed) == (Rename("score", "quality", "equal values", OLD),)
    assert found(old, other, quality=renamed) == ()
    turned = replace(renamed, unit="dB")
    assert found(old, new, quality=turned) == ()


def test_what_is_missing_stays_missing_and_the_step_is_a_command() -> None:
    past = baseline(remembered(OLD, {"score": SCORES}))
    judgement = judged(session(case_runs(NEW, {"score": SCORES})), past).judgement
    verdicts = {case.case_id: case.verdict for case in judgement.cases}
    assert verdicts == {OLD: Verdict.MISSING, NEW: Verdict.NEW}
    assert judgement.failed
    first = next(session_steps(judgement, SessionFacts("there", "cpu", 1, 5, 1, 1.0)))
    assert first.command == ("pytest-pareto", "rename", OLD, NEW)


def test_an_update_that_records_the_new_name_offers_nothing() -> None:
    past = baseline(remembered(OLD, {"score": SCORES}))
    runs = session(case_runs(NEW, {"score": SCORES}))
    assert judged(runs, past, Policy(accepts_new=True)).judgement.renames == ()
