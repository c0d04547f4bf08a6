"""A session judged by its record, now and from what was written of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pytest_pareto.baseline.store import load
from pytest_pareto.model.baseline import Past
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import Asked, SessionRecord
from pytest_pareto.model.verdict import Failure, Verdict
from pytest_pareto.pipeline import accepted, judge_record, without_calls
from pytest_pareto.results.reader import load_record
from tests.sessions import HERE, baseline, by_case, case_runs, five, remembered, session

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
BASELINES = ROOT / "example_project" / "pareto_baselines"
RECORDED = [
    (DATA / "example" / "unchanged.json", BASELINES),
    (DATA / "example" / "tradeoff.json", BASELINES),
    (DATA / "h200_session" / "planted.json", DATA / "h200_session" / "pareto_baselines"),
]
PAST = Past(baseline(remembered("m.py::a", {"device": five(1.0)})))


def record(level: float, *, name: str = "m.py::a", **about: object) -> SessionRecord:
    return SessionRecord(
        tuple(session(case_runs(name, {"device": five(level)}))), Policy(), **about  # type: ignore[arg-type]  # whatever a test says
    )  # fmt: skip


def test_single_calls_decide_nothing() -> None:
    runs = case_runs("m.py::a", {"device": five(1.1)})
    many = [
        replace(
            run,
            measurements=tuple(
                replace(m, values=tuple(m.values[0] * x for x in (1, 0.99, 1.3, 1.02, 1)))
                for m in run.measurements
            ),
        )
        for run in runs
    ]
    whole = SessionRecord(tuple(session(many)), Policy())
    assert without_calls(whole) != whole
    assert judge_record(without_calls(whole), PAST).judgement == judge_record(whole, PAST).judgement


def test_confirming_runs_decide_about_what_was_flagged() -> None:
    again = tuple(session(case_runs("m.py::a", {"device": five(1.0)})))
    flagged = frozenset({("m.py::a", "device")})
    confirmed = record(1.1, flagged=flagged, again=again)
    assert by_case(judge_record(confirmed, PAST))["m.py::a"].verdict is Verdict.UNCHANGED
    assert by_case(judge_record(record(1.1), PAST))["m.py::a"].verdict is Verdict.DOMINATED


def test_what_was_confirmed_need_not_be_known_to_another_baseline() -> None:
    again = tuple(session(case_runs("m.py::b", {"device": five(1.0)})))
    flagged = frozenset({("m.py::b", "device")})
    confirmed = record(1.1, name="m.py::b", flagged=flagged, again=again)
    assert by_case(judge_record(confirmed, PAST))["m.py::b"].verdict is Verdict.NEW


def test_what_was_not_selected_is_not_missing() -> None:
    other = record(1.0, name="n.py::b")
    assert by_case(judge_record(other, PAST))["m.py::a"].verdict is Verdict.MISSING
    asked = replace(other, asked=Asked(("n.py",)))
    assert set(by_case(judge_record(asked, PAST))) == {"n.py::b"}
    failed = replace(other, failures=(Failure("run 2 died"),))
    assert set(by_case(judge_record(failed, PAST))) == {"n.py::b"}


def test_what_is_missing_stays_so_where_a_confirming_run_fails() -> None:
    flagged = frozenset({("n.py::b", "device")})
    died = record(1.0, name="n.py::b", flagged=flagged, failures=(Failure("run 2 died"),))
    assert by_case(judge_record(died, PAST))["m.py::a"].verdict is Verdict.MISSING


def test_accepted_is_what_files_would_hold() -> None:
    left = accepted(record(1 / 3))
    (history,) = left.cases["m.py::a"].metrics.values()
    assert history.newest.runs == tuple(float(f"{x:.7g}") for x in five(1 / 3))
    assert left.environments[history.newest.env] == HERE


def test_accepted_leaves_out_what_is_broken_or_incomplete() -> None:
    runs = session(
        case_runs("m.py::a", {"device": five(1.0)}),
        case_runs("m.py::b", {"device": five(1.0)[:3]}),
        case_runs("m.py::c", {"device": five(1.0)}),
    )
    died: list[Run] = [replace(run, failed={"m.py::c": "died"}) for run in runs]
    assert set(accepted(SessionRecord(tuple(died), Policy())).cases) == {"m.py::a"}


def test_in_turn_the_old_code_is_what_is_compared_with() -> None:
    old = tuple(session(case_runs("m.py::a", {"device": five(1.0)[:4]})))
    new = tuple(session(case_runs("m.py::a", {"device": five(1.2)[:4]})))
    turns = SessionRecord(new, Policy(), old_runs=old)
    assert by_case(judge_record(turns))["m.py::a"].verdict is Verdict.DOMINATED
    same = replace(turns, runs=old)
    assert by_case(judge_record(same))["m.py::a"].verdict is not Verdict.DOMINATED


@pytest.mark.parametrize(("file", "baselines"), RECORDED[:1], ids=lambda path: path.stem)
def test_numpy_may_have_been_told_to_raise(file: Path, baselines: Path) -> None:
    content, recorded = load_record(file)
    past = Past(load(baselines, content.session.hardware_key))
    plain = judge_record(recorded, past).judgement
    with np.errstate(all="raise"):
        assert judge_record(recorded, past).judgement == plain


@pytest.mark.parametrize(("file", "baselines"), RECORDED, ids=lambda path: path.stem)
def test_a_real_session_is_judged_as_it_was_when_it_ran(file: Path, baselines: Path) -> None:
    """Against the files of the baseline, from the file of the session, to nine digits.

    The last digits depend on the processor: numpy's vectorised functions round otherwise.
    """
    content, recorded = load_record(file)
    judged = judge_record(recorded, Past(load(baselines, content.session.hardware_key))).judgement
    now = {
        (case.case_id, result.metric.name): (case.verdict, result.outcome, result.change)
        for case in judged.cases
        for result in case.comparison.metrics
    }
    assert len(now) == len(content.metrics) > 20
    for stored in content.metrics:
        verdict, outcome, change = now[stored.case, stored.metric]
        assert (verdict, outcome) == (stored.verdict, stored.outcome)
        ends = (change.estimate, change.low, change.high) if change else (None, None, None)
        for end, before in zip(ends, (stored.estimate, stored.low, stored.high), strict=True):
            same = None if before is None else pytest.approx(before, rel=1e-9, abs=1e-15)
            assert end == same


def test_a_real_session_against_another_baseline_is_judged_otherwise() -> None:
    content, recorded = load_record(DATA / "example" / "tradeoff.json")
    past = load(BASELINES, content.session.hardware_key)
    case_id = next(case for case in past.cases if "ddim-2" in case)
    without = replace(past, cases={k: v for k, v in past.cases.items() if k != case_id})
    verdicts = {
        case.case_id: case.verdict for case in judge_record(recorded, Past(without)).judgement.cases
    }
    assert verdicts[case_id] is Verdict.NEW
