"""Host counts beside a latency: whether the code does other work on the host than before.

A latency follows the code and the machine; the counts follow the code and its software alone. Where
a latency looks worse or could not be compared, `host_work_notice` names the counts that changed,
and `shared_host_work` does so for the cases of a common mode. Neither decides anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import HOST_COUNTS, Kind, Scope
from pytest_pareto.model.verdict import CaseComparison, MetricResult

_WORDS = {
    "python_calls": "Python calls",
    "c_calls": "C calls",
    "host_copies": "copies",
    "host_waits": "waits",
}
_LACKING = {Outcome.NEW, Outcome.MISSING, Outcome.NOT_COMPARABLE, Outcome.BROKEN}


@dataclass(frozen=True, slots=True)
class HostWork:
    """The host counts of a case: those that changed, are equal, or have one side only."""

    changed: tuple[MetricResult, ...]
    equal: tuple[MetricResult, ...]
    uncompared: tuple[MetricResult, ...]


def host_work(case: CaseComparison) -> HostWork | None:
    """Sort the host counts of a case; return None where none of them was compared."""
    found = [
        result
        for metric in HOST_COUNTS
        if (result := case.metric(metric.name)) is not None and result.metric.kind is Kind.EXACT
    ]
    changed: list[MetricResult] = []
    equal: list[MetricResult] = []
    for result in found:
        if result.change is not None:
            # Where its runs differ, a count is not the same, whatever the worst runs are.
            same = not result.change.estimate and result.change.reason is None
            (equal if same else changed).append(result)
    uncompared = tuple(result for result in found if result.outcome in _LACKING)
    return HostWork(tuple(changed), tuple(equal), uncompared) if changed or equal else None


def host_work_notice(case: CaseComparison) -> str | None:
    """Return how the host's work changed, where a time of the host needs an explanation, else None.

    A time needs one if it is worse, suspected, or not comparable.
    """
    work = host_work(case)
    if work is None or not any(map(_needs_explanation, case.gated)):
        return None
    parts = ["; ".join(filter(None, [", ".join(map(_change_text, work.changed)), _equal(work)]))]
    if work.uncompared:
        parts.append(f"{_names(work.uncompared)} not compared")
    return f"host work {'changed' if work.changed else 'is the same'}: {'; '.join(parts)}"


def shared_host_work(cases: Sequence[CaseComparison], name: str) -> str:
    """Return how the host's work changed in all cases of a common mode of the metric ``name``.

    The text ends a sentence. It is "" where the metric is no time of the host, and where the host
    counts of a case could not be compared.
    """
    times = [result for case in cases if (result := case.metric(name)) is not None]
    works = [host_work(case) for case in cases] if all(map(_is_host_time, times)) else []
    compared = [work for work in works if work is not None]
    changed = [work for work in compared if work.changed]
    if not compared or len(compared) < len(works):
        return ""
    if not changed:
        return f"; host work is the same in each: {_equal(compared[0])}"
    results = {r.metric.name: r for r in chain.from_iterable(work.changed for work in changed)}
    return f"; host work changed in {len(changed)} of {len(works)}: {_names([*results.values()])}"


def _is_host_time(result: MetricResult) -> bool:
    return result.metric.scope is Scope.HOST and result.metric.unit == "s"


def _needs_explanation(result: MetricResult) -> bool:
    suspected = result.change is not None and result.change.suspected
    moved = result.outcome in {Outcome.WORSE, Outcome.NOT_COMPARABLE} or suspected
    return moved and _is_host_time(result)


def _equal(work: HostWork) -> str:
    return f"{_names(work.equal)} equal" if work.equal else ""


def _names(results: Sequence[MetricResult]) -> str:
    names = [_WORDS.get(result.metric.name, result.metric.name) for result in results]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _change_text(result: MetricResult) -> str:
    """Return one changed count, such as "Python calls 12,340 → 13,820 (+12 %)"."""
    assert result.change is not None
    then, now = result.baseline, result.candidate
    assert then is not None
    assert now is not None
    parts = [f"{100 * (now / then - 1):+.2g} %".replace("-", "−")] if then else []
    if result.change.reason is not None:
        parts.append("not the same in every run")
    remarks = f" ({', '.join(parts)})" if parts else ""
    return f"{_names([result])} {then:,.0f} → {now:,.0f}{remarks}"
