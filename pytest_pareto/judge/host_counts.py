"""Host counts beside a latency: whether the code does other work on the host than before.

A latency follows the code and the machine; the counts follow the code and its software alone. Where
a latency looks worse or could not be compared, `host_work_notice` names the counts that changed,
and `shared_host_work` does so for the cases of a common mode. Neither decides anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import HOST_COUNTS, Kind
from pytest_pareto.model.verdict import CaseComparison, MetricResult

_WORDS = {metric.name: word for metric, word in HOST_COUNTS.items()}
_LACKING = {Outcome.NEW, Outcome.MISSING, Outcome.NOT_COMPARABLE, Outcome.BROKEN}


@dataclass(frozen=True, slots=True)
class _Counts:
    """The host counts of a case: those that changed, are equal, or have one side only."""

    changed: tuple[MetricResult, ...]
    equal: tuple[MetricResult, ...]
    uncompared: tuple[MetricResult, ...]


def host_work_notice(case: CaseComparison) -> str | None:
    """Return how the host's work changed, where a time of the host needs an explanation, else None.

    A time needs one if it is worse, suspected, or not comparable. None also where no count of the
    case was compared.
    """
    counts = _counts_of(case)
    if counts is None or not any(map(_needs_explanation, case.gated)):
        return None
    if counts.changed:
        lead = "host work changed"
    elif counts.uncompared:
        lead = "host counts are the same as far as it was compared"
    else:
        lead = "host counts are the same"
    parts = [", ".join(map(_change_text, counts.changed))] if counts.changed else []
    parts += [f"{_names(counts.equal)} equal"] if counts.equal else []
    parts += [f"{_names(counts.uncompared)} not compared"] if counts.uncompared else []
    return f"{lead}: {'; '.join(parts)}"


def shared_host_work(cases: Sequence[CaseComparison], name: str) -> str:
    """Return how the host's work changed in all cases of a common mode of the metric ``name``.

    The text ends a sentence. It is "" where the metric is no time of the host, and where the host
    counts of a case could not be compared.
    """
    times = [result for case in cases if (result := case.metric(name)) is not None]
    of_host = all(result.metric.is_host_time for result in times)
    found = [_counts_of(case) for case in cases] if of_host else []
    compared = [counts for counts in found if counts is not None]
    changed = [counts for counts in compared if counts.changed]
    if not compared or len(compared) < len(found):
        return ""
    if not changed:
        return f"; host counts are the same in each: {_names(compared[0].equal)} equal"
    results = {r.metric.name: r for counts in changed for r in counts.changed}
    return f"; host work changed in {len(changed)} of {len(found)}: {_names([*results.values()])}"


def _counts_of(case: CaseComparison) -> _Counts | None:
    """Return the host counts of a case, or None where none of them was compared."""
    found = [
        result
        for metric in HOST_COUNTS
        if (result := case.metric(metric.name)) is not None and result.metric.kind is Kind.EXACT
    ]
    changed = tuple(result for result in found if result.change is not None and _changed(result))
    equal = tuple(result for result in found if result.change is not None and not _changed(result))
    uncompared = tuple(result for result in found if result.outcome in _LACKING)
    return _Counts(changed, equal, uncompared) if changed or equal else None


def _changed(result: MetricResult) -> bool:
    """Return whether a count changed; one whose runs differ is not the same either."""
    assert result.change is not None
    return bool(result.change.estimate) or result.change.reason is not None


def _needs_explanation(result: MetricResult) -> bool:
    suspected = result.change is not None and result.change.suspected
    moved = result.outcome in {Outcome.WORSE, Outcome.NOT_COMPARABLE} or suspected
    return moved and result.metric.is_host_time


def _names(results: Sequence[MetricResult]) -> str:
    names = [_WORDS[result.metric.name] for result in results]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _change_text(result: MetricResult) -> str:
    """Return one changed count, such as "Python calls 12,340 → 13,820 (+12 %)"."""
    then, now = result.baseline, result.candidate
    assert then is not None
    assert now is not None
    assert result.change is not None
    remarks = []
    if then and now != then:
        share = 100 * (now / then - 1)
        digits = f"{share:+.2g}" if abs(share) < 99.5 else f"{share:+,.0f}"
        remarks.append(f"{digits.replace('-', '−')} %")
    if result.change.reason is not None:
        remarks.append("not the same in every run")
    text = f"{_names([result])} {then:,.0f} → {now:,.0f}"
    return f"{text} ({', '.join(remarks)})" if remarks else text
