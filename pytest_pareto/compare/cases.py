"""Every metric of every case against the baseline: match, lend, test."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.compare.aligned import align
from pytest_pareto.compare.borrow import estimate_prior, lend
from pytest_pareto.compare.budgets import check_budget
from pytest_pareto.compare.exact import compare_exact
from pytest_pareto.compare.matching import Match, match_metric, vanished
from pytest_pareto.compare.measured import Measured, level_for_people, measured_metrics
from pytest_pareto.compare.mood import in_one_mood, is_adjusted
from pytest_pareto.compare.paired import compare_scores
from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.compare.spread import ENOUGH_DF, Spread, case_spread
from pytest_pareto.compare.terms import Terms
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.history import Baseline, CaseHistory
from pytest_pareto.model.metric import Kind, Metric
from pytest_pareto.model.policy import AlphaShares
from pytest_pareto.model.run import CaseRun
from pytest_pareto.model.verdict import CaseComparison, MetricResult


@dataclass(frozen=True, slots=True)
class MatchedCase:
    """One case with both sides of each metric brought together, where there are both.

    ``spreads`` has, for each noisy metric that was measured, the spread between its runs,
    loans included; ``priors`` what the other cases of a metric have to lend, if anything.
    """

    run: CaseRun
    history: CaseHistory | None
    measured: Mapping[str, Measured]
    matches: Mapping[str, Match | MetricResult]
    spreads: Mapping[str, Spread]
    priors: Mapping[str, Spread | None]

    @property
    def case_id(self) -> str:
        """The case."""
        return self.run.case_id

    def tested(self) -> Iterable[Match]:
        """The matches whose tests share the session's alpha."""
        for match in self.matches.values():
            if isinstance(match, Match) and not match.exact and match.measured.metric.gates:
                yield match


def match_cases(
    baseline: Baseline,
    measured: Mapping[str, Sequence[CaseRun]],
    now: Environment,
    terms: Terms,
) -> tuple[MatchedCase, ...]:
    """Bring both sides of every measured case together.

    Where a case has almost no history of its own, the cases of the same metric lend it
    their spread.
    """
    matched = [_match_case(baseline, runs, now, terms) for runs in measured.values()]
    own = {
        (m.case_id, name): spread
        for m in matched
        for name, spread in m.spreads.items()
        if not is_adjusted(m.matches[name])  # what is left after an adjustment is less
    }
    needy = {name for (_, name), spread in own.items() if spread.df < ENOUGH_DF}
    priors = {
        name: estimate_prior([spread for (_, metric), spread in own.items() if metric == name])
        for name in needy
    }
    return tuple(_with_loans(case, priors) for case in matched)


def _match_case(
    baseline: Baseline, runs: Sequence[CaseRun], now: Environment, terms: Terms
) -> MatchedCase:
    case_id = runs[-1].case_id
    history = baseline.cases.get(case_id)
    found = measured_metrics(runs)
    matches = {
        name: in_one_mood(
            match_metric(metric, case_id, history, baseline, now, terms.spreads),
            baseline,
            now,
            terms.spreads,
        )
        for name, metric in found.items()
    }
    matches |= {
        name: vanished(name, past)
        for name, past in (history.metrics.items() if history is not None else ())
        if name not in found
    }
    measured = {name: m for name, m in found.items() if isinstance(m, Measured)}
    spreads = {
        name: _own_spread(m, matches[name])
        for name, m in measured.items()
        if m.metric.kind is Kind.RUN
    }
    return MatchedCase(runs[-1], history, measured, matches, spreads, priors={})


def _own_spread(measured: Measured, match: Match | MetricResult) -> Spread:
    if not isinstance(match, Match):
        return case_spread((), measured.runs, relative=measured.metric.relative)
    own = case_spread(match.sessions, match.runs, relative=measured.metric.relative)
    return match.doubt.spent(own)


def _with_loans(case: MatchedCase, priors: Mapping[str, Spread | None]) -> MatchedCase:
    spreads = {name: lend(spread, priors.get(name)) for name, spread in case.spreads.items()}
    return replace(case, spreads=spreads, priors=priors)


def family_size(cases: Iterable[MatchedCase]) -> int:
    """Count the tests that share the session's alpha: noisy, gated, and comparable."""
    return sum(1 for case in cases if case.run.gate for _ in case.tested())


def compare_case(
    case: MatchedCase, terms: Terms, shares: AlphaShares, family: int, budgets: int
) -> CaseComparison:
    """Compare every metric of one case.

    ``family`` and ``budgets`` are how many tests and budgets the session has in all.
    """
    # Testing m metrics with a share of alpha has the resolution of m / share of them.
    corrected = max(1, family) / shares.changes
    results = tuple(
        _per_item(
            _compare(match, terms.alpha, corrected, case.priors.get(name))
            if isinstance(match, Match)
            else match,
            case.run.items,
        )
        for name, match in case.matches.items()
    )
    # What cannot fail the build takes nothing from what can, and is told at the full level.
    alpha = terms.alpha * (shares.budgets / max(1, budgets) if case.run.gate else 1.0)
    return CaseComparison(
        case_id=case.case_id,
        nodeid=case.run.nodeid,
        front=case.run.front,
        metrics=results,
        gate=case.run.gate,
        budgets=tuple(
            check_budget(
                b,
                case.measured.get(b.metric),
                case.spreads.get(b.metric),
                alpha,
                session_spread=_assumed(case.measured.get(b.metric), terms),
            )
            for b in case.run.budgets
        ),
        notes=_notes(case),
        broken=None if case.measured else _measured_nothing(results),
    )


def _per_item(result: MetricResult, items: int | None) -> MetricResult:
    """Note how many items a reading works through, where dividing by them means something."""
    divisible = result.metric.unit in ("s", "J") and result.candidate is not None
    return replace(result, items=items) if items and divisible else result


def _compare(match: Match, alpha: float, family: float, prior: Spread | None) -> MetricResult:
    measured, metric = match.measured, match.measured.metric
    level = [x for s in match.sessions if s.epoch == match.sessions[-1].epoch for x in s.runs]
    return MetricResult(
        metric,
        baseline=level_for_people(level, metric),
        candidate=level_for_people(measured.runs, metric),
        first=measured.first,
        change=_change(match, alpha, family, prior, level),
        notes=(*measured.notes, *match.notes),
    )


def _change(
    match: Match, alpha: float, family: float, prior: Spread | None, level: Sequence[float]
) -> Change:
    measured, metric = match.measured, match.measured.metric
    if match.exact:
        return compare_exact(
            match.sessions[-1].runs,
            measured.runs,
            better=metric.better,
            relative=metric.relative,
            tolerance=metric.tolerance,
            alpha=alpha,
        )
    if metric.kind is Kind.PAIRED:
        assert match.samples is not None
        assert measured.samples is not None
        ids, before, after = align(
            dict(zip(match.samples.ids, match.samples.values, strict=True)),
            dict(zip(measured.samples.ids, measured.samples.values, strict=True)),
        )
        return compare_scores(
            ids,
            before,
            after,
            better=metric.better,
            tolerance=metric.tolerance,
            alpha=alpha,
            family=family,
        )
    return compare_levels(
        match.sessions,
        match.runs,
        better=metric.better,
        relative=metric.relative,
        tolerance=metric.tolerance,
        alpha=alpha,
        family=family,
        session_spread=session_sd(metric, match.session_spread, level),
        prior=prior,
        doubt=match.doubt,
    )


def _assumed(measured: Measured | None, terms: Terms) -> float:
    return 0.0 if measured is None else terms.spreads.on_one_board(measured.metric.scope)


def session_sd(metric: Metric, spread: float, level: Sequence[float]) -> float:
    """Return the assumed spread between sessions on the working scale of the metric.

    ``spread`` is a fraction of the level.
    """
    return math.log1p(spread) if metric.relative else spread * max(map(abs, level))


def _notes(case: MatchedCase) -> tuple[str, ...]:
    then = case.history.source if case.history is not None else ""
    if then and case.run.source and then != case.run.source:
        return ("the test itself changed since the baseline was recorded",)
    return ()


def _measured_nothing(results: Sequence[MetricResult]) -> str:
    reasons = dict.fromkeys(
        f"{r.metric.name}: {r.reason}" for r in results if r.outcome is not Outcome.MISSING
    )
    return f"nothing could be measured ({'; '.join(reasons)})"
