"""The judgement of a whole session.

`judge` completes the cases, corrects for multiplicity, places the cases on their fronts, judges
each, and applies the policy.
"""

from dataclasses import replace

from pytest_pareto.judge.case import judge_case
from pytest_pareto.judge.common_mode import find_common_modes, share_out
from pytest_pareto.judge.drift import find_drift, uncompared_with_anchor
from pytest_pareto.judge.front import place_fronts
from pytest_pareto.judge.gate import rule
from pytest_pareto.judge.holm import correct_anchored, correct_family
from pytest_pareto.judge.missing import complete, empty_session
from pytest_pareto.model.session_record import Changes
from pytest_pareto.model.verdict import CaseVerdict, Judgement


def judge(changes: Changes) -> Judgement:
    """Return the verdict, position and ruling of every case, and the failures of the session."""
    record, shares, policy = changes.record, changes.shares, changes.record.policy
    found = complete(changes)
    failures, notices = empty_session(record, found)
    anchored = shares.anchor > 0
    notice = None if changes.past.anchor is None else uncompared_with_anchor(changes, found)
    if notice is not None:
        notices = (*notices, notice)
    comparisons = sorted(found, key=lambda c: (c.front, c.case_id))
    corrected = correct_family(comparisons, shares.changes, changes.tested)
    if anchored:
        corrected = correct_anchored(corrected, shares.anchor)
    places = place_fronts(changes, corrected)
    verdicts = {c.case_id: judge_case(c) for c in corrected}
    modes = find_common_modes(corrected)
    if record.interleaved:
        modes = tuple(replace(mode, of_the_code=True) for mode in modes)
    shared = share_out(modes, corrected, verdicts)
    cases = []
    for case in corrected:
        verdict, place = verdicts[case.case_id], places[case.case_id]
        mode, part = shared.get(case.case_id, (None, None))
        drift = find_drift(case, verdict, place, policy) if anchored else None
        ruling = rule(case, verdict, place, policy, part, drift)
        common = mode.metric if mode is not None else None
        worse_since = drift.metrics if drift is not None and not drift.let_through else ()
        cases.append(
            CaseVerdict(case, verdict, place, ruling.fails, ruling.notices, common, worse_since)
        )
    return Judgement(tuple(cases), failures, notices, modes, shares, changes.pooled)
