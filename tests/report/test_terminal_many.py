"""Sessions of many cases: the most severe are shown, every other one is counted."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Judgement, Verdict
from pytest_pareto.report import terminal
from pytest_pareto.report.terminal import quiet_line, render_terminal

Run = tuple[Judgement, SessionFacts]
FAILING, NOTED = 130, 40


@pytest.fixture
def many_run(failing_run: Run) -> Run:
    """Cases that pass with a notice, and then, on other fronts, cases that fail."""
    dominated, traded = (
        next(c for c in failing_run[0].cases if c.case_id.endswith(name))
        for name in ("[cached-20]", "[fp16-10]")
    )

    def copy(case: CaseVerdict, number: int) -> CaseVerdict:
        front = f"test_{case.verdict}.py::test_{number // 10}"
        about = replace(case.comparison, case_id=f"{front}[{number}]", front=front)
        return replace(case, comparison=about)

    cases = [copy(traded, number) for number in range(NOTED)]
    cases += [copy(dominated, number) for number in range(FAILING)]
    return Judgement(tuple(cases)), failing_run[1]


def texts(run: Run, verbosity: int) -> list[str]:
    lines = render_terminal(*run, verbosity=verbosity, plot=False, width=100)
    return [line.text for line in lines]


def labelled(lines: list[str], label: str) -> int:
    return sum(line.startswith("  [") and line.endswith(label) for line in lines)


def test_the_most_severe_hundred_have_lines_and_the_rest_is_counted(many_run: Run) -> None:
    lines = texts(many_run, 0)
    assert lines[0].startswith("FAIL  130 of 170 cases regressed")
    assert (labelled(lines, "DOMINATED"), labelled(lines, "trade-off")) == (100, 0)
    text = (
        "and 70 cases less severe than these, of which 30 fail: -v shows every case, and a report"
    )
    assert any(line.startswith(text) for line in lines)


def test_every_case_has_lines_where_the_user_asks_for_more(many_run: Run) -> None:
    lines = texts(many_run, 1)
    assert (labelled(lines, "DOMINATED"), labelled(lines, "trade-off")) == (FAILING, NOTED)
    assert not any("less grave" in line for line in lines)


def test_a_hundred_cases_are_all_shown(many_run: Run) -> None:
    judgement, facts = many_run
    lines = texts((replace(judgement, cases=judgement.cases[-100:]), facts), 0)
    assert labelled(lines, "DOMINATED") == 100
    assert not any("less grave" in line for line in lines)


def test_names_of_cases_that_are_gone_are_cut_off_and_counted(
    case: Callable[..., CaseVerdict], facts: Callable[..., SessionFacts]
) -> None:
    gone = Judgement(
        tuple(
            case(f"[{n}]", Verdict.MISSING, fails=("gone",), missing="nothing measured it")
            for n in range(130)
        )
    )
    lines = texts((gone, facts()), 0)
    assert any(line.startswith("130 cases MISSING: nothing measured it") for line in lines)
    assert sum("test_generate[" in line for line in lines) == 100
    assert "  and 30 more, which -v and the JSON report list" in lines


def test_one_line_is_fitted_without_trying_every_number_of_cases(
    many_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def display_width(text: str) -> int:
        measured.append(text)
        return len(text)

    monkeypatch.setattr(terminal, "display_width", display_width)
    line = quiet_line(*many_run, 90).text
    assert line.endswith(", +129 more")
    assert len(measured) < 20
