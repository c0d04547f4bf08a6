"""When a latency is brought to the mood of its baseline, and what is said of that."""

from dataclasses import replace

from pytest_pareto.compare.levels import level_for_people
from pytest_pareto.compare.matching import Match, unmatched
from pytest_pareto.model.baseline import Baseline, Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import percent
from pytest_pareto.model.policy import SCREEN_ALPHA, SessionSpreads, Terms
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.stats.ancova import Adjusted, adjust
from pytest_pareto.stats.contrast import CERTAIN

_LAUNCHING = ("python", "torch", "cuda", "driver")
"""The software that the reference itself runs through: a slower one must not be allowed for."""


def in_one_mood(
    found: Match | MetricResult, baseline: Baseline, now: Environment, spreads: SessionSpreads
) -> Match | MetricResult:
    """Adjust a matched latency by the host reference, where both sides have one and it may be.

    Unadjusted it stays as it was, with a note why.
    """
    if not isinstance(found, Match) or found.exact or not found.measured.reference:
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


def for_now_apart(match: Match, change: Change, terms: Terms) -> MetricResult | None:
    """Return that a latency of another mood is not comparable, unless it looks worse even so.

    How far the slope may be wrong is part of the test, so that what still looks worse is more
    than the mood can explain: that must not hide behind it. A suspicion is enough where it will
    be measured again.
    """
    suspicion = SCREEN_ALPHA if terms.confirming else terms.alpha
    if match.apart is None or change.p_worse <= suspicion:
        return None
    apart = unmatched(match.measured, Outcome.NOT_COMPARABLE, f"{match.apart}; {_SETTLE}")
    level = [x for s in match.sessions if s.epoch == match.sessions[-1].epoch for x in s.runs]
    then = level_for_people(level, match.measured.metric)
    return replace(apart, baseline=then, for_now=True)


_SETTLE = "measure again, or interleave with --pareto-against"


def _other_software(level: list[Session], baseline: Baseline, now: Environment) -> str | None:
    for env in {session.env for session in level}:
        then = baseline.environments[env].software
        for name in _LAUNCHING:
            if then.get(name) != now.software.get(name):
                return f"{name} {then.get(name, 'unknown')} → {now.software.get(name, 'unknown')}"
    return None


def _adjusted(found: Match, adjusted: Adjusted, session_spread: float) -> Match:
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
        doubt=adjusted.doubt,
        apart=adjusted.apart,
        notes=(note,),
    )


def is_adjusted(match: Match | MetricResult) -> bool:
    """Whether the runs of a match are no longer those that were measured."""
    return isinstance(match, Match) and match.doubt is not CERTAIN
