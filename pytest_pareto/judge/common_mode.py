"""Common mode: a change that many cases share by the same ratio counts as one event.

`find_common_modes` detects such changes. `share_out` assigns the cases to them, so that a build
reports one reason instead of one per case.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import median

from pytest_pareto.judge.gate import Shared
from pytest_pareto.judge.host_counts import shared_host_work
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Kind, Scope
from pytest_pareto.model.verdict import CaseComparison, CommonMode, Verdict

FEWEST = 5
"""The smallest number of cases that make a common mode; fewer are reported one by one."""


def find_common_modes(comparisons: Sequence[CaseComparison]) -> tuple[CommonMode, ...]:
    """Return the metrics whose cases changed together by about the same ratio.

    Only noisy metrics that depend on the machine can share a change of the host. A change is common
    when at least half of the compared cases share it. Where most cases did not change, the machine
    is not the cause, and each regression is reported for itself.
    """
    names = {
        r.metric.name: r.metric.name
        for c in comparisons
        for r in c.metrics
        if r.metric.kind is Kind.RUN and r.metric.scope is not Scope.ANYWHERE and r.metric.relative
    }
    modes = (_common_mode(name, comparisons) for name in names)
    return tuple(mode for mode in modes if mode is not None)


def _common_mode(name: str, comparisons: Sequence[CaseComparison]) -> CommonMode | None:
    """Return the common mode of one metric, or None."""
    changes: dict[str, Change] = {}
    for comparison in comparisons:
        result = comparison.metric(name)
        # A side that could decide nothing has an unbounded interval, which is no evidence.
        if result and result.change and result.metric.gates and math.isfinite(result.change.high):
            changes[comparison.case_id] = result.change
    if len(changes) < FEWEST:
        return None
    centre = median(math.log1p(change.estimate) for change in changes.values())
    together = [case for case, change in changes.items() if _moved_with(change, centre)]
    decided = {Outcome.WORSE} if centre > 0 else {Outcome.BETTER}
    if (
        len(together) < FEWEST
        or 2 * len(together) < len(changes)
        or not any(changes[case].outcome in decided for case in together)
    ):
        return None
    return CommonMode(name, tuple(together), len(changes), math.expm1(centre), centre > 0)


def _moved_with(change: Change, centre: float) -> bool:
    """Return whether a change is significant, and close to the ``centre``, a log ratio."""
    estimate = math.log1p(change.estimate)
    low, high = math.log1p(max(change.low, -1 + 1e-12)), math.log1p(change.high)
    moved = low > 0 if centre > 0 else high < 0
    slack = max(math.log1p(change.tolerance), (high - low) / 2)
    return moved and abs(estimate - centre) <= slack


_VERDICTS = {True: {Verdict.DOMINATED, Verdict.WORSE}, False: {Verdict.IMPROVED}}
"""The verdicts of the cases that a harmful or a harmless common mode can be of."""


def share_out(
    modes: Sequence[CommonMode],
    comparisons: Sequence[CaseComparison],
    verdicts: Mapping[str, Verdict],
) -> dict[str, tuple[CommonMode, Shared]]:
    """Return the common mode and the part in it of every case that moved in that metric only.

    The gated case that moved furthest reports the common mode for all. Cases that moved the same
    way in another metric too are not included, nor improvements that are known to be of the code.
    """
    parts: dict[str, tuple[CommonMode, Shared]] = {}
    for mode in modes:
        if mode.of_the_code and not mode.harmful:
            continue
        together = frozenset(mode.case_ids)
        members = [
            c
            for c in comparisons
            if c.case_id in together
            and verdicts[c.case_id] in _VERDICTS[mode.harmful]
            and _only(c, mode)
        ]
        reporting = max(
            (c for c in members if c.gate), key=lambda c: abs(_estimate(c, mode)), default=None
        )
        text = f"{mode.metric} moved together in {len(mode.case_ids)} of {mode.total} cases: "
        text += _OF_THE_CODE if mode.of_the_code else _UNDECIDED
        text += shared_host_work(members, mode.metric)
        parts |= {
            c.case_id: (mode, Shared(text, reports=c is reporting, harmful=mode.harmful))
            for c in members
        }
    return parts


_OF_THE_CODE = "it is the code, which was interleaved with the old"
_UNDECIDED = "this session alone cannot tell a change of the code from one of the machine"


def _only(comparison: CaseComparison, mode: CommonMode) -> bool:
    """Return whether the metric of the common mode is the only one of a case that moved its way."""
    outcome = Outcome.WORSE if mode.harmful else Outcome.BETTER
    return {r.metric.name for r in comparison.gated if r.outcome is outcome} == {mode.metric}


def _estimate(comparison: CaseComparison, mode: CommonMode) -> float:
    result = comparison.metric(mode.metric)
    assert result is not None
    assert result.change is not None
    return result.change.estimate
