"""Sessions on a busy host, from levels to the judgement: what could not be compared, and why."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pytest_pareto.baseline.updates import UpdateMode, plan_update
from pytest_pareto.model.baseline import Past
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import Better, Budget, parse_budget
from pytest_pareto.model.policy import Policy, SessionSpreads
from pytest_pareto.model.run import CaseRun, Run
from pytest_pareto.model.session_record import SessionFacts, SessionRecord, SessionReport
from pytest_pareto.model.verdict import CaseVerdict, MetricResult, Position, Verdict
from pytest_pareto.pipeline import facts_against, judge_record, without_calls
from pytest_pareto.report.html.page import render_page
from pytest_pareto.report.markdown import render_markdown
from pytest_pareto.report.terminal import quiet_line, render_terminal
from pytest_pareto.results.reader import load_record
from pytest_pareto.results.writer import render_json
from tests.sessions import (
    DEVICE,
    Levels,
    baseline,
    by_case,
    case_runs,
    five,
    judged,
    remembered,
    session,
)

BUSY = 0.6
"""The share of its time that a process waited for a core beside four busy loops."""


def while_waiting(runs: Sequence[CaseRun], *shares: float | None) -> list[CaseRun]:
    """The runs, of which the process waited for these shares of the time; one share is of all."""
    each = shares if len(shares) > 1 else shares * len(runs)
    return [
        replace(
            run,
            measurements=tuple(
                replace(m, waited=share) if m.metric.name == "device" else m
                for m in run.measurements
            ),
        )
        for run, share in zip(runs, each, strict=True)
    ]


def device(case: CaseVerdict) -> MetricResult:
    found = case.comparison.metric("device")
    assert found is not None
    return found


PAST = baseline(remembered("a", {"device": five(1.0)}))
SLOWER = case_runs("a", {"device": five(3.0)})


def test_a_starved_process_is_not_worse_but_not_comparable() -> None:
    found = judged(session(while_waiting(SLOWER, BUSY)), PAST)
    case = by_case(found)["a"]
    assert device(case).outcome is Outcome.NOT_COMPARABLE
    assert (device(case).baseline, device(case).candidate) == pytest.approx((1.0, 3.0), rel=1e-3)
    assert case.verdict is Verdict.NOT_COMPARABLE
    assert not found.judgement.failed
    (notice,) = case.notices
    assert notice.startswith(
        "device could not be compared: the host was busy: this process waited for a core for up to "
        "60 % of the time, which alone can exceed the tolerance of 1 %."
    )


@pytest.mark.parametrize(
    ("level", "outcome"),
    [(4.9, Outcome.NOT_COMPARABLE), (5.2, Outcome.WORSE), (0.1, Outcome.NOT_COMPARABLE)],
)
def test_twice_as_slow_without_the_waiting_is_worse(level: float, outcome: Outcome) -> None:
    runs = session(while_waiting(case_runs("a", {"device": five(level)}), BUSY))
    found = judged(runs, PAST)
    result = device(by_case(found)["a"])
    assert result.outcome is outcome
    if outcome is Outcome.WORSE:
        assert result.candidate == pytest.approx(level * (1 - BUSY), rel=1e-3)
        assert result.notes[-1].startswith("the host was busy: this is compared without")
        assert found.judgement.failed
    _, edits = plan_update(PAST, found, UpdateMode.ALL, prune=frozenset())
    assert not [edit for edit in edits if edit.metric == "device"]


def test_what_a_busy_host_leaves_undecided_is_named_with_its_levels() -> None:
    """Four times as slow, which waiting may explain: the default report says so by name."""
    past = baseline(
        remembered("slow", {"device": five(1.0)}), remembered("within", {"device": five(1.0)})
    )
    runs = [
        while_waiting(case_runs(name, {"device": five(level)}), BUSY)
        for name, level in (("slow", 4.0), ("within", 1.0))
    ]
    judgement = judged(session(*runs), past).judgement
    facts = SessionFacts("there", "cpu", 1, 5, 5, 1.0)
    lines = render_terminal(judgement, facts, verbosity=0, plot=False, width=80)
    told = [line.text for line in lines]
    assert "  slow: device 1.000 → 4.000 s (×4.0, limit 1 %)" in told
    assert "  within" in told
    markdown = render_markdown(SessionReport(judgement, facts))
    assert "slow: device 1.000 → 4.000 s (×4.0, limit 1 %)" in markdown.replace("`", "")
    assert "×4.0" in render_page(SessionReport(judgement, facts))
    assert "inconclusive: slow (device ×4.0)" in quiet_line(judgement, facts, 80).text


def test_a_rate_is_higher_without_the_waiting() -> None:
    """Waiting explains a fall to 1 - share, and no fall to a twentieth."""
    rate = replace(DEVICE, better=Better.HIGHER)
    case = remembered("a", {"device": five(1.0)})
    stored = replace(case.metrics["device"], better=Better.HIGHER)
    past = baseline(replace(case, metrics={"device": stored}))
    for level, outcome in ((1 - BUSY, Outcome.NOT_COMPARABLE), (0.05, Outcome.WORSE)):
        runs = while_waiting(case_runs("a", {"device": five(level)}, device=rate), BUSY)
        assert device(by_case(judged(session(runs), past))["a"]).outcome is outcome


def test_what_may_be_nothing_but_waiting_is_not_compared() -> None:
    runs = while_waiting(case_runs("a", {"device": five(90.0)}), 1.02)
    found = judged(session(runs), PAST)
    assert device(by_case(found)["a"]).outcome is Outcome.NOT_COMPARABLE


def test_a_new_case_on_a_busy_host_has_nothing_to_be_worse_than() -> None:
    found = judged(session(while_waiting(SLOWER, BUSY)), baseline())
    assert device(by_case(found)["a"]).outcome is Outcome.NOT_COMPARABLE


@pytest.mark.parametrize("waited", [None, 0.0, 0.001])
def test_one_that_was_not_starved_is_worse(waited: float | None) -> None:
    found = judged(session(while_waiting(SLOWER, waited)), PAST)
    assert device(by_case(found)["a"]).outcome is Outcome.WORSE


@pytest.mark.parametrize("tolerance", [0.05, 0.25])
def test_what_waiting_can_explain_is_measured_by_the_tolerance(tolerance: float) -> None:
    metric = replace(DEVICE, tolerance=tolerance)
    limit = 1 - 1 / (1 + tolerance)  # the rest of the time takes 1 + tolerance times as long
    for waited, outcome in ((limit - 1e-6, Outcome.WORSE), (limit + 1e-6, Outcome.NOT_COMPARABLE)):
        runs = while_waiting(case_runs("a", {"device": five(1.8)}, device=metric), waited)
        assert device(by_case(judged(session(runs), PAST))["a"]).outcome is outcome


def test_no_host_is_so_quiet_that_a_tolerance_of_0_forbids_all_waiting() -> None:
    exact = replace(DEVICE, tolerance=0.0)
    runs = while_waiting(case_runs("a", {"device": five(3.0)}, device=exact), 0.01)
    assert device(by_case(judged(session(runs), PAST))["a"]).outcome is Outcome.WORSE


def test_scores_of_a_starved_process_are_compared() -> None:
    levels: Levels = {"device": five(1.0), "score": [[0.9, 0.8, 0.85, 0.7] * 10] * 5}
    worse: Levels = {"device": five(3.0), "score": [[0.5, 0.4, 0.45, 0.3] * 10] * 5}
    found = judged(
        session(while_waiting(case_runs("a", worse), BUSY)), baseline(remembered("a", levels))
    )
    case = by_case(found)["a"]
    assert case.verdict is Verdict.WORSE
    assert [r.metric.name for r in case.comparison.results(Outcome.WORSE)] == ["score"]


def test_runs_on_a_quiet_host_count_alone() -> None:
    levels = [1.0, 5.0, 1.001, 7.0, 0.999]
    runs = while_waiting(case_runs("a", {"device": levels}), 0.0, 0.8, 0.0, 0.9, 0.0)
    result = device(by_case(judged(session(runs), PAST))["a"])
    assert result.outcome is not Outcome.NOT_COMPARABLE
    assert result.candidate == pytest.approx(1.0, abs=1e-6)
    assert result.notes[-1] == "measured in 3 of 5 runs: the host was busy in the others"


def test_the_confirming_runs_may_meet_a_busy_host() -> None:
    flagged = frozenset({("a", "device")})
    for waited, outcome in ((BUSY, Outcome.NOT_COMPARABLE), (0.0, Outcome.WORSE)):
        again = session(while_waiting(SLOWER, waited))
        found = judged(session(SLOWER), PAST, confirmation=(flagged, again))
        assert device(by_case(found)["a"]).outcome is outcome
        assert found.judgement.failed is (outcome is Outcome.WORSE)


@pytest.mark.parametrize("mode", UpdateMode)
def test_no_update_records_a_starved_process(mode: UpdateMode) -> None:
    starved = [while_waiting(case_runs(name, {"device": five(3.0)}), BUSY) for name in ("a", "new")]
    found = judged(session(*starved), PAST)
    after, edits = plan_update(PAST, found, mode, prune=frozenset())
    assert (after, edits) == (PAST, ())


def test_the_rest_of_a_new_case_is_recorded() -> None:
    levels: Levels = {"device": five(3.0), "score": [[0.5, 0.4, 0.45, 0.3]] * 5}
    found = judged(session(while_waiting(case_runs("new", levels), BUSY)), PAST)
    after, _ = plan_update(PAST, found, UpdateMode.CHANGED, prune=frozenset())
    assert list(after.cases["new"].metrics) == ["score"]
    assert by_case(found)["new"].comparison.broken is None


@pytest.mark.parametrize("limit", ["<= 1 s", "<= 9 s"])
def test_a_budget_is_undecided(limit: str) -> None:
    budget: Budget = parse_budget("device", limit)
    runs = while_waiting(case_runs("a", {"device": five(3.0)}, budgets=(budget,)), BUSY)
    found = judged(session(runs), PAST, Policy(ci=True))
    (result,) = by_case(found)["a"].comparison.budgets
    assert result.broken is None
    assert result.value == pytest.approx(3.0, rel=1e-3)
    assert "the host was busy" in str(result.reason)
    assert not found.judgement.failed


def test_where_nothing_may_stay_undecided_it_fails() -> None:
    starved = session(while_waiting(SLOWER, BUSY))
    found = judged(starved, PAST, Policy(fail_inconclusive=True))
    assert "the host was busy" in by_case(found)["a"].fails[0]


def test_a_starved_case_loses_no_place_on_its_front() -> None:
    levels = {"a": 1.0, "b": 1.5}
    past = baseline(*(remembered(name, {"device": five(x)}) for name, x in levels.items()))
    runs = [
        while_waiting(case_runs("a", {"device": five(9.0)}), BUSY),
        case_runs("b", {"device": five(1.5)}),
    ]
    for measured, position in ((runs, Position.AMBIGUOUS), ([[*SLOWER], runs[1]], Position.LOST)):
        assert by_case(judged(session(*measured), past))["a"].place.position is position


def test_old_and_new_code_in_turn_meet_the_same_host() -> None:
    def both(old: float, new: float) -> SessionRecord:
        sides = [
            session(while_waiting(case_runs("a", {"device": five(x)[:4]}), BUSY))
            for x in (old, new)
        ]
        return SessionRecord(tuple(sides[1]), Policy(), old_runs=tuple(sides[0]))

    assert device(by_case(judge_record(both(3.0, 6.0)))["a"]).outcome is Outcome.WORSE
    assert device(by_case(judge_record(both(3.0, 3.0)))["a"]).outcome is Outcome.UNCHANGED


def test_a_results_file_keeps_what_waiting_cost(tmp_path: Path) -> None:
    runs = while_waiting(SLOWER, 0.0, 0.8, None, 0.9, 0.25)
    record = SessionRecord(tuple(session(runs)), Policy())
    judgement = judge_record(record, Past(PAST)).judgement
    report = SessionReport(
        judgement, facts_against(record, PAST, "b"), record=without_calls(record)
    )
    file = tmp_path / "results.json"
    file.write_text(render_json(report))
    _, read = load_record(file)
    assert [_waited(run) for run in read.runs] == [0.0, 0.8, None, 0.9, 0.25]
    assert judge_record(read, Past(PAST)).judgement == judgement


def _waited(run: Run) -> float | None:
    found = run.cases["a"].measurement("device")
    assert found is not None
    return found.waited


def test_waiting_that_is_let_through_convicts_nobody() -> None:
    """Simulate unchanged code whose processes wait for as long as is let through.

    Without the limit, sessions that wait four times as long are WORSE: the same check fails.
    """
    rng = np.random.default_rng(16)
    metric = replace(DEVICE, tolerance=0.05)
    policy = Policy(spreads=SessionSpreads(gpu=0.0))

    def share_worse(lengthening: float, *, known: bool) -> float:
        waited = 1 - 1 / (1 + lengthening)
        worse = 0
        for _ in range(200):
            noise = np.exp(rng.normal(0, 0.01, 10))
            past = baseline(remembered("a", {"device": noise[:5].tolist()}))
            levels = (noise[5:] / (1 - waited)).tolist()
            runs = case_runs("a", {"device": levels}, device=metric)
            runs = while_waiting(runs, waited if known else None)
            result = device(by_case(judged(session(runs), past, policy))["a"])
            worse += result.outcome is Outcome.WORSE
        return worse / 200

    at_the_limit = math.nextafter(0.05, 0)
    assert share_worse(at_the_limit, known=True) <= 0.1
    assert share_worse(0.2, known=True) == 0
    assert share_worse(0.2, known=False) > 0.9
