"""Both sides of every case: matched, with what is known of their spread."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.compare.match import Match
from pytest_pareto.compare.matching import match_metric, vanished
from pytest_pareto.compare.measured import Measured, measured_metrics
from pytest_pareto.compare.mood import in_one_mood, is_adjusted
from pytest_pareto.model.baseline import Baseline, CaseHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.policy import Terms
from pytest_pareto.model.run import CaseRun
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.stats.contrast import interleaved_contrast
from pytest_pareto.stats.scale import to_working
from pytest_pareto.stats.variance import (
    ENOUGH_DF,
    Spread,
    case_spread,
    estimate_prior,
    lend,
    on_working_scale,
)


@dataclass(frozen=True, slots=True)
class MatchedCase:
    """One case with both sides of each metric brought together, where there are both.

    ``spreads`` has, for each noisy metric that was measured, the spread between its runs,
    loans included; ``priors`` what the other cases of a metric have to lend, if anything.
    ``confirmed`` are the metrics of which all this was measured again, in fresh processes;
    ``first`` is the case as the session's own runs have it, then.
    """

    run: CaseRun
    history: CaseHistory | None
    measured: Mapping[str, Measured]
    matches: Mapping[str, Match | MetricResult]
    spreads: Mapping[str, Spread]
    priors: Mapping[str, Spread | None]
    confirmed: frozenset[str] = frozenset()
    first: "MatchedCase | None" = None

    @property
    def case_id(self) -> str:
        """The case."""
        return self.run.case_id

    @property
    def own(self) -> "MatchedCase":
        """The case as the session's own runs have it: what budgets and places rest on."""
        return self if self.first is None else self.first

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
        name: match_metric(metric, case_id, history, baseline, now, terms.spreads)
        for name, metric in found.items()
    }
    if not terms.interleaved:  # else both sides met the same moods
        matches = {
            name: in_one_mood(match, baseline, now, terms.spreads)
            for name, match in matches.items()
        }
    matches |= {
        name: vanished(name, past, baseline)
        for name, past in (history.metrics.items() if history is not None else ())
        if name not in found
    }
    measured = {name: m for name, m in found.items() if isinstance(m, Measured)}
    spreads = {
        name: own_spread(m, matches[name], interleaved=terms.interleaved)
        for name, m in measured.items()
        if m.metric.kind is Kind.RUN
    }
    return MatchedCase(runs[-1], history, measured, matches, spreads, priors={})


def own_spread(
    measured: Measured, match: Match | MetricResult, *, interleaved: bool = False
) -> Spread:
    """Return the spread between runs that one metric of a case shows, whatever it matched."""
    relative = measured.metric.relative
    if not isinstance(match, Match):
        return case_spread((), measured.runs, relative=relative)
    if interleaved:
        blocks = on_working_scale(match.sessions, relative=relative)
        return interleaved_contrast(
            blocks, to_working(match.runs, relative=relative), relative=relative
        ).between_runs
    own = case_spread(match.sessions, match.runs, relative=relative)
    return match.doubt.spent(own)


def _with_loans(case: MatchedCase, priors: Mapping[str, Spread | None]) -> MatchedCase:
    spreads = {name: lend(spread, priors.get(name)) for name, spread in case.spreads.items()}
    return replace(case, spreads=spreads, priors=priors)
