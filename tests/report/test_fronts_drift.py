"""Tests of reports of a case that drifted since the anchor."""

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
FAILS = "latency drifted beyond its limit since the anchor"
LINE = "latency drifted: 19.97 → 21.90 ms (+9.7 %) since the anchor (limit 5 %)"


@pytest.fixture
def drifted(case: MakeCase, compared: Compare) -> CaseVerdict:
    """A case that is unchanged against the baseline, and drifted since the anchor."""
    now = compared(
        LATENCY, (0.02186, 0.0219), (0.002, -0.01, 0.01), Outcome.UNCHANGED, resolution=0.07
    )
    since = compared(
        LATENCY, (0.01997, 0.0219), (0.097, 0.08, 0.11), Outcome.WORSE, resolution=0.07
    )
    judged = case("[large]", Verdict.UNCHANGED, now, anchor=(since,), fails=(FAILS,))
    return replace(judged, crept=("latency",))


def rendered(case: CaseVerdict, facts: SessionFacts, verbosity: int = 0) -> str:
    lines = render_terminal(Judgement((case,)), facts, verbosity=verbosity, plot=False, width=80)
    assert all(display_width(line.text) <= 80 for line in lines)
    return "\n".join(line.text for line in lines)


def test_message_and_text_of_the_failure(drifted: CaseVerdict) -> None:
    message, text = failure_text(drifted)
    assert message == LINE
    assert text == dedent(
        f"""\
          test_sd.py::test_generate[large]  DRIFTED
            {LINE}
            unchanged: latency
            fails: {FAILS}

        to look closer:
          pytest 'test_sd.py::test_generate[large]' --pareto --pareto-runs=5 -v
        if the drift is meant:  raise the tolerance, or replace the anchor by a copy of
                                the baseline; no update writes it"""
    )


def test_terminal_reports_drift(drifted: CaseVerdict, facts: Facts) -> None:
    text = rendered(drifted, facts(anchor_path="pareto_anchor", confirmed=True))
    assert "FAIL  1 of 1 case drifted" in text
    assert "anchor pareto_anchor" in text
    assert LINE in text
    assert "if the drift is meant:" in text
    assert "unconfirmed" not in text
    assert "unconfirmed" in rendered(drifted, facts())


def test_one_line_report_has_drift(drifted: CaseVerdict, facts: Facts) -> None:
    assert "[large] (latency drifted +9.7 %)" in rendered(drifted, facts(), -1)


def test_verbose_compares_every_metric_with_the_anchor(drifted: CaseVerdict, facts: Facts) -> None:
    well = replace(drifted, fails=(), crept=())
    shown = "since the anchor: latency WORSE (+9.7 %, minimum detectable 7 %)"
    assert shown in rendered(well, facts(), 1)
    assert "since the anchor: latency WORSE" not in rendered(well, facts())
    assert shown not in rendered(drifted, facts(), 1)  # it has its own line


def test_pass_has_the_resolution_since_the_anchor(
    drifted: CaseVerdict, facts: Facts, compared: Compare
) -> None:
    still = compared(LATENCY, (0.02, 0.02), (0.0, -0.01, 0.01), Outcome.UNCHANGED, resolution=0.08)
    well = replace(
        drifted, fails=(), crept=(), comparison=replace(drifted.comparison, anchor=(still,))
    )
    assert "and since the anchor: latency 8 %" in rendered(well, facts())
    without = replace(well, comparison=replace(well.comparison, anchor=()))
    assert "anchor" not in rendered(without, facts())


def worse(drifted: CaseVerdict, compared: Compare) -> CaseVerdict:
    """Return the same case with a latency that is worse than the baseline's too."""
    jumped = compared(LATENCY, (0.0201, 0.0219), (0.09, 0.07, 0.11), Outcome.WORSE, resolution=0.07)
    comparison = replace(drifted.comparison, metrics=(jumped,))
    return replace(drifted, comparison=comparison, verdict=Verdict.DOMINATED)


def test_accepted_change_fails_for_the_anchor_alone(
    drifted: CaseVerdict, compared: Compare, facts: Facts
) -> None:
    """A metric worse than the baseline counts as drifted only where that change is accepted."""
    accepted = worse(drifted, compared)
    message, text = failure_text(accepted)
    assert message == LINE
    assert "to accept:" not in text
    assert "no update writes it" in rendered(accepted, facts(updating=True))
    convicted = replace(accepted, crept=(), fails=("latency got worse beyond its limit",))
    message, text = failure_text(convicted)
    assert message.startswith("latency WORSE")
    assert "to accept:" in text
    assert "drift" not in text


def test_ungated_drift_is_reported(drifted: CaseVerdict, facts: Facts) -> None:
    comparison = replace(drifted.comparison, gate=False)
    free = replace(drifted, fails=(), notices=(f"not gated: {FAILS}",), comparison=comparison)
    text = rendered(free, facts())
    assert "drifted, not gated" in text
    assert "if the drift is meant" not in text
