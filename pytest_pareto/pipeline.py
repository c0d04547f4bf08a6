"""The session in one breath: runs in, compared with the baseline, judged, out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.compare.cases import compare_case, compare_metrics
from pytest_pareto.compare.confirmed import confirmed_by
from pytest_pareto.compare.family import anew_family, expected_family, family_size
from pytest_pareto.compare.fronts import duel_fronts
from pytest_pareto.compare.matched import MatchedCase, match_cases
from pytest_pareto.compare.measured import runs_by_case
from pytest_pareto.compare.recalled import baseline_of
from pytest_pareto.compare.terms import Terms
from pytest_pareto.judge.creep import uncompared_with_anchor
from pytest_pareto.judge.session import Evidence, judge_session
from pytest_pareto.judge.unmeasured import (
    broken_cases,
    gone_cases,
    missing_cases,
    not_confirmed,
    nothing_measured,
    trouble_of,
)
from pytest_pareto.model.history import Baseline, Samples
from pytest_pareto.model.policy import AlphaShares, Policy
from pytest_pareto.model.run import CaseRun, Interleaved, Run
from pytest_pareto.model.verdict import CaseComparison, Judgement


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of a session beside its runs.

    ``expected`` says of a case of the baseline that was not measured whether it should
    have been, and ``skipped`` whether its test was. ``failures`` happened before judging
    and belong to no test; ``notices`` are told of the session. After failures, or where the
    session was ``cut_short``, it needs no saying that nothing was measured. ``gone`` are tests
    that measure as of the old code, and are not among the new ones. ``anchored`` is whether
    alpha has a share for an anchor, also where that is not at hand.
    """

    expected: Callable[[str], bool]
    skipped: Callable[[str], bool] = lambda _: False
    failures: tuple[str, ...] = ()
    cut_short: bool = False
    notices: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    anchored: bool = False


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What looked worse, by (case id, metric name), and the fresh runs that measured it again.

    They alone decide about these cases. Runs that ended early, or in which a test failed, are
    evidence too: of a case that cannot be measured twice. ``old_runs`` are of the old code,
    where both are interleaved; else the stored baseline holds.
    """

    flagged: frozenset[tuple[str, str]]
    runs: tuple[Run, ...]
    old_runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement, with what it rests on as an update of the baseline needs it.

    ``levels`` has one number per run and ``samples`` the mean score per sample, both by
    (case id, metric name). An evaluation that stopped early has samples, but no level.
    """

    judgement: Judgement
    measured: Mapping[str, tuple[CaseRun, ...]]
    levels: Mapping[tuple[str, str], tuple[float, ...]]
    samples: Mapping[tuple[str, str], Samples]


def judge_runs(
    runs: Sequence[Run],
    baseline: Baseline,
    policy: Policy,
    terms: Terms,
    around: Circumstances,
    confirmation: Confirmation | None = None,
    anchor: Baseline | None = None,
) -> Judged:
    """Compare the runs of a session with the baseline, and judge it.

    A ``confirmation`` of what `flagged` names decides about it, and is what an update writes.
    The ``anchor`` is a second baseline, which no update moves, compared with the same runs.

    All noisy metrics that gate share alpha, measured again or not: the confirming runs meet
    the same stored baseline as the first ones, and with it the same luck (simulated, 60
    metrics at their tolerances: correcting for what was flagged alone fails 13 to 16 % of the
    builds, this 3 %). Where both sides were measured anew, what was flagged shares it.
    """
    measured = runs_by_case(runs)
    matched = _matched(runs, baseline, terms, confirmation)
    budgets = sum(len(case.run.budgets) for case in matched if case.run.gate)
    shares = AlphaShares.of(
        has_rivals=_has_rivals(baseline, measured),
        has_budgets=budgets > 0,
        has_anchor=anchor is not None or around.anchored,
    )
    tested = _tested(matched, confirmation, terms)
    family = expected_family(matched, tested, terms)
    compared = [compare_case(case, terms, shares, family, budgets) for case in matched]
    comparisons = [
        *(_with_trouble(case, runs, measured, confirmation) for case in compared),
        *broken_cases(runs, baseline, measured),
        *missing_cases(runs, baseline, measured, around.expected, around.skipped),
        *gone_cases(around.gone, around.skipped),
    ]
    failures, notices = _told(around, comparisons, runs, policy)
    if anchor is not None:
        beside = _matched(runs, anchor, terms, confirmation)
        comparisons = _beside_anchor(comparisons, beside, terms, shares.anchor)
        gone = anchor.cases.keys() - baseline.cases.keys() - measured.keys()
        lack = uncompared_with_anchor(comparisons, sum(map(around.expected, gone)))
        notices = (*notices, lack) if lack is not None else notices
    evidence = Evidence(
        sorted(comparisons, key=lambda c: (c.front, c.case_id)),
        duel_fronts(baseline, matched, runs[-1].environment, terms),
        shares,
        failures,
        notices,
        tested,
        interleaved=terms.interleaved,
    )
    found = [(c.case_id, name, m) for c in matched for name, m in c.measured.items()]
    return Judged(
        judge_session(evidence, policy),
        measured,
        # What stopped early is no level to be compared with later.
        {(case, name): m.runs for case, name, m in found if m.complete},
        {(case, name): m.samples for case, name, m in found if m.samples is not None},
    )


def judge_interleaved(
    sides: Interleaved,
    policy: Policy,
    terms: Terms,
    around: Circumstances,
    *,
    flagged: frozenset[tuple[str, str]] = frozenset(),
    again: Interleaved | None = None,
) -> Judged:
    """Judge the new code against the old one, measured in turn with it: no baseline is stored.

    What was ``flagged`` may have been measured ``again``, both sides of it, and is then judged
    by that alone.
    """
    confirmation = None
    if again is not None and again.old and again.new:
        confirmation = Confirmation(flagged, again.new, again.old)
    in_turn = replace(terms, interleaved=True)
    return judge_runs(sides.new, baseline_of(sides.old), policy, in_turn, around, confirmation)


def _matched(
    runs: Sequence[Run], past: Baseline, terms: Terms, confirmation: Confirmation | None
) -> tuple[MatchedCase, ...]:
    """Bring what was measured together with the past, by the confirming runs where there are."""
    first = match_cases(past, runs_by_case(runs), runs[-1].environment, terms)
    if confirmation is None:
        return first
    met = baseline_of(confirmation.old_runs) if confirmation.old_runs else past
    return confirmed_by(confirmation.runs, first, confirmation.flagged, met, terms)


def _tested(
    cases: Sequence[MatchedCase], confirmation: Confirmation | None, terms: Terms
) -> frozenset[tuple[str, str]] | None:
    """Name what shares alpha, where not all that gates does."""
    if confirmation is None or not terms.interleaved:
        return None
    return anew_family(cases, confirmation.flagged)


def _has_rivals(baseline: Baseline, measured: Mapping[str, Sequence[CaseRun]]) -> bool:
    cases = {c.case_id: c.front for c in baseline.cases.values()}
    cases |= {case_id: runs[-1].front for case_id, runs in measured.items()}
    return len(set(cases.values())) < len(cases)


def _with_trouble(
    case: CaseComparison,
    runs: Sequence[Run],
    measured: Mapping[str, Sequence[CaseRun]],
    confirmation: Confirmation | None,
) -> CaseComparison:
    trouble = trouble_of(case, len(measured[case.case_id]), runs)
    if trouble is None and confirmation is not None:
        names = {name for case_id, name in confirmation.flagged if case_id == case.case_id}
        trouble = not_confirmed(case, names, confirmation.runs, confirmation.old_runs)
    return case if trouble is None else replace(case, broken=trouble)


def _beside_anchor(
    comparisons: Sequence[CaseComparison],
    matched: Sequence[MatchedCase],
    terms: Terms,
    share: float,
) -> list[CaseComparison]:
    """Compare the cases with the anchor too, whose tests have a ``share`` of alpha."""
    family = family_size(matched)
    beside = {case.case_id: compare_metrics(case, terms, family, share) for case in matched}
    return [replace(case, anchor=beside.get(case.case_id, ())) for case in comparisons]


def _told(
    around: Circumstances,
    comparisons: Sequence[CaseComparison],
    runs: Sequence[Run],
    policy: Policy,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the failures and the notices of the session, with what its emptiness adds."""
    nothing = nothing_measured(comparisons, runs)
    if nothing is None or around.cut_short or around.failures:
        return around.failures, around.notices
    if policy.vanished_fails:
        return (nothing,), around.notices
    return (), (*around.notices, nothing)
