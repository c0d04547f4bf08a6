"""Where each case stands on its front, compared with where it stood."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.session_record import Changes
from pytest_pareto.model.verdict import CaseComparison, FrontClaims, PairClaims, Place, Position

_UNSETTLED = {Outcome.NOT_COMPARABLE, Outcome.MISSING, Outcome.BROKEN}
_HARMLESS = {Outcome.BETTER, Outcome.UNCHANGED, Outcome.NOT_WORSE}


def place_fronts(changes: Changes, comparisons: Sequence[CaseComparison]) -> dict[str, Place]:
    """Return the position of every case on its front, by case id."""
    alpha, share = changes.record.policy.alpha, changes.shares.lost
    # LOST needs a metric that is WORSE: only such cases share its part of alpha.
    losing = sum(any(r.outcome is Outcome.WORSE for r in c.gated) for c in comparisons)
    fronts: dict[str, list[CaseComparison]] = {}
    for comparison in comparisons:
        fronts.setdefault(comparison.front, []).append(comparison)
    places: dict[str, Place] = {}
    for front, members in fronts.items():
        duels = changes.duels.get(front, FrontClaims())
        lost = alpha * share / max(1, losing)
        places.update(place_front(members, duels, alpha=alpha, alpha_lost=lost))
    return places


def place_front(
    members: Sequence[CaseComparison], duels: FrontClaims, *, alpha: float, alpha_lost: float
) -> Mapping[str, Place]:
    """Place every member of one front. Claims about rivals are Bonferroni-corrected."""
    improved = {c.case_id for c in members if _outcomes(c) & {Outcome.BETTER}}
    arrived = {c.case_id for c in members if c.case_id not in duels.old}
    return {
        member.case_id: _Placing(member, duels, alpha, alpha_lost, improved | arrived).place()
        for member in members
    }


def _outcomes(comparison: CaseComparison) -> set[Outcome]:
    return {result.outcome for result in comparison.gated}


@dataclass(frozen=True, slots=True)
class _Standing:
    """Whether a point is shown on the front (or off it, or neither), and by whom it is held."""

    on_front: bool | None
    holders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Placing:
    case: CaseComparison
    duels: FrontClaims
    alpha: float
    alpha_lost: float
    risen: set[str]
    """The rivals that improved or arrived since: only they can overtake."""

    @property
    def _id(self) -> str:
        return self.case.case_id

    @property
    def _old_rivals(self) -> list[str]:
        return sorted(self.duels.old - {self._id})

    def place(self) -> Place:
        unsettled = sorted(
            result.metric.name for result in self.case.gated if result.outcome in _UNSETTLED
        )
        if unsettled or self._id not in self.duels.new:
            what = ", ".join(unsettled) or "this case"
            return Place(Position.AMBIGUOUS, reason=f"{what} cannot be compared here")
        now = self._stands_now()
        if self._id not in self.duels.old:
            return self._arrival(now)
        then = self._stood_then()
        if then.on_front is None:
            return self._unsettled(now, "whether it was on the front before is not settled")
        return self._from_front(now) if then.on_front else self._arrival(now)

    def _from_front(self, now: _Standing) -> Place:
        outcomes = _outcomes(self.case)
        if Outcome.WORSE in outcomes:
            lost_to = self._dominating(self._old_rivals, self.duels.across, self.alpha_lost)
            if lost_to:
                return Place(Position.LOST, on_front=False, rivals=lost_to)
        overtakers = tuple(rival for rival in now.holders if rival in self.risen)
        if overtakers:
            return Place(Position.OVERTAKEN, on_front=False, rivals=overtakers)
        # Nothing moved to its harm, so that nothing has to be shown anew.
        stayed = outcomes <= _HARMLESS and not self.risen - {self._id}
        if now.on_front or stayed:
            return Place(Position.KEPT, on_front=True)
        return self._unsettled(now, _UNPROVEN)

    def _arrival(self, now: _Standing) -> Place:
        if now.on_front is None:
            return self._unsettled(now, _UNPROVEN)
        position = Position.GAINED if now.on_front else Position.OFF
        return Place(position, on_front=now.on_front, rivals=now.holders)

    @staticmethod
    def _unsettled(now: _Standing, reason: str) -> Place:
        return Place(Position.AMBIGUOUS, now.on_front, now.holders, reason)

    def _stood_then(self) -> _Standing:
        rivals, then = self._old_rivals, self.duels.then
        holders = self._dominating(rivals, then, self.alpha)
        ahead = all(_claimed(then.ahead(self._id, rival), self.alpha) for rival in rivals)
        return _standing(holders, ahead=ahead)

    def _stands_now(self) -> _Standing:
        measured = sorted(self.duels.new - {self._id})
        remembered = sorted(self.duels.old - self.duels.new)
        now, across = self.duels.now, self.duels.across
        level = self.alpha / max(1, len(measured) + len(remembered))
        holders = (
            *(r for r in measured if _claimed(now.dominated(self._id, r), level)),
            *(r for r in remembered if _claimed(across.dominated(self._id, r), level)),
        )
        ahead = all(_claimed(now.ahead(self._id, r), self.alpha) for r in measured) and all(
            _claimed(across.ahead(self._id, r), self.alpha) for r in remembered
        )
        return _standing(holders, ahead=ahead)

    def _dominating(self, rivals: list[str], duels: PairClaims, alpha: float) -> tuple[str, ...]:
        level = alpha / max(1, len(rivals))
        return tuple(r for r in rivals if _claimed(duels.dominated(self._id, r), level))


def _standing(holders: tuple[str, ...], *, ahead: bool) -> _Standing:
    if holders:
        return _Standing(on_front=False, holders=holders)
    return _Standing(on_front=True if ahead else None)


_UNPROVEN = "neither being on the front nor being off it can be shown"


def _claimed(p: float | None, level: float) -> bool:
    return p is not None and p <= level
