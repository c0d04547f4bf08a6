"""The judgement of a whole session: correct, decide, place, rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_pareto.judge.case import gated, holm, judge_case
from pytest_pareto.judge.common_mode import find_common_modes, share_out
from pytest_pareto.judge.drift import find_creep
from pytest_pareto.judge.front import place_front
from pytest_pareto.judge.gate import Shared, rule
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.policy import ALL_ON_CHANGES, AlphaShares, Policy
from pytest_pareto.model.verdict import (
    CaseComparison,
    CaseVerdict,
    CommonMode,
    FrontDuels,
    Judgement,
    MetricResult,
    Place,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a judgement rests on.

    ``failures`` are known before judging and belong to no test, such as a session in
    which nothing was measured. ``tested`` names, by case id and metric name, what shares alpha
    and can convict; None for all that gates. ``interleaved`` is whether old and new code were
    measured in turn, so that what moved is the code.
    """

    comparisons: Sequence[CaseComparison]
    duels: Mapping[str, FrontDuels] = field(default_factory=dict)
    shares: AlphaShares = ALL_ON_CHANGES
    failures: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    tested: frozenset[tuple[str, str]] | None = None
    interleaved: bool = False


def judge_session(evidence: Evidence, policy: Policy) -> Judgement:
    """Judge every case once, and the session with them."""
    shares = evidence.shares
    comparisons = correct_family(evidence.comparisons, shares.changes, evidence.tested)
    comparisons = _correct_anchored(comparisons, shares.anchor)
    places = _place_all(comparisons, evidence, policy)
    modes = find_common_modes(comparisons)
    verdicts = {c.case_id: judge_case(c) for c in comparisons}
    if evidence.interleaved:
        modes = tuple(replace(mode, of_the_code=True) for mode in modes)
    shared = share_out(modes, comparisons, verdicts)
    cases = tuple(
        _judged(c, verdicts[c.case_id], places[c.case_id], policy, shared.get(c.case_id))
        for c in comparisons
    )
    return Judgement(cases, evidence.failures, evidence.notices, modes, shares)


def _judged(
    comparison: CaseComparison,
    verdict: Verdict,
    place: Place,
    policy: Policy,
    shared: tuple[CommonMode, Shared] | None,
) -> CaseVerdict:
    mode, part = shared if shared is not None else (None, None)
    creep = find_creep(comparison, verdict, place, policy)
    ruling = rule(comparison, verdict, place, policy, part, creep)
    common = mode.metric if mode is not None else None
    crept = creep.metrics if creep is not None and not creep.let_through else ()
    return CaseVerdict(comparison, verdict, place, ruling.fails, ruling.notices, common, crept)


def correct_family(
    comparisons: Sequence[CaseComparison],
    share: float,
    family: frozenset[tuple[str, str]] | None = None,
) -> tuple[CaseComparison, ...]:
    """Correct what can convict for everything else that could: Holm over the ``family``.

    All gated metrics, or those named by case id and metric name: then no other convicts.

    Exact metrics stand outside: without noise there is nothing to be unlucky with.
    ``share`` is the part of alpha that changes of metrics may spend.
    """
    tested = [
        (comparison.case_id, result.metric.name, result.change.p_worse)
        for comparison in comparisons
        if comparison.gate
        for result in gated(comparison)
        if result.change is not None and not result.change.exact
    ]
    members = [each for each in tested if family is None or each[:2] in family]
    adjusted = holm([p for _, _, p in members])
    corrected = {
        (case, name): min(1.0, p / share)
        for (case, name, _), p in zip(members, adjusted, strict=True)
    }
    corrected |= {(case, name): 1.0 for case, name, _ in tested if (case, name) not in corrected}
    return tuple(
        replace(
            c,
            metrics=tuple(
                _corrected(r, corrected.get((c.case_id, r.metric.name))) for r in c.metrics
            ),
        )
        for c in comparisons
    )


def _correct_anchored(
    comparisons: Sequence[CaseComparison], share: float
) -> tuple[CaseComparison, ...]:
    """Correct what was compared with the anchor in the same way, by a family of its own."""
    beside = correct_family([replace(c, metrics=c.anchor) for c in comparisons], share)
    return tuple(
        replace(c, anchor=corrected.metrics)
        for c, corrected in zip(comparisons, beside, strict=True)
    )


def _corrected(result: MetricResult, p_convicting: float | None) -> MetricResult:
    if result.change is None or p_convicting is None:
        return result
    return replace(result, change=result.change.corrected(p_convicting))


def _place_all(
    comparisons: Sequence[CaseComparison], evidence: Evidence, policy: Policy
) -> dict[str, Place]:
    fronts: dict[str, list[CaseComparison]] = {}
    for comparison in comparisons:
        fronts.setdefault(comparison.front, []).append(comparison)
    lost = policy.alpha * evidence.shares.lost / max(1, _traded(comparisons))
    places: dict[str, Place] = {}
    for front, members in fronts.items():
        duels = evidence.duels.get(front, FrontDuels())
        places.update(place_front(members, duels, alpha=policy.alpha, alpha_lost=lost))
    return places


def _traded(comparisons: Sequence[CaseComparison]) -> int:
    """Count the cases that could lose their place: LOST needs a metric that is WORSE."""
    return sum(any(r.outcome is Outcome.WORSE for r in gated(c)) for c in comparisons)
