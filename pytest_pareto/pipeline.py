"""The session in one breath: runs in, compared with the baseline, judged, out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.compare.cases import compare_case, compare_metrics
from pytest_pareto.compare.confirmed import match_confirmed
from pytest_pareto.compare.family import (
    alpha_shares,
    anew_family,
    count_budgets,
    expected_family,
    family_size,
)
from pytest_pareto.compare.fronts import duel_fronts
from pytest_pareto.compare.matched import MatchedCase
from pytest_pareto.compare.measured import runs_by_case
from pytest_pareto.compare.recalled import baseline_of
from pytest_pareto.judge.creep import uncompared_with_anchor
from pytest_pareto.judge.session import Evidence, judge_session
from pytest_pareto.judge.trouble import with_trouble
from pytest_pareto.judge.unmeasured import (
    broken_cases,
    gone_cases,
    missing_cases,
    told_of_session,
)
from pytest_pareto.model.baseline import Baseline, Samples
from pytest_pareto.model.policy import Policy, Terms
from pytest_pareto.model.run import CaseRun, Interleaved, Run
from pytest_pareto.model.session_record import Circumstances, Confirmation
from pytest_pareto.model.verdict import CaseComparison, Judgement


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
    matched = match_confirmed(runs, baseline, terms, confirmation)
    fronts = {case.case_id: case.front for case in baseline.cases.values()}
    fronts |= {case_id: found[-1].front for case_id, found in measured.items()}
    case_runs = [case.run for case in matched]
    has_anchor = anchor is not None or around.anchored
    shares = alpha_shares(fronts.values(), case_runs, has_anchor=has_anchor)
    tested = anew_family(matched, confirmation, terms)
    family, budgets = expected_family(matched, tested, terms), count_budgets(case_runs)
    compared = [compare_case(case, terms, shares, family, budgets) for case in matched]
    comparisons = [
        *(with_trouble(c, len(measured[c.case_id]), runs, confirmation) for c in compared),
        *broken_cases(runs, baseline, measured),
        *missing_cases(runs, baseline, measured, around.expected, around.skipped),
        *gone_cases(around.gone, around.skipped),
    ]
    failures, notices = told_of_session(around, comparisons, runs, policy)
    if anchor is not None:
        beside = match_confirmed(runs, anchor, terms, confirmation)
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
