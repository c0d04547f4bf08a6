"""The position of each case on its Pareto front, compared with its position before.

`place_fronts` places the cases of a session, `place_front` those of one front.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.session_record import Changes
from pytest_pareto.model.verdict import CaseComparison, FrontClaims, PairClaims, Place, Position

_UNCOMPARED = {Outcome.NOT_COMPARABLE, Outcome.MISSING, Outcome.BROKEN}
_HARMLESS = {Outcome.BETTER, Outcome.UNCHANGED, Outcome.NOT_WORSE}


def place_fronts(changes: Changes, comparisons: Sequence[CaseComparison]) -> dict[str, Place]:
    """Return the position of every case on its front, by case id."""
    alpha = changes.record.policy.alpha
    # LOST requires a metric that is WORSE: that test has spent the alpha of the build, and these
    # cases alone share another one, of the claim that a rival dominates.
    losing = sum(any(r.outcome is Outcome.WORSE for r in c.gated) for c in comparisons)
    fronts: dict[str, list[CaseComparison]] = {}
    for comparison in comparisons:
        fronts.setdefault(comparison.front, []).append(comparison)
    places: dict[str, Place] = {}
    for front, members in fronts.items():
        claims = changes.claims.get(front, FrontClaims())
        places.update(place_front(members, claims, alpha=alpha, alpha_lost=alpha / max(1, losing)))
    return places


def place_front(
    members: Sequence[CaseComparison], claims: FrontClaims, *, alpha: float, alpha_lost: float
) -> Mapping[str, Place]:
    """Return the position of every member of one front, by case id.

    Claims that a rival dominates are Bonferroni-corrected over the rivals: at ``alpha_lost`` for a
    position that is LOST, else at ``alpha``.
    """
    improved = {c.case_id for c in members if _outcomes(c) & {Outcome.BETTER}}
    new = {c.case_id for c in members if c.case_id not in claims.old}
    return {
        member.case_id: _Placement(member, claims, alpha, alpha_lost, improved | new).place()
        for member in members
    }


def _outcomes(comparison: CaseComparison) -> set[Outcome]:
    return {result.outcome for result in comparison.gated}


@dataclass(frozen=True, slots=True)
class _Membership:
    """Whether a point is shown to be on its front, and which rivals dominate it.

    ``on_front`` is None where neither being on the front nor being off it is shown.
    """

    on_front: bool | None
    dominated_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Placement:
    """The placement of one case on its front."""

    case: CaseComparison
    claims: FrontClaims
    alpha: float
    alpha_lost: float
    improved: set[str]
    """The cases that improved or are new: only they can overtake."""

    @property
    def _id(self) -> str:
        return self.case.case_id

    @property
    def _old_rivals(self) -> list[str]:
        return sorted(self.claims.old - {self._id})

    def place(self) -> Place:
        uncompared = sorted(
            result.metric.name
            for result in self.case.gated
            if result.outcome in _UNCOMPARED or result.lower_bound is not None
        )
        if uncompared or self._id not in self.claims.new:
            what = ", ".join(uncompared) or "this case"
            return Place(Position.AMBIGUOUS, reason=f"{what} cannot be compared here")
        now = self._membership_now()
        if self._id not in self.claims.old:
            return self._place_off_front(now)
        then = self._membership_before()
        if then.on_front is None:
            return self._ambiguous(now, "whether it was on the front before is not settled")
        return self._place_on_front(now) if then.on_front else self._place_off_front(now)

    def _place_on_front(self, now: _Membership) -> Place:
        """Place a case that was on the front before."""
        outcomes = _outcomes(self.case)
        if Outcome.WORSE in outcomes:
            lost_to = self._dominating(self._old_rivals, self.claims.across, self.alpha_lost)
            if lost_to:
                return Place(Position.LOST, on_front=False, rivals=lost_to)
        overtaking = tuple(rival for rival in now.dominated_by if rival in self.improved)
        if overtaking:
            return Place(Position.OVERTAKEN, on_front=False, rivals=overtaking)
        # Neither the case got worse nor a rival better, so its place needs no new proof.
        unchanged = outcomes <= _HARMLESS and not self.improved - {self._id}
        if now.on_front or unchanged:
            return Place(Position.KEPT, on_front=True)
        return self._ambiguous(now, _UNPROVEN)

    def _place_off_front(self, now: _Membership) -> Place:
        """Place a case that is new, or was off the front before."""
        if now.on_front is None:
            return self._ambiguous(now, _UNPROVEN)
        position = Position.GAINED if now.on_front else Position.OFF
        return Place(position, on_front=now.on_front, rivals=now.dominated_by)

    @staticmethod
    def _ambiguous(now: _Membership, reason: str) -> Place:
        return Place(Position.AMBIGUOUS, now.on_front, now.dominated_by, reason)

    def _membership_before(self) -> _Membership:
        rivals, then = self._old_rivals, self.claims.then
        dominated_by = self._dominating(rivals, then, self.alpha)
        ahead = all(_claimed(then.ahead(self._id, rival), self.alpha) for rival in rivals)
        return _membership(dominated_by, ahead=ahead)

    def _membership_now(self) -> _Membership:
        measured = sorted(self.claims.new - {self._id})
        remembered = sorted(self.claims.old - self.claims.new)
        now, across = self.claims.now, self.claims.across
        level = self.alpha / max(1, len(measured) + len(remembered))
        dominated_by = (
            *(r for r in measured if _claimed(now.dominated(self._id, r), level)),
            *(r for r in remembered if _claimed(across.dominated(self._id, r), level)),
        )
        ahead = all(_claimed(now.ahead(self._id, r), self.alpha) for r in measured) and all(
            _claimed(across.ahead(self._id, r), self.alpha) for r in remembered
        )
        return _membership(dominated_by, ahead=ahead)

    def _dominating(self, rivals: list[str], claims: PairClaims, alpha: float) -> tuple[str, ...]:
        """Return the rivals that dominate the case, at ``alpha`` divided by their number."""
        level = alpha / max(1, len(rivals))
        return tuple(r for r in rivals if _claimed(claims.dominated(self._id, r), level))


def _membership(dominated_by: tuple[str, ...], *, ahead: bool) -> _Membership:
    if dominated_by:
        return _Membership(on_front=False, dominated_by=dominated_by)
    return _Membership(on_front=True if ahead else None)


_UNPROVEN = "within noise"


def _claimed(p: float | None, level: float) -> bool:
    """Return whether a claim is significant at ``level``; an undecidable one is not."""
    return p is not None and p <= level
