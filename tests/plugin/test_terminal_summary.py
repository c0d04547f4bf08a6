"""The toy project from end to end: what changes, and what the build says of it."""

import re
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import Position, Verdict

if TYPE_CHECKING:
    from tests.plugin.conftest import Session, Toy


def outcome(session: "Session", case: str, metric: str) -> Outcome:
    result = session.case(case).comparison.metric(metric)
    assert result is not None
    return result.outcome


@pytest.fixture(params=["toy", pytest.param("real_toy", marks=pytest.mark.slow)])
def toy(request: pytest.FixtureRequest) -> "Toy":
    """The toy on its simulated clock and, beside the calibration, on the machine's own."""
    toy: Toy = request.getfixturevalue(request.param)
    return toy


def test_unchanged_code_passes(toy: "Toy") -> None:
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert session.judgement is not None
    assert not session.judgement.failed
    assert {c.place.position for c in session.cases} == {Position.KEPT}
    session.result.assert_outcomes(passed=4)


@pytest.mark.slow
def test_unchanged_code_passes_twenty_times_of_twenty(toy: "Toy") -> None:
    assert [toy.run("--pareto").exit_code for _ in range(20)] == [0] * 20


def test_twice_as_slow_is_dominated(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto")
    assert session.exit_code == 1
    assert session.case("large").verdict is Verdict.DOMINATED
    assert outcome(session, "large", "latency") is Outcome.WORSE
    assert session.case("large").place.position is Position.KEPT
    assert session.case("small").fails == ()
    session.result.assert_outcomes(passed=3, failed=1)
    session.result.stdout.fnmatch_lines(["FAILED test_toy.py::test_generate[[]large] - *latency*"])


def test_the_real_clock_sees_what_no_machine_explains(real_toy: "Toy") -> None:
    # Fifteen times as slow: no hesitation of a machine comes near.
    real_toy.change(small={"seconds": 0.15})
    session = real_toy.run("--pareto")
    assert session.exit_code == 1
    assert outcome(session, "small", "latency") is Outcome.WORSE


def test_a_failing_case_has_its_table_once(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto", "--junitxml=junit.xml")
    _, failures, summary = re.split(r"=+ FAILURES =+|=+ pareto: .* =+", session.text)
    assert "latency WORSE: " in failures
    assert "below" in failures
    row = "  WORSE\n"
    assert (failures.count(row), summary.count(row)) == (0, 1)
    assert (toy.path / "junit.xml").read_text().count(row) == 1


def test_a_quiet_session_has_no_other_table(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto", "-q")
    assert "below" not in session.text
    assert session.text.count("  WORSE\n") == 1


def test_a_score_down_by_twice_its_tolerance_is_dominated(toy: "Toy") -> None:
    toy.change(medium={"accuracy": 0.88})
    session = toy.run("--pareto")
    assert session.exit_code == 1
    # Its latency is undecided, and what could still be better leaves domination unproven.
    assert session.case("medium").verdict in (Verdict.DOMINATED, Verdict.WORSE)
    assert outcome(session, "medium", "accuracy") is Outcome.WORSE
    session.result.stdout.fnmatch_lines(["FAILED *medium* - *accuracy*"])


def test_a_score_down_within_its_tolerance_passes(toy: "Toy") -> None:
    toy.change(medium={"accuracy": 0.895})
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert outcome(session, "medium", "accuracy") is Outcome.UNCHANGED


def test_a_trade_within_its_bound_passes_with_a_notice(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.028, "accuracy": 0.93})
    session = toy.run("--pareto")
    assert session.exit_code == 0
    case = session.case("large")
    assert case.verdict is Verdict.TRADE_OFF
    assert case.place.position is Position.KEPT
    assert case.notices
    assert "accuracy traded for latency, within its bound" in case.notices


def test_a_trade_beyond_its_bound_fails(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.028, "accuracy": 0.915})
    session = toy.run("--pareto")
    assert session.exit_code == 1
    assert session.case("large").verdict is Verdict.TRADE_OFF
    assert "trade-off limit" in session.case("large").fails[0]


def test_the_trade_off_policy_is_the_users(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.028, "accuracy": 0.93})
    assert toy.run("--pareto", "--pareto-tradeoff=fail").exit_code == 1
    toy.change(large={"seconds": 0.028, "accuracy": 0.91})
    assert toy.run("--pareto", "--pareto-tradeoff=pass").exit_code == 0


def test_an_improvement_passes(toy: "Toy") -> None:
    toy.change(large={"seconds": 0.028})
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert session.case("large").verdict is Verdict.IMPROVED
    assert session.case("large").place.position is Position.KEPT
    assert "IMPROVED" in session.text.upper()


def test_a_rivals_improvement_overtakes_and_passes(toy: "Toy") -> None:
    toy.change(medium={"seconds": 0.005})
    session = toy.run("--pareto")
    assert session.exit_code == 0
    assert session.case("medium").verdict is Verdict.IMPROVED
    assert session.case("small").place.position is Position.OVERTAKEN
    assert session.case("small").place.rivals == ("test_toy.py::test_generate[medium]",)
    assert session.case("small").fails == ()


def test_a_lost_place_fails(toy: "Toy") -> None:
    toy.change(small={"seconds": 0.03})
    session = toy.run("--pareto")
    assert session.exit_code == 1
    case = session.case("small")
    assert case.place.position is Position.LOST
    assert case.place.rivals == ("test_toy.py::test_generate[medium]",)
    assert any("lost its place" in text for text in case.fails)


def test_a_trade_that_loses_its_place_fails(toy: "Toy") -> None:
    # Better in accuracy, far worse in latency: medium, as it was, is better in both.
    toy.change(small={"seconds": 0.03, "accuracy": 0.85})
    session = toy.run("--pareto", "--pareto-tradeoff=pass")
    assert session.exit_code == 1
    assert session.case("small").verdict is Verdict.TRADE_OFF
    assert session.case("small").place.position is Position.LOST


def test_inconclusive_fails_where_asked(toy: "Toy") -> None:
    session = toy.run("--pareto", "--pareto-inconclusive=fail")
    assert session.exit_code == 1
    assert session.case("small").verdict is Verdict.INCONCLUSIVE
