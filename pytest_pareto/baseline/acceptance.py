"""Accept a candidate: copy the chosen entries into a baseline, each with the reason given.

`chosen_changes` selects the changes of a case, and `accept` applies them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pytest_pareto.baseline.candidate import Candidate, Offer, OfferedChange
from pytest_pareto.baseline.codec import history_key
from pytest_pareto.baseline.layout import environment_key
from pytest_pareto.baseline.updates import Action, keep_reason, with_folded_breakdowns
from pytest_pareto.model.baseline import Baseline, CaseHistory, MetricHistory
from pytest_pareto.model.errors import BaselineError

_NEEDS_A_REASON = (Action.ACCEPT_WORSE, Action.ACCEPT_CHANGE, Action.DROP)


@dataclass(frozen=True, slots=True)
class Step:
    """One metric's entry before and after the acceptance, None where there is none.

    ``offered`` is the action that the candidate states; it is not verified.
    """

    case_id: str
    metric: str
    offered: Action
    before: MetricHistory | None
    after: MetricHistory | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The baseline after the acceptance, and its changes; ``already`` lists entries it had."""

    after: Baseline
    steps: tuple[Step, ...]
    already: tuple[str, ...] = ()


def chosen_changes(offer: Offer, *, named: bool) -> dict[str, OfferedChange]:
    """Return the changes of a case to accept, by metric name.

    ``named`` is whether the user chose the case by its own id.
    """
    return {
        name: change
        for name, change in offer.changes.items()
        if named or not (change.only_named or change.action is Action.DROP)
    }


def needs_reason(actions: Iterable[Action]) -> bool:
    """Return whether any action needs a reason.

    Entries that got worse, contradict the baseline or are dropped do.
    """
    return any(action in _NEEDS_A_REASON for action in actions)


def accept(
    baseline: Baseline,
    candidate: Candidate,
    chosen: Mapping[str, Mapping[str, OfferedChange]],
    reason: str,
) -> Accepted:
    """Return a baseline with the ``chosen`` changes, given by case id and metric.

    A candidate may come from a pull request. Only the newest session of each of its entries is
    used: past sessions, and the environments that the baseline has, stay as they are in the
    baseline.

    Raises BaselineError where an entry of the baseline is not the one that the session was compared
    with: the change from this entry is then unknown.
    """
    _check_environments(candidate, baseline)
    cases = dict(baseline.cases)
    steps: list[Step] = []
    already: list[str] = []
    stale: list[str] = []
    for case_id, changes in chosen.items():
        old = baseline.cases.get(case_id)
        for name, change in changes.items():
            current = None if old is None else old.metrics.get(name)
            new = _offered_history(candidate, case_id, name, change)
            if _is_accepted(current, new):
                already.append(f"{case_id} {name}")
            elif (None if current is None else history_key(current)) != change.against:
                stale.append(f"{case_id} {name}")
            elif new is not None and not _continues(current, new):
                raise BaselineError(
                    f"the candidate's {case_id} {name} has another past than the baseline: it was "
                    "changed after its session wrote it; nothing was written"
                )
            else:
                written = None if new is None else _with_reason(current, new, reason)
                _set_metric(cases, candidate, case_id, name, written)
                steps.append(Step(case_id, name, change.action, current, written))
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


def _continues(current: MetricHistory | None, new: MetricHistory) -> bool:
    """Return whether a new entry is the present one plus one session, as far back as it reaches."""
    past = [replace(session, reason="") for session in new.sessions[:-1]]
    known = [
        replace(session, reason="") for session in (() if current is None else current.sessions)
    ]
    return past == known[len(known) - len(past) :] if len(past) <= len(known) else False


def _offered_history(
    candidate: Candidate, case_id: str, name: str, change: OfferedChange
) -> MetricHistory | None:
    if change.action is Action.DROP:
        return None
    return candidate.content.cases[case_id].metrics[name]


def _with_reason(current: MetricHistory | None, new: MetricHistory, reason: str) -> MetricHistory:
    """Return a new entry with the baseline's own past sessions and ``reason`` for the new one.

    Reasons that the candidate states for its sessions are discarded.
    """
    past = len(new.sessions) - 1
    known = current.sessions[-past:] if current is not None and past else ()
    sessions = (*known, replace(new.newest, reason=reason))
    sessions = keep_reason(sessions, current if past else None)
    return replace(new, sessions=sessions, digest=None, edited=False)


def _is_accepted(current: MetricHistory | None, new: MetricHistory | None) -> bool:
    """Return whether the baseline has the offered entry already, with whatever reason.

    What its level consists of may be missing there: it decides nothing.
    """
    if current is None or new is None:
        return current is new
    unexplained = replace(current.newest, reason=new.newest.reason)
    sessions = (*current.sessions[:-1], unexplained)
    return replace(current, sessions=sessions, breakdown=new.breakdown) == new


def _set_metric(
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
    assert fresh is not None  # a chosen case is in the baseline or in the candidate
    if metrics:
        kept = with_folded_breakdowns(metrics)
        cases[case_id] = CaseHistory(case_id, fresh.front, fresh.source, kept)
    else:
        cases.pop(case_id, None)
