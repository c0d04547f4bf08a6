"""Latency adjusted by the host reference: when it may be, and what the report notes of it."""

from dataclasses import replace

from pytest_pareto.compare.levels import level_for_people
from pytest_pareto.compare.matching import Pair, unmatched
from pytest_pareto.model.baseline import Baseline, Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import percent
from pytest_pareto.model.policy import SCREEN_ALPHA, Option, SessionSpreads
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.stats.ancova import Adjusted, adjust

_LAUNCHING = ("python", "torch", "cuda", "driver")
"""The software that the reference itself runs through: a slower one must not be allowed for."""


def adjust_pair(found: Pair, baseline: Baseline, now: Environment, spreads: SessionSpreads) -> Pair:
    """Return a pair of latencies adjusted by the host reference, if both sides timed one.

    Where an adjustment is not allowed, the pair is returned with a note that gives the reason.
    """
    if found.exact or not found.measured.reference:
        return found
    level = [s for s in found.sessions if s.epoch == found.sessions[-1].epoch]
    if not all(session.reference for session in level):
        return found
    changed = _other_software(level, baseline, now)
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
    """Return NOT_COMPARABLE for a latency whose adjustment reached too far, or None.

    None where it is worse even so: how far the slope may be wrong is part of the test, so that
    such a change is more than the host can explain, and must not hide behind it. Where flagged
    metrics are measured again, the level of the screening is enough.
    """
    suspicion = SCREEN_ALPHA if confirming else alpha
    if pair.apart is None or change.p_worse <= suspicion:
        return None
    apart = unmatched(pair.measured, Outcome.NOT_COMPARABLE, f"{pair.apart}; {_SETTLE}")
    level = [x for s in pair.sessions if s.epoch == pair.sessions[-1].epoch for x in s.runs]
    then = level_for_people(level, pair.measured.metric)
    return replace(apart, baseline=then, for_now=True)


_SETTLE = f"measure again, or interleave with {Option.AGAINST}"


def _other_software(level: list[Session], baseline: Baseline, now: Environment) -> str | None:
    for env in {session.env for session in level}:
        then = baseline.environments[env].software
        for name in _LAUNCHING:
            if then.get(name) != now.software.get(name):
                return f"{name} {then.get(name, 'unknown')} → {now.software.get(name, 'unknown')}"
    return None


def _adjusted(found: Pair, adjusted: Adjusted, session_spread: float) -> Pair:
    metric = found.measured.metric
    level = [x for s in found.sessions if s.epoch == found.sessions[-1].epoch for x in s.runs]
    then, now = level_for_people(level, metric), level_for_people(found.runs, metric)
    mood = "slower" if adjusted.shift > 0 else "faster"
    raw = percent(now / then - 1, 1, signed=True)
    note = (
        f"adjusted by the host reference: raw {raw}, and this host launches "
        f"{percent(abs(adjusted.shift), 1)} {mood} than it did (slope {adjusted.slope:.2f})"
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
