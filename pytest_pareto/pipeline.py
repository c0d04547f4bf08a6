"""The session in one breath: runs in, compared with the baseline, judged, out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.compare.cases import compare_case, family_size, match_cases
from pytest_pareto.compare.fronts import duel_fronts
from pytest_pareto.compare.terms import Terms
from pytest_pareto.judge.session import Evidence, judge_session
from pytest_pareto.model.history import Baseline, Samples
from pytest_pareto.model.policy import AlphaShares, Policy
from pytest_pareto.model.run import CaseRun, Run
from pytest_pareto.model.verdict import CaseComparison, Judgement


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


def judge_runs(
    runs: Sequence[Run],
    baseline: Baseline,
    policy: Policy,
    terms: Terms,
    *,
    expected: Callable[[str], bool],
    skipped: Callable[[str], bool] = lambda _: False,
    failures: tuple[str, ...] = (),
    cut_short: bool = False,
) -> Judged:
    """Compare the runs of a session with the baseline, and judge it.

    ``expected`` says of a case of the baseline that was not measured whether it should
    have been, and ``skipped`` whether its test was. ``failures`` happened before judging
    and belong to no test. After them, or where the session was ``cut_short``, it needs no
    saying that nothing was measured.
    """
    now = runs[-1].environment
    measured = _gather(runs)
    matched = match_cases(baseline, measured, now, terms)
    budgets = sum(len(case.run.budgets) for case in matched if case.run.gate)
    shares = AlphaShares.of(has_rivals=_has_rivals(baseline, measured), has_budgets=budgets > 0)
    family = family_size(matched)
    compared = [compare_case(case, terms, shares, family, budgets) for case in matched]
    comparisons = [
        *(_with_trouble(case, runs, len(measured[case.case_id])) for case in compared),
        *_broken(runs, baseline, measured),
        *_missing(runs, baseline, measured, expected, skipped),
    ]
    nothing = None if cut_short or failures else _nothing_measured(comparisons, runs)
    evidence = Evidence(
        sorted(comparisons, key=lambda c: (c.front, c.case_id)),
        duel_fronts(baseline, matched, now, terms.spreads),
        shares,
        (*failures, nothing) if nothing and policy.vanished_fails else failures,
        (nothing,) if nothing and not policy.vanished_fails else (),
    )
    found = [(c.case_id, name, m) for c in matched for name, m in c.measured.items()]
    return Judged(
        judge_session(evidence, policy),
        measured,
        {(case, name): m.runs for case, name, m in found},
        {(case, name): m.samples for case, name, m in found if m.samples is not None},
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


def _with_trouble(case: CaseComparison, runs: Sequence[Run], measured: int) -> CaseComparison:
    trouble = _failure(case.nodeid, runs)
    if trouble is None and measured < len(runs):
        trouble = f"measured in {measured} of {len(runs)} runs only"
    return case if trouble is None else replace(case, broken=trouble)


def _failure(nodeid: str, runs: Sequence[Run]) -> str | None:
    for number, run in enumerate(runs, start=1):
        if nodeid in run.failed:
            where = f" in run {number} of {len(runs)}" if len(runs) > 1 else ""
            return f"the test failed{where}: {run.failed[nodeid]}"
    return None


def _broken(
    runs: Sequence[Run], baseline: Baseline, measured: Mapping[str, Sequence[CaseRun]]
) -> list[CaseComparison]:
    """Name the cases of the baseline whose test failed before it measured them."""
    failed = {nodeid for run in runs for nodeid in run.failed}
    return [
        CaseComparison(case_id, nodeid, history.front, (), broken=_failure(nodeid, runs))
        for case_id, history in baseline.cases.items()
        if case_id not in measured and (nodeid := _test_of(case_id, failed)) is not None
    ]


def _test_of(case_id: str, nodeids: set[str]) -> str | None:
    if case_id in nodeids:
        return case_id
    return next((n for n in nodeids if case_id.startswith(f"{n}#")), None)


def _missing(
    runs: Sequence[Run],
    baseline: Baseline,
    measured: Mapping[str, Sequence[CaseRun]],
    expected: Callable[[str], bool],
    skipped: Callable[[str], bool],
) -> list[CaseComparison]:
    failed = {nodeid for run in runs for nodeid in run.failed}
    finished = {nodeid for run in runs for nodeid in run.finished}
    comparisons = []
    for case_id, history in baseline.cases.items():
        if case_id in measured or _test_of(case_id, failed) is not None:
            continue
        nodeid = _test_of(case_id, finished) or case_id
        lack = CaseComparison(case_id, nodeid, history.front, ())
        if skipped(case_id):
            comparisons.append(replace(lack, skipped=_SKIPPED))
        elif expected(case_id):
            comparisons.append(replace(lack, missing=_MISSING))
    return comparisons


_MISSING = (
    "the baseline has this case, and no test measured it: was it renamed or removed? "
    "Restore it, or drop it from the baseline with --pareto-update=all"
)
_SKIPPED = (
    "the baseline has this case, and its test was skipped or expected to fail: it was not judged "
    "(--pareto-missing=fail makes that a failure)"
)


def _nothing_measured(comparisons: Sequence[CaseComparison], runs: Sequence[Run]) -> str | None:
    judged = any(c.missing is None and c.skipped is None for c in comparisons)
    if judged or any(run.failed for run in runs):
        return None
    skipped = len({nodeid for run in runs for nodeid in run.skipped})
    why = f"{skipped} tests were skipped" if skipped else "no test that ran measured anything"
    return (
        f"nothing was measured: {why}. Give a test the `pareto` fixture and call "
        "pareto.measure(fn, ...), or leave --pareto away; --pareto-missing=warn lets it pass"
    )
