"""Adjustment of latency by the host reference: when it is allowed, and the note in the report.

The regression itself is `pytest_pareto.stats.ancova.adjust`.
"""

from dataclasses import replace

from pytest_pareto.compare.levels import reported_level
from pytest_pareto.compare.matching import Pair, unmatched
from pytest_pareto.model.baseline import Baseline, Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import percent
from pytest_pareto.model.policy import SCREEN_ALPHA, Option, SessionSpreads
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.stats.ancova import Adjusted, adjust

_LAUNCHING = ("python", "torch", "cuda", "driver")
"""The software that the reference itself runs through: its slowdown must not be adjusted away."""


def adjust_pair(found: Pair, baseline: Baseline, now: Environment, spreads: SessionSpreads) -> Pair:
    """Return a pair, whose session timed the host reference, adjusted by it if both sides did.

    A pair that may not be adjusted is returned with a note that gives the reason.
    """
    if found.exact:
        return found
    level = [s for s in found.sessions if s.epoch == found.sessions[-1].epoch]
    if not all(session.reference for session in level):
        return found
    changed = _changed_software(level, baseline, now)
    if changed is not None:
        return replace(found, notes=(f"not adjusted by the host reference: {changed}",))
    with_reference = tuple(s for s in found.sessions if s.reference)
    adjusted = adjust(with_reference, found.runs, found.measured.reference)
    if isinstance(adjusted, Adjusted):
        return _adjusted(found, adjusted, spreads.host_adjusted)
    return replace(found, notes=(f"not adjusted by the host reference: {adjusted.reason}",))


def not_comparable_now(
    pair: Pair, change: Change, *, alpha: float, confirming: bool
) -> MetricResult | None:
    """Return NOT_COMPARABLE for a latency whose adjustment extrapolates too far, or None.

    None where the latency is worse all the same: the error of the slope is part of the test, so
    such a change is larger than the host can explain and must be reported. Where flagged metrics
    are measured again, the level of the screening suffices.
    """
    level = SCREEN_ALPHA if confirming else alpha
    if pair.apart is None or change.p_worse <= level:
        return None
    result = unmatched(pair.measured, Outcome.NOT_COMPARABLE, f"{pair.apart}; {_ADVICE}")
    runs = [x for s in pair.sessions if s.epoch == pair.sessions[-1].epoch for x in s.runs]
    then = reported_level(runs, pair.measured.metric)
    return replace(result, baseline=then, for_now=True)


_ADVICE = f"measure again, or interleave with {Option.AGAINST}"


def _changed_software(level: list[Session], baseline: Baseline, now: Environment) -> str | None:
    """Return the first change of the software under the reference ("torch 2.1 → 2.2"), or None."""
    for env in {session.env for session in level}:
        then = baseline.environments[env].software
        for name in _LAUNCHING:
            if then.get(name) != now.software.get(name):
                return f"{name} {then.get(name, 'unknown')} → {now.software.get(name, 'unknown')}"
    return None


def _adjusted(found: Pair, adjusted: Adjusted, session_spread: float) -> Pair:
    """Return the pair with its adjusted levels, and a note of the raw change and the adjustment."""
    metric = found.measured.metric
    level = [x for s in found.sessions if s.epoch == found.sessions[-1].epoch for x in s.runs]
    then, now = reported_level(level, metric), reported_level(found.runs, metric)
    direction = "slower" if adjusted.shift > 0 else "faster"
    raw = percent(now / then - 1, 1, signed=True)
    note = (
        f"adjusted by the host reference: raw {raw}, and this host launches "
        f"{percent(abs(adjusted.shift), 1)} {direction} than it did (slope {adjusted.slope:.2f})"
    )
    return replace(
        found,
        sessions=adjusted.sessions,
        runs=adjusted.runs,
        session_spread=session_spread,
        adjustment_error=adjusted.adjustment_error,
        apart=adjusted.apart,
        notes=(note,),
    )
