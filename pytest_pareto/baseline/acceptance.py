"""A candidate accepted: the chosen cases' entries take their place, each with the reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pytest_pareto.baseline.candidate import Candidate, Offer, OfferedChange
from pytest_pareto.baseline.codec import history_key
from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.baseline.updates import Action, still_explained
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.errors import BaselineError

_NEEDS_A_REASON = (Action.ACCEPT_WORSE, Action.ACCEPT_CHANGE, Action.DROP)


@dataclass(frozen=True, slots=True)
class Step:
    """One metric's entry as it was and as it is accepted, None where there is none.

    ``offered`` is what the candidate calls that, which is no proof of it.
    """

    case_id: str
    metric: str
    offered: Action
    before: MetricHistory | None
    after: MetricHistory | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A baseline with what was accepted, and what that changed; ``already`` was in it before."""

    after: Baseline
    steps: tuple[Step, ...]
    already: tuple[str, ...] = ()


def chosen_changes(offer: Offer, *, named: bool) -> dict[str, OfferedChange]:
    """Return what is accepted of a case; ``named`` is whether it was asked for by its own id."""
    return {
        name: change
        for name, change in offer.changes.items()
        if named or not (change.only_named or change.action is Action.DROP)
    }


def needs_reason(actions: Iterable[Action]) -> bool:
    """Whether somebody has to say why: for what got worse, was contradicted, or is forgotten."""
    return any(action in _NEEDS_A_REASON for action in actions)


def accept(
    baseline: Baseline,
    candidate: Candidate,
    chosen: Mapping[str, Mapping[str, OfferedChange]],
    reason: str,
) -> Accepted:
    """Put the changes that were ``chosen``, by case id and metric, into a baseline.

    Of a candidate, which may come from a pull request, only the newest session of each entry is
    believed: its past and the environments that the baseline has stay as they are here.

    Raises BaselineError where an entry is not the one that the session was judged by: then
    nothing is known of the step from this one.
    """
    _check_environments(candidate, baseline)
    cases = dict(baseline.cases)
    steps: list[Step] = []
    already: list[str] = []
    stale: list[str] = []
    for case_id, changes in chosen.items():
        old = baseline.cases.get(case_id)
        for name, change in changes.items():
            here = None if old is None else old.metrics.get(name)
            new = _entry(candidate, case_id, name, change)
            if _same(here, new):
                already.append(f"{case_id} {name}")
            elif (None if here is None else history_key(here)) != change.against:
                stale.append(f"{case_id} {name}")
            elif new is not None and not _goes_on(here, new):
                raise BaselineError(
                    f"the candidate's {case_id} {name} has another past than the baseline: it was "
                    "changed after its session wrote it; nothing was written"
                )
            else:
                written = None if new is None else _explained(here, new, reason)
                _put(cases, candidate, case_id, name, written)
                steps.append(Step(case_id, name, change.action, here, written))
    if stale:
        more = f" and {len(stale) - 5} more" if len(stale) > 5 else ""
        raise BaselineError(
            "the baseline is not the one that this candidate was judged by, in "
            f"{', '.join(stale[:5])}{more}: run `pytest --pareto` on this baseline (in CI: on the "
            "merged branch), and accept from its candidate; nothing was written"
        )
    environments = {**candidate.content.environments, **baseline.environments}
    after = replace(baseline, cases=cases, environments=environments)
    return Accepted(after, tuple(steps), tuple(already))


def _check_environments(candidate: Candidate, baseline: Baseline) -> None:
    for name, environment in candidate.content.environments.items():
        if name not in baseline.environments and environment_key(environment) != name:
            raise BaselineError(
                f"the candidate's environment {name} is not what its name stands for: it was "
                "changed after its session wrote it; nothing was written"
            )


def _goes_on(here: MetricHistory | None, new: MetricHistory) -> bool:
    """Whether a new entry is what is here with one session more, as far back as it goes."""
    past = [replace(session, reason="") for session in new.sessions[:-1]]
    known = [replace(session, reason="") for session in (() if here is None else here.sessions)]
    return past == known[len(known) - len(past) :] if len(past) <= len(known) else False


def _entry(
    candidate: Candidate, case_id: str, name: str, change: OfferedChange
) -> MetricHistory | None:
    if change.action is Action.DROP:
        return None
    return candidate.content.cases[case_id].metrics[name]


def _explained(here: MetricHistory | None, new: MetricHistory, reason: str) -> MetricHistory:
    """Return a new entry with the baseline's own past, and no reasons but its and the one given."""
    past = len(new.sessions) - 1
    known = here.sessions[-past:] if here is not None and past else ()
    sessions = (*known, replace(new.newest, reason=reason))
    return replace(new, sessions=still_explained(sessions, here if past else None))


def _same(here: MetricHistory | None, new: MetricHistory | None) -> bool:
    """Whether the baseline has what is offered, whatever the reason that was given then."""
    if here is None or new is None:
        return here is new
    unexplained = replace(here.newest, reason=new.newest.reason)
    return replace(here, sessions=(*here.sessions[:-1], unexplained)) == new


def _put(
    cases: dict[str, CaseHistory],
    candidate: Candidate,
    case_id: str,
    name: str,
    history: MetricHistory | None,
) -> None:
    case = cases.get(case_id)
    metrics = {} if case is None else dict(case.metrics)
    if history is None:
        metrics.pop(name, None)
    else:
        metrics[name] = history
    fresh = candidate.content.cases.get(case_id, case)
    assert fresh is not None  # what is neither here nor offered is not chosen
    if metrics:
        cases[case_id] = CaseHistory(case_id, fresh.front, fresh.source, metrics)
    else:
        cases.pop(case_id, None)
