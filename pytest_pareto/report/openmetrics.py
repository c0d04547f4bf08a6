"""The OpenMetrics report (``--pareto-openmetrics``): levels and verdicts as gauges.

GitLab shows a line as changed where its text differs. Therefore a metric that did not change
has the level of its baseline, and other levels are rounded to four significant digits.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.formatting import significant
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import CaseVerdict, MetricResult, Verdict
from pytest_pareto.report.text import clean

_DIGITS = 4
_NOT_CHANGED = {Outcome.UNCHANGED, Outcome.NOT_WORSE, Outcome.INCONCLUSIVE}
_UNITS = {"s": "seconds", "J": "joules", "B": "bytes"}

Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class _Family:
    """The gauges of one name. A ``unit`` is also the suffix of the name."""

    name: str
    help: str
    samples: Sequence[tuple[Labels, str]]
    unit: str = ""

    def lines(self) -> Iterator[str]:
        """Render the family as OpenMetrics text."""
        yield f"# TYPE {self.name} gauge"
        if self.unit:
            yield f"# UNIT {self.name} {self.unit}"
        yield f"# HELP {self.name} {self.help}"
        values: dict[str, str] = {}
        for labels, value in self.samples:
            listed = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
            # Ids that are equal once cleaned would be one series with two values: the first counts.
            values.setdefault(f"{self.name}{{{listed}}}" if listed else self.name, value)
        yield from (f"{series} {value}" for series, value in values.items())


def render_openmetrics(report: SessionReport) -> str:
    """Render a session as OpenMetrics text."""
    judgement = report.judgement
    cases = sorted(judgement.cases, key=lambda case: case.case_id)
    verdict_counts = judgement.counts
    found = [
        (case, result)
        for case in cases
        for result in case.comparison.metrics
        # A metric that this machine cannot measure has no value.
        if result.metric.gates and result.outcome is not Outcome.ABSENT
    ]
    families = [
        _Family(
            "pareto_failed", "Whether the gate fails the build.", [({}, _flag(judgement.failed))]
        ),
        _Family(
            "pareto_incomplete",
            "Whether the session was cut short, so that not all was judged.",
            [({}, _flag(report.facts.stopped is not None))],
        ),
        _Family(
            "pareto_cases",
            "How many cases have a verdict.",
            [
                ({"verdict": str(verdict)}, str(verdict_counts.get(verdict, 0)))
                for verdict in Verdict
            ],
        ),
        _Family(
            "pareto_case_failed",
            "Whether a case fails the build.",
            [({"case": clean(case.case_id)}, _flag(case.fails)) for case in cases],
        ),
        _Family(
            "pareto_metric_worse",
            "Whether a metric got worse beyond its limit.",
            [(_labels(c, r.metric), _flag(r.outcome is Outcome.WORSE)) for c, r in found],
        ),
        _Family(
            "pareto_metric_undecided",
            "Whether too little is known to say that a metric did not get worse.",
            [(_labels(c, r.metric), _flag(r.outcome is Outcome.INCONCLUSIVE)) for c, r in found],
        ),
        *_levels(found),
    ]
    lines = [line for family in families if family.samples for line in family.lines()]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _flag(value: object) -> str:
    return "1" if value else "0"


def _labels(case: CaseVerdict, metric: Metric) -> Labels:
    return {"case": clean(case.case_id), "metric": clean(metric.name)}


def _levels(found: Sequence[tuple[CaseVerdict, MetricResult]]) -> Iterator[_Family]:
    """Return a family for each unit of levels; a unit other than SI becomes a label."""
    by_unit: dict[str, list[tuple[Labels, str]]] = {}
    for case, result in found:
        value = _level(result)
        if value is not None:
            unit = _UNITS.get(result.metric.unit, "")
            labels = _labels(case, result.metric)
            if not unit and result.metric.unit:
                labels["unit"] = clean(result.metric.unit)
            by_unit.setdefault(unit, []).append((labels, value))
    for unit, samples in sorted(by_unit.items()):
        name = f"pareto_level_{unit}" if unit else "pareto_level"
        help_text = (
            "What a metric measured, or where it is not shown to have changed, its baseline."
        )
        yield _Family(name, help_text, samples, unit)


def _level(result: MetricResult) -> str | None:
    not_changed = result.outcome in _NOT_CHANGED and result.baseline is not None
    level = result.baseline if not_changed else result.candidate
    if level is None or result.lower_bound is not None:
        return None
    if result.metric.kind is Kind.EXACT and math.isfinite(level) and level == int(level):
        return str(int(level))
    return repr(significant(level, _DIGITS))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
