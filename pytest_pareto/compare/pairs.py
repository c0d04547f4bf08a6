"""Both sides of every case: matched, with what is known of their spread.

Cases as the fresh runs have them that measured again what had looked worse.

The old code's runs, measured in turn with the new code's, in the form of a baseline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from pytest_pareto.compare.host_adjustment import in_one_mood, is_adjusted
from pytest_pareto.compare.levels import Measured, measured_metrics, runs_by_case
from pytest_pareto.compare.matching import Match, match_metric, vanished
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory, Session
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.policy import PER_BLOCK, Terms
from pytest_pareto.model.run import CaseRun, Run
from pytest_pareto.model.session_record import Confirmation
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


T = TypeVar("T")


def match_confirmed(
    runs: Sequence[Run], past: Baseline, terms: Terms, confirmation: Confirmation | None
) -> tuple[MatchedCase, ...]:
    """Bring what was measured together with the past, by the confirming runs where there are."""
    first = match_cases(past, runs_by_case(runs), runs[-1].environment, terms)
    if confirmation is None or not confirmation.runs:
        return first
    again = _match_again(confirmation, past, terms)
    return tuple(
        _confirmed(case, again[case.case_id], confirmation.flagged_of(case.case_id))
        if case.case_id in again
        else case
        for case in first
    )


def _match_again(
    confirmation: Confirmation, past: Baseline, terms: Terms
) -> dict[str, MatchedCase]:
    """Match the suspects as the fresh runs have them with what these meet."""
    suspects = {case_id for case_id, _ in confirmation.flagged}
    again = {k: found for k, found in runs_by_case(confirmation.runs).items() if k in suspects}
    met = baseline_of(confirmation.old_runs) if confirmation.old_runs else past
    matched = match_cases(met, again, confirmation.runs[-1].environment, terms)
    return {case.case_id: case for case in matched}


def _confirmed(first: MatchedCase, again: MatchedCase, names: frozenset[str]) -> MatchedCase:
    """Let the metrics of these ``names`` be what the fresh runs say of them.

    Also where they say nothing: what looked worse and cannot be measured again is no less
    suspicious for that, and what looked better rescues nothing.
    """

    def chosen(before: Mapping[str, T], after: Mapping[str, T]) -> dict[str, T]:
        kept = {name: found for name, found in before.items() if name not in names}
        return kept | {name: found for name, found in after.items() if name in names}

    return replace(
        first,
        measured=chosen(first.measured, again.measured),
        matches=chosen(first.matches, again.matches),
        spreads=chosen(first.spreads, again.spreads),
        priors=chosen(first.priors, again.priors),
        confirmed=names,
        first=first,
    )


_THERE = "there"


def baseline_of(runs: Sequence[Run]) -> Baseline:
    """Return what ``runs`` of the old code, in the order of blocks, say of every case.

    A noisy metric has a session for each block, so that a comparison knows what ran together.
    """
    environment = runs[-1].environment
    return Baseline(
        environment.hardware_key,
        {case_id: _history(measured) for case_id, measured in runs_by_case(runs).items()},
        {_THERE: environment},
        stored=False,
        failed={
            **_broken(runs),
            **{nodeid: why for run in runs for nodeid, why in run.failed.items()},
        },
    )


def _broken(runs: Sequence[Run]) -> dict[str, str]:
    """Say by case id what of it broke, and how."""
    return {
        case_id: f"{m.metric.name} broke: {m.absent}"
        for run in runs
        for case_id, case in run.cases.items()
        for m in case.measurements
        if m.broken
    }


def _history(runs: Sequence[CaseRun]) -> CaseHistory:
    newest = runs[-1]
    metrics = {
        name: _metric(found, len(runs))
        for name, found in measured_metrics(runs).items()
        if isinstance(found, Measured)
    }
    return CaseHistory(newest.case_id, newest.front, newest.source, metrics)


def _metric(found: Measured, count: int) -> MetricHistory:
    metric, runs = found.metric, found.runs
    # Where a run lacks the metric, nobody knows any more which of the others were one block.
    whole = metric.kind is Kind.RUN and len(runs) == count
    size = PER_BLOCK if whole else len(runs)
    sessions = tuple(
        Session(_THERE, 0, runs[start : start + size]) for start in range(0, len(runs), size)
    )
    return MetricHistory(
        metric.unit,
        metric.better,
        metric.kind,
        metric.scope,
        sessions,
        found.samples,
        metric.gates,
    )
