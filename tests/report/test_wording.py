"""Tests of the order of severity."""

from dataclasses import replace

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import ENERGY, FLOPS, LATENCY, PEAK_MEMORY
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.report.wording import sort_by_severity


def test_harmful_outcomes_come_first_and_diagnostics_last() -> None:
    diagnostic = MetricResult(replace(FLOPS, gates=False), state=Outcome.WORSE)
    energy = MetricResult(ENERGY, state=Outcome.BETTER)
    latency = MetricResult(replace(LATENCY, gates=True), state=Outcome.INCONCLUSIVE)
    memory = MetricResult(PEAK_MEMORY, state=Outcome.WORSE)
    quiet = MetricResult(replace(LATENCY, name="decode"), state=Outcome.UNCHANGED)
    again = MetricResult(replace(LATENCY, name="encode"), state=Outcome.UNCHANGED)
    recorded = [diagnostic, quiet, again, latency, energy, memory]
    assert sort_by_severity(recorded) == [memory, energy, latency, quiet, again, diagnostic]
