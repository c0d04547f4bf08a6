"""The judgement of a whole session.

`judge` completes the cases, corrects for multiplicity, places the cases on their fronts, judges
each, and applies the policy. `changed_rules` compares the rules of the session with those by which
its baseline was recorded.
"""

from collections.abc import Iterator
from dataclasses import replace

from pytest_pareto.judge.case import judge_case
from pytest_pareto.judge.common_mode import find_common_modes, share_out
from pytest_pareto.judge.drift import find_drift, uncompared_with_anchor
from pytest_pareto.judge.front import place_fronts
from pytest_pareto.judge.gate import rule
from pytest_pareto.judge.holm import correct_anchored, correct_family
from pytest_pareto.judge.missing import complete, empty_session
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import GIVE_UP_FACTOR, Metric, Rule, budget_loosens
from pytest_pareto.model.policy import CONFIRMING_RUNS, Option, Policy
from pytest_pareto.model.run import CaseRun, failure_reason
from pytest_pareto.model.session_record import Changes, SessionRecord
from pytest_pareto.model.verdict import CaseVerdict, Failure, Judgement, RuleChange, RuleKind


def judge(changes: Changes) -> Judgement:
    """Return the verdict, position and ruling of every case, and the failures of the session."""
    record, shares, policy = changes.record, changes.shares, changes.record.policy
    rules = changed_rules(record, changes.past.baseline)
    loosened = _loosened_failures(rules, policy)
    found = complete(changes)
    failures, notices = empty_session(record, found)
    failures = (*failures, *loosened)
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
    return Judgement(tuple(cases), failures, notices, modes, shares, changes.pooled, rules=rules)


def after_update(judgement: Judgement, record: SessionRecord, baseline: Baseline) -> Judgement:
    """Return a judgement whose failure for loosened rules is of those that were not recorded.

    ``baseline`` is the updated one. The list of rules that changed stays.
    """
    before = _loosened_failures(judgement.rules, record.policy)
    left = _loosened_failures(changed_rules(record, baseline), record.policy)
    failures = tuple(failure for failure in judgement.failures if failure not in before)
    return replace(judgement, failures=(*failures, *left))


def changed_rules(record: SessionRecord, baseline: Baseline) -> tuple[RuleChange, ...]:
    """Return the rules of a session that are not those of its baseline, loosened ones first.

    A rule that a baseline does not hold is not compared; its policy is then the default.
    Beside old code that runs in turn, only the policy is compared, with the default.
    """
    if baseline.stored and not baseline.cases:
        return ()
    found = [*_policy_changes(record.policy, baseline)]
    if baseline.stored:
        measured = {case_id: case for run in record.runs for case_id, case in run.cases.items()}
        for case_id, history in baseline.cases.items():
            if case_id in measured:
                found += _case_changes(measured[case_id], history)
        found += _deselected_cases(record, baseline, measured)
        found += edited_entries(baseline)
    return tuple(sorted(found, key=lambda rule: (True, None, False).index(rule.loosens)))


def _loosened_failures(rules: tuple[RuleChange, ...], policy: Policy) -> tuple[Failure, ...]:
    """Return the failure of a session whose rules were loosened, if its policy asks for that."""
    count = sum(rule.loosens is True for rule in rules)
    if not (count and policy.fail_rules):
        return ()
    text = (
        f"{plural(count, 'rule')} loosened since the baseline was recorded: restore what the head "
        f"of this report names, or record it ({Option.UPDATE}=runs); {Option.RULES}=pass lets it "
        "pass"
    )
    return (Failure(text),)


def _policy_changes(policy: Policy, baseline: Baseline) -> Iterator[RuleChange]:
    then = baseline.policy or Policy(confirming=CONFIRMING_RUNS)
    default = "" if baseline.policy is not None else " (default)"
    before = then.settings
    for name, (text, strictness) in policy.settings.items():
        was, strict = before[name]
        # Without confirming runs the report states that; between live pairs their number varies.
        counted = baseline.stored and policy.confirming and then.confirming
        if strictness != strict and (counted or name != Option.CONFIRMING):
            loosens = strictness < strict
            yield RuleChange(RuleKind.POLICY, name, None, f"{was}{default}", text, loosens)


def _case_changes(case: CaseRun, history: CaseHistory) -> Iterator[RuleChange]:
    """Yield what changed in the rules that one test declares."""
    gates = [h.rule.gate for h in history.metrics.values() if h.rule is not None]
    if gates and case.gate is not any(gates):
        now, then = (f"gate={gate}" for gate in (case.gate, not case.gate))
        yield RuleChange(RuleKind.GATE, "", case.case_id, then, now, loosens=not case.gate)
    for measurement in case.measurements:
        metric = measurement.metric
        past = history.metrics.get(metric.name)
        if past is not None and past.disagreement(metric) is None:
            yield from _metric_changes(case, metric, past)


def _metric_changes(case: CaseRun, metric: Metric, past: MetricHistory) -> Iterator[RuleChange]:
    name, case_id = metric.name, case.case_id
    if metric.gates != past.gates:
        now, then = ("gates" if gates else "reported only" for gates in (metric.gates, past.gates))
        yield RuleChange(RuleKind.GATE, name, case_id, then, now, loosens=past.gates)
    if past.rule is None:
        return
    was, rule = past.rule, Rule.of(metric, case.budgets, gate=case.gate)
    same_scale = was.relative == rule.relative
    decides = metric.gates or past.gates
    if decides and (was.tolerance != rule.tolerance or not same_scale):
        then, now = (_limit(each.tolerance, each, metric) for each in (was, rule))
        loosens = rule.tolerance > was.tolerance if same_scale else None
        yield RuleChange(RuleKind.TOLERANCE, name, case_id, then, now, loosens)
    if decides and was.give_up != rule.give_up:
        then, now = (
            f"{GIVE_UP_FACTOR:g} tolerances"
            if each.give_up is None
            else _limit(each.give_up, each, metric)
            for each in (was, rule)
        )
        bound = was.give_up if was.give_up is not None else GIVE_UP_FACTOR * was.tolerance
        loosens = metric.trade_bound > bound if same_scale else None
        yield RuleChange(RuleKind.GIVE_UP, name, case_id, then, now, loosens)
    if was.budget != rule.budget:
        loosens = budget_loosens(name, was.budget, rule.budget)
        yield RuleChange(RuleKind.BUDGET, name, case_id, was.budget, rule.budget, loosens)


def _limit(value: float, rule: Rule, metric: Metric) -> str:
    """Return a tolerance as its author thinks of it: "5 %", "0.01 dB"."""
    return f"{100 * value:g} %" if rule.relative else f"{value:g} {metric.unit}".rstrip()


def _deselected_cases(
    record: SessionRecord, baseline: Baseline, measured: dict[str, CaseRun]
) -> Iterator[RuleChange]:
    """Yield the cases of the baseline that the project's configuration kept from being run."""
    failed = {nodeid: why for run in record.runs for nodeid, why in run.failed.items()}
    for case_id in baseline.cases:
        if (
            case_id not in measured
            and record.asked.deselects(case_id, record.runs)
            and failure_reason(case_id, failed) is None
        ):
            by = record.asked.configured
            yield RuleChange(RuleKind.DESELECTED, by, case_id, loosens=True)


def edited_entries(baseline: Baseline) -> Iterator[RuleChange]:
    """Yield what of a baseline was changed by hand: entries, and the policy."""
    if baseline.policy_edited:
        yield RuleChange(RuleKind.EDITED, "policy")
    for case_id, case in baseline.cases.items():
        for name, history in case.metrics.items():
            if history.edited:
                yield RuleChange(RuleKind.EDITED, name, case_id)
