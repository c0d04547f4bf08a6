"""The session in one breath: runs in, compared with the baseline, judged, out.

A session judged by its record: when it ends, and whenever it is compared later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.baseline.codec import as_stored
from pytest_pareto.baseline.updates import UpdateMode, plan_update
from pytest_pareto.compare.changes import compare_case, compare_metrics
from pytest_pareto.compare.dominance import duel_fronts
from pytest_pareto.compare.levels import condensed, runs_by_case
from pytest_pareto.compare.multiplicity import (
    alpha_shares,
    anew_family,
    count_budgets,
    expected_family,
    family_size,
)
from pytest_pareto.compare.pairs import MatchedCase, baseline_of, match_confirmed
from pytest_pareto.judge.drift import uncompared_with_anchor
from pytest_pareto.judge.judgement import Evidence, judge_session
from pytest_pareto.judge.missing import (
    broken_cases,
    gone_cases,
    missing_cases,
    told_of_session,
    with_trouble,
)
from pytest_pareto.model.baseline import Baseline, Samples
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.policy import Policy, Terms
from pytest_pareto.model.run import CaseRun, Interleaved, Run
from pytest_pareto.model.session_record import (
    Circumstances,
    Confirmation,
    SessionFacts,
    SessionRecord,
)
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


def judge_record(
    record: SessionRecord, baseline: Baseline, anchor: Baseline | None = None
) -> Judged:
    """Judge what a session measured against a stored baseline, and beside the anchor."""
    runs, asked = record.runs, record.asked
    # What failed while suspects were measured again says nothing of the session's own runs.
    failed = bool(record.failures) and not record.flagged
    return judge_runs(
        runs,
        baseline,
        record.policy,
        _terms(record),
        Circumstances(
            # A process that died explains better than a test that seems to be gone.
            expected=lambda case_id: not failed and asked.expects(case_id, runs),
            skipped=lambda case_id: asked.skipped(case_id, runs),
            failures=record.failures,
            cut_short=record.cut_short,
            notices=record.notices,
            anchored=record.anchored,
        ),
        Confirmation(record.flagged, record.again) if record.flagged else None,
        anchor,
    )


def judge_record_in_turn(record: SessionRecord) -> Judged:
    """Judge the new code of a session by its turns with the old."""
    asked = record.asked
    again = Interleaved(record.old_again, record.again) if record.flagged else None
    return judge_interleaved(
        Interleaved(record.old_runs, record.runs),
        record.policy,
        _terms(record),
        Circumstances(
            expected=lambda _: not record.cut_short,
            skipped=lambda case_id: asked.skipped(case_id, record.runs),
            failures=record.failures,
            cut_short=record.cut_short,
            notices=record.notices,
            gone=record.gone,
        ),
        flagged=record.flagged,
        again=again,
    )


def accepted(record: SessionRecord) -> Baseline:
    """Return the baseline that a session would have left, had there been none before.

    As ``--pareto-update`` writes it: without cases that are broken or incomplete, and with the
    digits that files keep.
    """
    environment = record.runs[-1].environment
    empty = Baseline(environment.hardware_key, {}, {})
    judged = judge_record(record, empty)
    after, _ = plan_update(
        empty,
        judged.judgement,
        judged.measured,
        judged.levels,
        judged.samples,
        environment,
        UpdateMode.ALL,
        prune=frozenset(),
    )
    return as_stored(after)


def without_calls(record: SessionRecord) -> SessionRecord:
    """Return a record without the single calls of its runs: it is judged the same."""
    runs, again, old_runs, old_again = (
        tuple(map(condensed, side))
        for side in (record.runs, record.again, record.old_runs, record.old_again)
    )
    return replace(record, runs=runs, again=again, old_runs=old_runs, old_again=old_again)


def _terms(record: SessionRecord) -> Terms:
    return Terms(record.policy.alpha, record.spreads, record.confirming)


def facts_against(record: SessionRecord, baseline: Baseline, path: str) -> SessionFacts:
    """Return the circumstances of a session that is compared with a stored baseline."""
    histories = [h for case in baseline.cases.values() for h in case.metrics.values()]
    return SessionFacts(
        baseline_path=path,
        hardware_key=baseline.hardware_key,
        baseline_sessions=max((len(h.level_sessions) for h in histories), default=0),
        baseline_runs=max(
            (sum(len(s.runs) for s in h.level_sessions) for h in histories), default=0
        ),
        runs=len(record.runs),
        duration_s=0.0,
        differences=_differences(baseline, record.runs[-1]),
        partial=record.asked.partial,
        stopped=record.asked.stopped,
        confirmed=record.confirms,
        suspects=_suspects(record),
        assumptions=(f"sessions on one host differ by {100 * record.spreads.host:g} % in latency",),
    )


def _suspects(record: SessionRecord) -> str | None:
    if not record.flagged:
        return None
    cases = plural(len({case_id for case_id, _ in record.flagged}), "case")
    return f"{cases} measured again in {plural(len(record.again), 'fresh run')}"


def _differences(baseline: Baseline, run: Run) -> tuple[str, ...]:
    """Name the software that changed since the newest sessions of the baseline."""
    used = {h.newest.env for case in baseline.cases.values() for h in case.metrics.values()}
    now = run.environment.software
    changed = {
        f"{name} {then} → {now[name]}"
        for key in used
        for name, then in baseline.environments[key].software.items()
        if name in now and now[name] != then
    }
    return tuple(sorted(changed))
