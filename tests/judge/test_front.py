from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.judge.front import place_front
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.verdict import CaseComparison, FrontClaims, NoClaims, Place, Position

if TYPE_CHECKING:
    from tests.judge.conftest import Case, ScriptedDuels

AB = frozenset("ab")


def place(members: list[CaseComparison], front: FrontClaims, who: str = "a") -> Place:
    return place_front(members, front, alpha=0.05, alpha_lost=0.005)[who]


def test_alone_on_a_front_a_case_keeps_its_place(case: "Case") -> None:
    alone = frozenset("a")
    placed = place([case("a", latency=Outcome.WORSE)], FrontClaims(alone, alone))
    assert placed == Place(Position.KEPT, on_front=True)


def test_kept_where_it_still_beats_every_rival(case: "Case", duels: "type[ScriptedDuels]") -> None:
    ahead = duels(ahead_of={"a": {"b"}})
    front = FrontClaims(AB, AB, then=ahead, across=duels(), now=ahead)
    members = [case("a", latency=Outcome.WORSE), case("b", latency=Outcome.UNCHANGED)]
    assert place(members, front).position is Position.KEPT


def test_kept_without_new_proof_where_nothing_moved(
    case: "Case", duels: "type[ScriptedDuels]"
) -> None:
    front = FrontClaims(AB, AB, then=duels(ahead_of={"a": {"b"}}), across=duels(), now=duels())
    members = [case("a", latency=Outcome.NOT_WORSE), case("b", latency=Outcome.WORSE)]
    assert place(members, front) == Place(Position.KEPT, on_front=True)
    # Once a rival improved, or something is undecided, it has to be shown.
    for mine, theirs in (
        (Outcome.NOT_WORSE, Outcome.BETTER),
        (Outcome.INCONCLUSIVE, Outcome.UNCHANGED),
    ):
        members = [case("a", latency=mine), case("b", latency=theirs)]
        assert place(members, front).position is Position.AMBIGUOUS


def test_lost_needs_harm_of_its_own_and_an_old_rival(
    case: "Case", duels: "type[ScriptedDuels]"
) -> None:
    was = duels(ahead_of={"a": {"b"}})
    now = duels(dominated_by={"a": {"b"}})
    lost = FrontClaims(AB, AB, then=was, across=now, now=now)
    rival = case("b", latency=Outcome.UNCHANGED)
    placed = place([case("a", latency=Outcome.WORSE), rival], lost)
    assert placed == Place(Position.LOST, on_front=False, rivals=("b",))
    placed = place([case("a", latency=Outcome.INCONCLUSIVE), rival], lost)
    assert placed.position is Position.AMBIGUOUS
    assert placed.on_front is False
    only_new = FrontClaims(AB, AB, then=was, across=duels(), now=now)
    assert place([case("a", latency=Outcome.WORSE), rival], only_new).position is not Position.LOST


def test_overtaken_by_a_rival_that_rose(case: "Case", duels: "type[ScriptedDuels]") -> None:
    now = duels(dominated_by={"a": {"b"}})
    front = FrontClaims(AB, AB, then=duels(ahead_of={"a": {"b"}}), across=duels(), now=now)
    members = [case("a", latency=Outcome.UNCHANGED), case("b", latency=Outcome.BETTER)]
    assert place(members, front) == Place(Position.OVERTAKEN, on_front=False, rivals=("b",))


def test_overtaken_by_a_rival_that_arrived(case: "Case", duels: "type[ScriptedDuels]") -> None:
    now = duels(dominated_by={"a": {"b"}}, ahead_of={"b": {"a"}})
    front = FrontClaims(frozenset("a"), AB, then=duels(), across=duels(), now=now)
    members = [case("a", latency=Outcome.UNCHANGED), case("b", latency=Outcome.NEW)]
    assert place(members, front).position is Position.OVERTAKEN
    assert place(members, front, "b").position is Position.GAINED


def test_gained_and_off(case: "Case", duels: "type[ScriptedDuels]") -> None:
    was = duels(dominated_by={"a": {"b"}})
    members = [case("a", latency=Outcome.BETTER), case("b", latency=Outcome.UNCHANGED)]
    gained = FrontClaims(AB, AB, then=was, across=duels(), now=duels(ahead_of={"a": {"b"}}))
    assert place(members, gained) == Place(Position.GAINED, on_front=True)
    off = FrontClaims(AB, AB, then=was, across=was, now=was)
    assert place(members, off) == Place(Position.OFF, on_front=False, rivals=("b",))
    unclear = FrontClaims(AB, AB, then=was, across=duels(), now=duels())
    assert place(members, unclear).position is Position.AMBIGUOUS


def test_unsettled_membership_is_ambiguous(case: "Case", duels: "type[ScriptedDuels]") -> None:
    front = FrontClaims(AB, AB, then=duels(), across=duels(), now=duels(ahead_of={"a": {"b"}}))
    placed = place([case("a", latency=Outcome.WORSE), case("b", latency=Outcome.UNCHANGED)], front)
    assert placed.position is Position.AMBIGUOUS
    assert placed.on_front is True


@pytest.mark.parametrize("state", [Outcome.NOT_COMPARABLE, Outcome.MISSING, Outcome.BROKEN])
def test_an_axis_that_cannot_be_compared_makes_it_ambiguous(
    case: "Case", duels: "type[ScriptedDuels]", state: Outcome
) -> None:
    ahead = duels(ahead_of={"a": {"b"}})
    front = FrontClaims(AB, AB, then=ahead, across=ahead, now=ahead)
    placed = place([case("a", latency=state, score=Outcome.WORSE)], front)
    assert placed.position is Position.AMBIGUOUS
    assert placed.reason == "latency cannot be compared here"


def test_a_case_that_was_not_measured_is_ambiguous(case: "Case") -> None:
    placed = place([case("a", missing="gone")], FrontClaims(frozenset("a")))
    assert placed == Place(Position.AMBIGUOUS, reason="this case cannot be compared here")


def test_rivals_that_were_not_measured_stand_where_they_stood(
    case: "Case", duels: "type[ScriptedDuels]"
) -> None:
    was = duels(ahead_of={"a": {"b"}})
    front = FrontClaims(AB, frozenset("a"), then=was, across=duels(dominated_by={"a": {"b"}}))
    assert place([case("a", latency=Outcome.WORSE)], front).position is Position.LOST
    front = FrontClaims(AB, frozenset("a"), then=was, across=was)
    assert place([case("a", latency=Outcome.WORSE)], front).position is Position.KEPT


def test_claims_about_rivals_are_corrected(case: "Case", duels: Any) -> None:
    class Marginal:
        """Dominated with p = 0.004: enough against one rival at 0.005, not against two."""

        def dominated(self, point: str, rival: str) -> float:
            return 0.004

        def ahead(self, point: str, rival: str) -> float:
            return 0.0

    for rivals, expected in (("ab", Position.LOST), ("abc", Position.KEPT)):
        ids = frozenset(rivals)
        now = duels(ahead_of={"a": {"b", "c"}})
        front = FrontClaims(ids, ids, then=Marginal(), across=Marginal(), now=now)
        # Membership then is claimed by `ahead`; Marginal's dominance is too weak at alpha / 2.
        members = [case(i, latency=Outcome.WORSE) for i in rivals]
        then = duels(ahead_of={"a": {"b", "c"}})
        front = FrontClaims(ids, ids, then=then, across=Marginal(), now=now)
        assert place(members, front).position is expected


def test_an_undecidable_pair_claims_nothing(case: "Case", duels: "type[ScriptedDuels]") -> None:
    unknown = duels(
        dominated_by={"a": {"b"}}, ahead_of={"a": {"b"}}, unknown=frozenset({("a", "b")})
    )
    front = FrontClaims(AB, AB, then=unknown, across=unknown, now=unknown)
    members = [case("a", latency=Outcome.WORSE), case("b", latency=Outcome.UNCHANGED)]
    assert place(members, front).position is Position.AMBIGUOUS
    assert NoClaims().dominated("a", "b") is None
    assert NoClaims().ahead("a", "b") is None


def test_a_new_case_with_a_lower_bound_has_no_place(
    case: "Case", duels: "type[ScriptedDuels]", result: Any
) -> None:
    front = FrontClaims(frozenset(), AB, now=duels(ahead_of={"a": {"b"}}))
    complete = result("memory", Outcome.NEW)
    rival = case("b", latency=Outcome.NEW, memory=complete)
    placed = place([case("a", latency=Outcome.NEW, memory=complete), rival], front)
    assert placed.position is Position.GAINED
    bound = replace(complete, lower_bound="without x")
    placed = place([case("a", latency=Outcome.NEW, memory=bound), rival], front)
    assert placed == Place(Position.AMBIGUOUS, reason="memory cannot be compared here")
