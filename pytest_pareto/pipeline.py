"""The session in one breath: runs in, compared with the baseline, judged, out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_pareto.compare.cases import compare_case
from pytest_pareto.compare.fronts import duel_fronts
from pytest_pareto.compare.matched import (
    MatchedCase,
    confirm_cases,
    family_size,
    match_cases,
    screened_family,
)
from pytest_pareto.compare.recalled import baseline_of
from pytest_pareto.compare.terms import Terms
from pytest_pareto.judge.session import Evidence, judge_session
from pytest_pareto.judge.unmeasured import (
    broken_cases,
    failure_of,
    gone_cases,
    missing_cases,
    nothing_measured,
)
from pytest_pareto.model.history import Baseline, Samples
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.policy import AlphaShares, Policy
from pytest_pareto.model.run import CaseRun, Interleaved, Run
from pytest_pareto.model.verdict import CaseComparison, Judgement


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What looked worse, by (case id, metric name), and the fresh runs that measured it again.

    They alone decide about these cases. Runs that ended early, or in which a test failed, are
    evidence too: of a case that cannot be measured twice. ``baseline`` is what the old code
    measured between these runs, where both are interleaved; else the stored one holds.
    """

    flagged: frozenset[tuple[str, str]]
    runs: tuple[Run, ...]
    baseline: Baseline | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement, with what it rests on as an update of the baseline needs it.

    ``levels`` has one number per run and ``samples`` the mean score per sample, both by
    (case id, metric name).
    """

    judgement: Judgement
    measured: Mapping[str, tuple[CaseRun, ...]]
    levels: Mapping[tuple[str, str], tuple[float, ...]]
    samples: Mapping[tuple[str, str], Samples]


def judge_runs(  # noqa: PLR0913  (each is one fact about the session)
    runs: Sequence[Run],
    baseline: Baseline,
    policy: Policy,
    terms: Terms,
    *,
    expected: Callable[[str], bool],
    skipped: Callable[[str], bool] = lambda _: False,
    failures: tuple[str, ...] = (),
    cut_short: bool = False,
    notices: tuple[str, ...] = (),
    confirmation: Confirmation | None = None,
    gone: Sequence[str] = (),
) -> Judged:
    """Compare the runs of a session with the baseline, and judge it.

    ``expected`` says of a case of the baseline that was not measured whether it should
    have been, and ``skipped`` whether its test was. ``failures`` happened before judging
    and belong to no test; ``notices`` are told of the session. After failures, or where the
    session was ``cut_short``, it needs no saying that nothing was measured. A
    ``confirmation`` of what `flagged` names decides about it, and is what an update writes.
    ``gone`` are tests that older code has and this session has not.

    All noisy metrics that gate share alpha, measured again or not: the confirming runs meet
    the same stored baseline as the first ones, and with it the same luck (simulated, 60
    metrics at their tolerances: correcting for what was flagged alone fails 13 to 16 % of the
    builds, this 3 %). Where both sides were measured anew, what was flagged shares it.
    """
    now = runs[-1].environment
    measured = _gather(runs)
    first = match_cases(baseline, measured, now, terms)
    matched = _confirmed(first, baseline, confirmation, terms)
    budgets = sum(len(case.run.budgets) for case in matched if case.run.gate)
    shares = AlphaShares.of(has_rivals=_has_rivals(baseline, measured), has_budgets=budgets > 0)
    tested = _tested(matched, confirmation, terms)
    family = _family(matched, tested, terms)
    compared = [compare_case(case, terms, shares, family, budgets) for case in matched]
    comparisons = [
        *(_with_trouble(case, runs, measured, confirmation) for case in compared),
        *broken_cases(runs, baseline, measured),
        *missing_cases(runs, baseline, measured, expected, skipped),
        *gone_cases(gone, skipped),
    ]
    nothing = None if cut_short or failures else nothing_measured(comparisons, runs)
    evidence = Evidence(
        sorted(comparisons, key=lambda c: (c.front, c.case_id)),
        duel_fronts(baseline, matched, now, terms),
        shares,
        (*failures, nothing) if nothing and policy.vanished_fails else failures,
        (*notices, nothing) if nothing and not policy.vanished_fails else notices,
        tested,
        interleaved=terms.interleaved,
    )
    found = [(c.case_id, name, m) for c in matched for name, m in c.measured.items()]
    return Judged(
        judge_session(evidence, policy),
        measured,
        {(case, name): m.runs for case, name, m in found},
        {(case, name): m.samples for case, name, m in found if m.samples is not None},
    )


def judge_interleaved(
    sides: Interleaved,
    policy: Policy,
    terms: Terms,
    *,
    expected: Callable[[str], bool],
    flagged: frozenset[tuple[str, str]] = frozenset(),
    again: Interleaved | None = None,
    **circumstances: Any,
) -> Judged:
    """Judge the new code against the old one, measured in turn with it: no baseline is stored.

    What was ``flagged`` may have been measured ``again``, both sides of it, and is then judged
    by that alone. ``circumstances`` are `judge_runs`'s.
    """
    confirmation = None
    if again is not None and again.old and again.new:
        confirmation = Confirmation(flagged, again.new, baseline_of(again.old))
    return judge_runs(
        sides.new,
        baseline_of(sides.old),
        policy,
        replace(terms, interleaved=True),
        expected=expected,
        confirmation=confirmation,
        **circumstances,
    )


def _gather(runs: Sequence[Run]) -> dict[str, tuple[CaseRun, ...]]:
    gathered: dict[str, list[CaseRun]] = {}
    for run in runs:
        for case_id, case in run.cases.items():
            gathered.setdefault(case_id, []).append(case)
    return {case_id: tuple(cases) for case_id, cases in gathered.items()}


def _has_rivals(baseline: Baseline, measured: Mapping[str, Sequence[CaseRun]]) -> bool:
    cases = {c.case_id: c.front for c in baseline.cases.values()}
    cases |= {case_id: runs[-1].front for case_id, runs in measured.items()}
    return len(set(cases.values())) < len(cases)


def _tested(
    cases: Sequence[MatchedCase], confirmation: Confirmation | None, terms: Terms
) -> frozenset[tuple[str, str]] | None:
    """Name what shares alpha: all that gates, or, confirmed by both sides anew, what was flagged.

    Scores are never confirmed, so that each of them counts.
    """
    if confirmation is None or not terms.interleaved:
        return None
    noisy = {
        (case.case_id, match.measured.metric.name): match.measured.metric.kind
        for case in cases
        for match in case.tested()
        if case.run.gate
    }
    scores = {name for name, kind in noisy.items() if kind is Kind.PAIRED}
    return (confirmation.flagged & noisy.keys()) | scores


def _family(
    cases: Sequence[MatchedCase], tested: frozenset[tuple[str, str]] | None, terms: Terms
) -> float:
    """Return how many tests share alpha; before a confirmation, how many may be flagged."""
    if tested is not None:
        return len(tested)
    size = family_size(cases)
    if terms.interleaved and terms.confirming:
        return screened_family(size)
    return size


def _confirmed(
    first: tuple[MatchedCase, ...],
    baseline: Baseline,
    confirmation: Confirmation | None,
    terms: Terms,
) -> tuple[MatchedCase, ...]:
    if confirmation is None or not confirmation.runs:
        return first
    suspects = {case_id for case_id, _ in confirmation.flagged}
    again = {k: runs for k, runs in _gather(confirmation.runs).items() if k in suspects}
    now, past = confirmation.runs[-1].environment, confirmation.baseline or baseline
    return confirm_cases(first, match_cases(past, again, now, terms), confirmation.flagged)


def _with_trouble(
    case: CaseComparison,
    runs: Sequence[Run],
    measured: Mapping[str, Sequence[CaseRun]],
    confirmation: Confirmation | None,
) -> CaseComparison:
    trouble = failure_of(case.nodeid, runs)
    count = len(measured[case.case_id])
    if trouble is None and count < len(runs):
        trouble = f"measured in {count} of {len(runs)} runs only"
    if trouble is None and confirmation is not None:
        trouble = _not_confirmed(case, confirmation)
    return case if trouble is None else replace(case, broken=trouble)


def _not_confirmed(case: CaseComparison, confirmation: Confirmation) -> str | None:
    """Say why a suspect was not measured again, though the runs for it came to their end."""
    failure = failure_of(case.nodeid, confirmation.runs, "confirming run")
    if failure is not None or case.case_id not in {c for c, _ in confirmation.flagged}:
        return failure
    if confirmation.runs and not any(case.case_id in run.cases for run in confirmation.runs):
        skipped = any(case.nodeid in run.skipped for run in confirmation.runs)
        why = "its test skipped itself" if skipped else "its test did not measure it"
        return f"it looked worse, and could not be measured again: {why}"
    return None
