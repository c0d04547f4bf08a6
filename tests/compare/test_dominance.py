from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_pareto.compare.dominance import claim_fronts
from pytest_pareto.model.baseline import CaseHistory, MetricHistory, Session
from pytest_pareto.model.metric import Better, Kind
from pytest_pareto.model.policy import SessionSpreads
from pytest_pareto.model.run import CaseRun
from pytest_pareto.model.verdict import FrontClaims, NoClaims, PairClaims

if TYPE_CHECKING:
    from tests.compare.conftest import World

SHAPE = np.exp(np.array([-0.002, -0.001, 0.0, 0.001, 0.002]))
QUIET = SessionSpreads(0.0, 0.0, 0.0)


def five(level: float) -> list[float]:
    """Five runs around a level, one thousandth apart."""
    return [float(x) for x in level * SHAPE]


def fronts(
    world: "World",
    histories: Sequence[CaseHistory],
    *cases: Sequence[CaseRun],
    spreads: SessionSpreads = QUIET,
    interleaved: bool = False,
) -> Mapping[str, FrontClaims]:
    baseline = world.baseline(*histories, stored=not interleaved)
    matched = world.match(baseline, *cases, spreads=spreads)
    return claim_fronts(baseline, tuple(matched.values()), world.here, spreads)


def front(*args: Any, **kwargs: Any) -> FrontClaims:
    (claims,) = fronts(*args, **kwargs).values()
    return claims


def points(claims: FrontClaims) -> tuple[str, str]:
    """The old points and the new ones."""
    return "".join(sorted(claims.old)), "".join(sorted(claims.new))


def claimed(p: float | None) -> bool | None:
    return None if p is None else p <= 0.01


def dominated(claims: PairClaims, point: str, rival: str) -> bool | None:
    return claimed(claims.dominated(point, rival))


def ahead(claims: PairClaims, point: str, rival: str) -> bool | None:
    return claimed(claims.ahead(point, rival))


def past_pair(world: "World") -> list[CaseHistory]:
    return [world.history("a", device=five(1.0)), world.history("b", device=five(2.0))]


# Then, across, now


def test_points_are_compared_before_now_and_across(world: "World") -> None:
    """a was ahead of b; then it fell behind, and b stayed."""
    claims = front(
        world,
        past_pair(world),
        world.runs("a", device=five(3.0)),
        world.runs("b", device=five(2.0)),
    )
    assert claims.old == claims.new == {"a", "b"}
    assert (dominated(claims.then, "a", "b"), dominated(claims.then, "b", "a")) == (False, True)
    assert (dominated(claims.now, "a", "b"), dominated(claims.now, "b", "a")) == (True, False)
    # Across, the new point stands against the old rival.
    assert (dominated(claims.across, "a", "b"), dominated(claims.across, "b", "a")) == (True, True)
    assert (ahead(claims.then, "a", "b"), ahead(claims.now, "a", "b")) == (True, False)
    assert (ahead(claims.across, "b", "a"), ahead(claims.now, "b", "a")) == (False, True)


def test_across_the_rival_is_the_old_one(world: "World") -> None:
    claims = front(
        world,
        past_pair(world),
        world.runs("a", device=five(1.0)),
        world.runs("b", device=five(0.5)),  # overtakes a: that is not a's doing
    )
    assert dominated(claims.now, "a", "b") is True
    assert dominated(claims.across, "a", "b") is False


def test_every_front_is_its_own(world: "World") -> None:
    histories = [replace(h, front=f"f-{h.case_id}") for h in past_pair(world)]
    found = fronts(
        world,
        [*histories, world.history("c", front="unmeasured", device=five(1.0))],
        world.runs("a", front="f-a", device=five(1.0)),
        world.runs("b", front="f-b", device=five(2.0)),
    )
    assert {name: points(claims) for name, claims in found.items()} == {
        "f-a": ("a", "a"),
        "f-b": ("b", "b"),
    }
    assert found["f-a"].then.dominated("a", "b") is None


def test_a_new_case_has_no_old_point(world: "World") -> None:
    claims = front(
        world,
        past_pair(world)[:1],
        world.runs("a", device=five(1.0)),
        world.runs("b", device=five(2.0)),
    )
    assert points(claims) == ("a", "ab")
    assert dominated(claims.across, "b", "a") is True
    assert claims.across.dominated("a", "b") is None


def test_without_old_points_only_the_present_is_known(world: "World") -> None:
    cases = world.runs("a", device=five(1.0)), world.runs("b", device=five(2.0))
    claims = front(world, [], *cases)
    assert claims.old == frozenset()
    assert isinstance(claims.then, NoClaims)
    assert isinstance(claims.across, NoClaims)
    assert dominated(claims.now, "b", "a") is True


def test_what_cannot_be_compared_leaves_no_old_point(world: "World") -> None:
    past = world.past("latency", Session("elsewhere", 0, tuple(five(1.0))))
    claims = front(
        world,
        [world.history("a", latency=past), world.history("b", latency=five(2.0))],
        world.runs("a", latency=five(1.0)),
        world.runs("b", latency=five(2.0)),
    )
    assert points(claims) == ("b", "ab")
    assert claims.then.dominated("b", "a") is None


def test_nothing_is_claimed_of_a_point_with_an_axis_that_cannot_be_compared(
    world: "World",
) -> None:
    """Dropping the axis instead would call a dominated by a rival that it beats there."""
    past = world.past("latency", Session("elsewhere", 0, tuple(five(1.0))))
    claims = front(
        world,
        [
            world.history("a", device=five(2.0), latency=past),
            world.history("b", device=five(1.0), latency=five(2.0)),
        ],
        world.runs("a", device=five(2.0), latency=five(1.0)),
        world.runs("b", device=five(1.0), latency=five(2.0)),
    )
    assert claims.then.dominated("a", "b") is None
    assert dominated(claims.now, "a", "b") is False


def test_diagnostics_have_no_axis(world: "World") -> None:
    configured = world.where(replace(world.metric("fid"), gates=False))
    claims = front(
        configured,
        [
            configured.history("a", device=five(1.0), fid=[9.0] * 3),
            configured.history("b", device=five(2.0), fid=[1.0] * 3),
        ],
        configured.runs("a", device=five(1.0), fid=[9.0] * 5),
        configured.runs("b", device=five(2.0), fid=[1.0] * 5),
    )
    for side in (claims.then, claims.across, claims.now):
        assert dominated(side, "b", "a") is True


# Every kind of axis


def test_scores_are_compared_by_sample(world: "World") -> None:
    base = np.random.default_rng(4).uniform(0, 1, 80)
    good, bad = base.tolist(), (base - 0.1 + 1e-4 * base).tolist()
    claims = front(
        world,
        [world.history("a", score=good), world.history("b", score=bad)],
        world.runs("a", score=[bad]),
        world.runs("b", score=[good]),
    )
    assert dominated(claims.then, "b", "a") is True
    assert dominated(claims.now, "a", "b") is True
    assert dominated(claims.across, "a", "b") is False
    assert dominated(claims.across, "b", "a") is False


@pytest.mark.parametrize(
    ("name", "then"), [("peak_memory", [100.0]), ("fid", [100.0, 100.0, 100.0])]
)
def test_levels_that_repeat_are_compared_without_noise(
    world: "World", name: str, then: list[float]
) -> None:
    """One run on each side says it all; p is 0 or 1."""
    claims = front(
        world,
        [
            world.history("a", **{name: then}),
            world.history("b", **{name: [2 * level for level in then]}),
        ],
        world.runs("a", **{name: [100.0]}),
        world.runs("b", **{name: [200.0]}),
    )
    for side in (claims.then, claims.across, claims.now):
        assert side.dominated("b", "a") == 0.0
        assert side.dominated("a", "b") == 1.0


def test_one_noisy_run_claims_nothing(world: "World") -> None:
    cases = world.runs("a", device=[1.0]), world.runs("b", device=[2.0])
    assert front(world, [], *cases).now.dominated("b", "a") == 1.0


def test_an_old_point_is_of_the_accepted_level(world: "World") -> None:
    moved = world.past(
        "device", Session("here", 0, tuple(five(9.0))), Session("here", 1, tuple(five(1.0)))
    )
    claims = front(
        world,
        [world.history("a", device=moved), world.history("b", device=five(2.0))],
        world.runs("a", device=five(1.0)),
        world.runs("b", device=five(2.0)),
    )
    assert dominated(claims.then, "b", "a") is True


# Rivals that were not measured


def unmeasured(world: "World", *then: Any, **kwargs: Any) -> FrontClaims:
    """b stays at its old place while a is measured at a level of 1."""
    about = {"name": "device", "now": five(1.0)} | kwargs
    name, now = about["name"], about["now"]
    past = then[0] if isinstance(then[0], MetricHistory) else world.past(name, *then)
    return front(
        world,
        [world.history("a", **{name: now}), world.history("b", **{name: past})],
        world.runs("a", **{name: now}),
        spreads=about.get("spreads", QUIET),
    )


def test_a_rival_that_was_not_measured_keeps_its_level(world: "World") -> None:
    claims = unmeasured(world, five(0.5))
    assert points(claims) == ("ab", "a")
    assert dominated(claims.then, "a", "b") is True
    assert dominated(claims.across, "a", "b") is True
    assert claims.now.dominated("a", "b") is None


def test_an_unmeasured_rival_has_the_tolerance_of_the_measured_cases(world: "World") -> None:
    strict, generous = (
        world.where(replace(world.metric("device"), tolerance=tolerance))
        for tolerance in (0.01, 1.0)
    )
    assert dominated(unmeasured(strict, five(1.5)).then, "b", "a") is True
    assert dominated(unmeasured(generous, five(1.5)).then, "b", "a") is False


def test_rivals_at_rest_may_be_exact_or_scored(world: "World") -> None:
    claims = unmeasured(world, [50.0], name="peak_memory", now=[100.0])
    assert claims.across.dominated("a", "b") == 0.0
    scores = np.random.default_rng(4).uniform(0, 1, 80)
    history = [
        world.history("a", score=scores.tolist()),
        world.history("b", score=(scores + 0.1 + 1e-4 * scores).tolist()),
    ]
    claims = front(world, history, world.runs("a", score=[scores.tolist()]))
    assert dominated(claims.across, "a", "b") is True


def test_a_rival_at_rest_without_a_shared_metric_has_no_point(world: "World") -> None:
    histories = [world.history("a", device=five(1.0)), world.history("b", fid=five(1.0))]
    claims = front(world, histories, world.runs("a", device=five(1.0)))
    assert claims.old == {"a"}


def test_a_metric_that_no_test_measures_any_more_is_no_axis_at_rest(world: "World") -> None:
    rival = world.history("b", device=five(0.5), fid=five(9.0))
    histories = [world.history("a", device=five(1.0)), rival]
    claims = front(world, histories, world.runs("a", device=five(1.0)))
    assert dominated(claims.across, "a", "b") is True


def test_a_diagnostic_is_no_axis_at_rest(world: "World") -> None:
    configured = world.where(replace(world.metric("fid"), gates=False))
    histories = [
        configured.history("a", device=five(1.0), fid=five(1.0)),
        configured.history("b", device=five(0.5), fid=five(9.0)),
    ]
    claims = front(configured, histories, configured.runs("a", device=five(1.0), fid=five(1.0)))
    assert dominated(claims.across, "a", "b") is True


@pytest.mark.parametrize("about", [{"kind": Kind.EXACT}, {"better": Better.HIGHER}, {"unit": "J"}])
def test_a_rival_at_rest_of_another_nature_has_no_point(
    world: "World", about: dict[str, Any]
) -> None:
    assert unmeasured(world, world.past("device", five(0.5), **about)).old == {"a"}


def test_a_rival_measured_elsewhere_has_no_point(world: "World") -> None:
    there = Session("elsewhere", 0, tuple(five(0.5)))
    assert unmeasured(world, there, name="latency").old == {"a"}
    assert unmeasured(world, there).old == {"a", "b"}  # the same GPU is enough for device time


def test_a_rival_at_rest_stands_where_this_machine_saw_it(world: "World") -> None:
    there, here = (Session(env, 0, tuple(five(x))) for env, x in (("elsewhere", 9), ("here", 0.5)))
    for sessions in ((there, here), (here, there)):
        claims = unmeasured(world, *sessions, name="latency")
        assert dominated(claims.across, "a", "b") is True
    moved = replace(there, epoch=1)
    assert unmeasured(world, here, moved, name="latency").old == {"a"}


# Between sessions

WILD = SessionSpreads(host=0.5, gpu=0.5, gpu_other_board=0.5)


def test_sessions_differ_only_across(world: "World") -> None:
    cases = world.runs("a", device=five(1.0)), world.runs("b", device=five(2.0))
    claims = front(world, past_pair(world), *cases, spreads=WILD)
    assert dominated(claims.then, "b", "a") is True
    assert dominated(claims.now, "b", "a") is True
    assert dominated(claims.across, "b", "a") is False
    assert dominated(front(world, past_pair(world), *cases).across, "b", "a") is True


def test_sides_that_took_turns_are_of_one_session(world: "World") -> None:
    cases = world.runs("a", device=five(1.0)), world.runs("b", device=five(2.0))
    claims = front(world, past_pair(world), *cases, spreads=WILD, interleaved=True)
    assert dominated(claims.across, "b", "a") is True


def test_what_repeats_repeats_across_sessions(world: "World") -> None:
    histories = [world.history("a", fid=[1.0] * 3), world.history("b", fid=[2.0] * 3)]
    cases = world.runs("a", fid=[1.0]), world.runs("b", fid=[2.0])
    claims = front(world, histories, *cases, spreads=WILD)
    assert claims.across.dominated("b", "a") == 0.0


def test_scores_have_no_sessions(world: "World") -> None:
    base = np.random.default_rng(4).uniform(0, 1, 80)
    bad = (base - 0.1 + 1e-4 * base).tolist()
    histories = [world.history("a", score=base.tolist()), world.history("b", score=bad)]
    cases = world.runs("a", score=[base.tolist()]), world.runs("b", score=[bad])
    claims = front(world, histories, *cases, spreads=WILD)
    assert dominated(claims.across, "b", "a") is True


def test_the_widest_session_spread_of_a_metric_counts(world: "World") -> None:
    """On an absolute scale it grows with the level; the order of cases must not matter."""
    histories = [world.history(n, fid=[x, x + 0.01]) for n, x in (("a", 1.0), ("b", 100.0))]
    cases = [world.runs(n, fid=[x, x + 0.01]) for n, x in (("a", 1.0), ("b", 20.0))]
    one = front(world, histories, *cases, spreads=WILD)
    other = front(world, histories[::-1], *cases[::-1], spreads=WILD)
    p = one.across.dominated("b", "a")
    assert p is not None
    assert p > 0.05  # 19 apart, with sessions that differ by 50
    assert other.across.dominated("b", "a") == p


@pytest.mark.parametrize("name", ["device", "fid"])
def test_a_new_case_is_as_far_from_a_rival_at_rest_as_sessions_are(
    world: "World", name: str
) -> None:
    """Nothing of a new case is matched, and still its rival is of another session."""
    rival, arrival = world.history("b", **{name: five(1.0)}), world.runs("a", **{name: five(2.0)})
    calm, wild = (front(world, [rival], arrival, spreads=s) for s in (QUIET, WILD))
    assert dominated(calm.across, "a", "b") is True
    assert dominated(wild.across, "a", "b") is False


@pytest.mark.parametrize("side", ["now", "unmeasured", "none"])
def test_no_claim_rests_on_a_lower_bound(world: "World", side: str) -> None:
    """What is left out of the smaller number could make it the larger one."""
    less, more = (world.runs(i, peak_memory=[level]) for i, level in (("a", 1.0), ("b", 2.0)))
    past = world.past("peak_memory", Session("here", 0, (1.0,), lower_bound="without x"))
    if side == "unmeasured":
        claims = front(world, [world.history("a", peak_memory=past)], more)
    else:
        claims = front(
            world, [], world.bounded(less, "peak_memory") if side == "now" else less, more
        )
    if side == "none":  # the control
        assert dominated(claims.now, "b", "a") is ahead(claims.now, "a", "b") is True
        return
    for found in (claims.now, claims.across, claims.then):
        assert dominated(found, "b", "a") is ahead(found, "a", "b") is None
