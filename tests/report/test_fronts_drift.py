"""What a report says of a case that crept since the anchor."""

from collections.abc import Callable
from dataclasses import replace
from textwrap import dedent

import pytest

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import LATENCY
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Judgement, MetricResult, Verdict
from pytest_pareto.report.terminal import failure_text, render_terminal
from pytest_pareto.report.text import display_width

MakeCase = Callable[..., CaseVerdict]
Compare = Callable[..., MetricResult]
Facts = Callable[..., SessionFacts]
FAILS = "latency crept beyond its limit since the anchor"
LINE = "latency crept: 19.97 → 21.90 ms (+9.7 %) since the anchor (limit 5 %)"


@pytest.fixture
def crept(case: MakeCase, compared: Compare) -> CaseVerdict:
    """A case that stands still beside the baseline, and crept since the anchor."""
    now = compared(
        LATENCY, (0.02186, 0.0219), (0.002, -0.01, 0.01), Outcome.UNCHANGED, resolution=0.07
    )
    since = compared(
        LATENCY, (0.01997, 0.0219), (0.097, 0.08, 0.11), Outcome.WORSE, resolution=0.07
    )
    judged = case("[large]", Verdict.UNCHANGED, now, anchor=(since,), fails=(FAILS,))
    return replace(judged, crept=("latency",))


def told(case: CaseVerdict, facts: SessionFacts, verbosity: int = 0) -> str:
    lines = render_terminal(Judgement((case,)), facts, verbosity=verbosity, plot=False, width=80)
    assert all(display_width(line.text) <= 80 for line in lines)
    return "\n".join(line.text for line in lines)


def test_the_message_and_the_text_of_the_failure(crept: CaseVerdict) -> None:
    message, text = failure_text(crept)
    assert message == LINE
    assert text == dedent(
        f"""\
          test_sd.py::test_generate[large]  CREPT
            {LINE}
            unchanged: latency
            fails: {FAILS}

        to look closer:
          pytest 'test_sd.py::test_generate[large]' --pareto --pareto-runs=5 -v
        if the creep is meant:  raise the tolerance, or replace the anchor by a copy of
                                the baseline; no update writes it"""
    )


def test_the_terminal_tells_it(crept: CaseVerdict, facts: Facts) -> None:
    text = told(crept, facts(anchor_path="pareto_anchor", confirmed=True))
    assert "FAIL  1 of 1 case crept" in text
    assert "anchor pareto_anchor" in text
    assert LINE in text
    assert "if the creep is meant:" in text
    assert "unconfirmed" not in text
    assert "unconfirmed" in told(crept, facts())


def test_one_line_tells_it(crept: CaseVerdict, facts: Facts) -> None:
    assert "[large] (latency crept +9.7 %)" in told(crept, facts(), -1)


def test_more_is_told_to_who_asks(crept: CaseVerdict, facts: Facts) -> None:
    well = replace(crept, fails=(), crept=())
    shown = "since the anchor: latency WORSE (+9.7 %, would have caught 7 %)"
    assert shown in told(well, facts(), 1)
    assert "since the anchor: latency WORSE" not in told(well, facts())
    assert shown not in told(crept, facts(), 1)  # it has its own line


def test_a_pass_says_what_creep_it_would_have_caught(
    crept: CaseVerdict, facts: Facts, compared: Compare
) -> None:
    still = compared(LATENCY, (0.02, 0.02), (0.0, -0.01, 0.01), Outcome.UNCHANGED, resolution=0.08)
    well = replace(crept, fails=(), crept=(), comparison=replace(crept.comparison, anchor=(still,)))
    assert "and since the anchor: latency 8 %" in told(well, facts())
    without = replace(well, comparison=replace(well.comparison, anchor=()))
    assert "anchor" not in told(without, facts())


def worse(crept: CaseVerdict, compared: Compare) -> CaseVerdict:
    """The same case, whose latency is worse than the baseline's too."""
    jumped = compared(LATENCY, (0.0201, 0.0219), (0.09, 0.07, 0.11), Outcome.WORSE, resolution=0.07)
    comparison = replace(crept.comparison, metrics=(jumped,))
    return replace(crept, comparison=comparison, verdict=Verdict.DOMINATED)


def test_what_an_update_accepted_fails_for_the_anchor_alone(
    crept: CaseVerdict, compared: Compare, facts: Facts
) -> None:
    """The judge names as crept what is worse than the baseline only where that is accepted."""
    accepted = worse(crept, compared)
    message, text = failure_text(accepted)
    assert message == LINE
    assert "to accept:" not in text
    assert "no update writes it" in told(accepted, facts(updating=True))
    convicted = replace(accepted, crept=(), fails=("latency got worse beyond its limit",))
    message, text = failure_text(convicted)
    assert message.startswith("latency WORSE")
    assert "to accept:" in text
    assert "creep" not in text


def test_what_is_not_gated_is_told(crept: CaseVerdict, facts: Facts) -> None:
    comparison = replace(crept.comparison, gate=False)
    free = replace(crept, fails=(), notices=(f"not gated: {FAILS}",), comparison=comparison)
    text = told(free, facts())
    assert "crept, not gated" in text
    assert "if the creep is meant" not in text
