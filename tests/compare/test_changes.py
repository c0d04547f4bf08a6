from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_pareto.compare.changes import compare_case
from pytest_pareto.compare.matching import Pair
from pytest_pareto.compare.pairs import CasePairs, family_size
from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.model.baseline import CaseHistory, Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import parse_budget
from pytest_pareto.model.policy import AlphaShares, Policy, SessionSpreads
from pytest_pareto.model.run import CaseRun
from pytest_pareto.model.verdict import CaseComparison
from pytest_pareto.stats.variance import Spread, moderated_spread, session_sd

if TYPE_CHECKING:
    from tests.compare.conftest import World

ALL = AlphaShares(1.0, 0.0)
FIVE = [1.0, 1.01, 0.99, 1.02, 0.98]


def compared(case: CasePairs, **kwargs: Any) -> CaseComparison:
    how: dict[str, Any] = {"policy": Policy(), "shares": ALL, "family": 1, "budgets": 0} | kwargs
    return compare_case(case, **how)


def against(
    world: "World", runs: Sequence[CaseRun], *histories: CaseHistory, **kwargs: Any
) -> CaseComparison:
    (case,) = world.match(world.baseline(*histories), runs).values()
    return compared(case, **kwargs)


def change_of(comparison: CaseComparison, name: str) -> Change:
    result = comparison.metric(name)
    assert result is not None
    assert result.change is not None, result
    return result.change


def outcome_of(comparison: CaseComparison, name: str) -> Outcome:
    result = comparison.metric(name)
    assert result is not None
    return result.outcome


def scaled(levels: Sequence[float], factor: float) -> list[float]:
    return [factor * level for level in levels]


# Each kind by its own test


@pytest.mark.parametrize(
    ("factor", "outcome"),
    [(1.5, Outcome.WORSE), (0.5, Outcome.BETTER), (1.0, Outcome.UNCHANGED)],
)
def test_noisy_metrics_are_compared_over_runs(
    world: "World", factor: float, outcome: Outcome
) -> None:
    runs = world.runs(latency=scaled(FIVE, factor))
    comparison = against(world, runs, world.history(latency=FIVE))
    assert outcome_of(comparison, "latency") is outcome
    assert change_of(comparison, "latency") == compare_levels(
        [Session("here", 0, tuple(FIVE))],
        scaled(FIVE, factor),
        better=world.metric("latency").better,
        relative=True,
        tolerance=0.05,
        alpha=0.05,
    )


@pytest.mark.parametrize(
    ("now", "outcome"),
    [(102.0, Outcome.WORSE), (101.0, Outcome.UNCHANGED), (90.0, Outcome.BETTER)],
)
def test_exact_metrics_are_compared_plainly(world: "World", now: float, outcome: Outcome) -> None:
    history = world.history(peak_memory=[100.0])
    comparison = against(world, world.runs(peak_memory=[now]), history)
    assert outcome_of(comparison, "peak_memory") is outcome


def test_numbers_that_repeat_are_compared_plainly(world: "World") -> None:
    history = world.history(fid=[10.0] * 3)
    moved = change_of(against(world, world.runs(fid=[10.6]), history), "fid")
    assert moved.outcome is Outcome.WORSE
    assert (moved.low, moved.high) == (moved.estimate, moved.estimate)
    assert moved.df is None


def test_an_exact_metric_is_held_against_the_session_accepted_last(world: "World") -> None:
    past = world.past("peak_memory", [300.0], [100.0])
    comparison = against(world, world.runs(peak_memory=[110.0]), world.history(peak_memory=past))
    assert outcome_of(comparison, "peak_memory") is Outcome.WORSE


@pytest.mark.parametrize(
    ("shift", "outcome"),
    [(-0.3, Outcome.WORSE), (0.3, Outcome.BETTER), (0.0, Outcome.UNCHANGED)],
)
def test_scores_are_matched_by_sample(world: "World", shift: float, outcome: Outcome) -> None:
    rng = np.random.default_rng(1)
    then = rng.uniform(0, 1, 60)
    now = then + shift + (rng.normal(0, 0.01, 60) if shift else 0.0)
    (run,) = world.runs(score=[now.tolist()])
    score = run.measurements[0]
    backwards = replace(score, values=score.values[::-1], ids=score.ids[::-1])
    run = replace(run, measurements=(backwards,))
    comparison = against(world, [run], world.history(score=then.tolist()))
    assert outcome_of(comparison, "score") is outcome
    assert change_of(comparison, "score").estimate == pytest.approx(-shift, abs=0.01)
    assert change_of(comparison, "score").pairs == 60


def test_levels_are_of_the_accepted_epoch(world: "World") -> None:
    past = world.past("fid", Session("here", 0, (1.0, 1.1)), Session("here", 1, (4.0, 6.0)))
    comparison = against(world, world.runs(fid=[5.5, 6.5]), world.history(fid=past))
    result = comparison.metric("fid")
    assert result is not None
    assert (result.baseline, result.candidate) == (5.0, 6.0)


def test_first_calls_and_notes_are_carried(world: "World") -> None:
    (run,) = world.runs(latency=[1.0])
    noted = replace(run.measurements[0], first=3.0, notes=("throttled",))
    runs = [replace(run, measurements=(noted,))]
    result = against(world, runs, world.history(latency=FIVE)).metric("latency")
    assert result is not None
    assert (result.first, result.notes) == (3.0, ("throttled",))


def test_what_has_no_other_side_is_passed_on(world: "World") -> None:
    runs = world.runs(fid=[1.0], device=["no GPU"])
    comparison = against(world, runs, world.history(latency=FIVE))
    assert outcome_of(comparison, "fid") is Outcome.NEW
    assert outcome_of(comparison, "device") is Outcome.ABSENT
    assert outcome_of(comparison, "latency") is Outcome.MISSING
    assert comparison.broken is None


def test_a_case_is_described_by_its_last_run(world: "World") -> None:
    runs = [replace(r, nodeid="t.py::t", gate=False) for r in world.runs("t.py::t#x", fid=[1.0])]
    comparison = against(world, runs)
    about = comparison.case_id, comparison.nodeid, comparison.front, comparison.gate
    assert about == ("t.py::t#x", "t.py::t", "f", False)


# What is assumed of sessions


def test_the_session_spread_is_on_the_working_scale(world: "World") -> None:
    baseline = world.baseline(world.history(latency=FIVE, fid=[-3.0, 2.0]))
    spreads = SessionSpreads(host=0.1, gpu=0.1)
    (case,) = world.match(baseline, world.runs(latency=[1.0], fid=[1.0]), spreads=spreads).values()
    latency, fid = case.pairs["latency"], case.pairs["fid"]
    assert isinstance(latency, Pair)
    assert isinstance(fid, Pair)
    assert latency.session_spread == fid.session_spread == 0.1
    assert session_sd(world.metric("latency"), 0.1, FIVE) == pytest.approx(np.log(1.1))
    assert session_sd(world.metric("fid"), 0.1, [-3.0, 2.0]) == pytest.approx(0.3)


def test_session_spread_lowers_the_resolution(world: "World") -> None:
    baseline = world.baseline(world.history(latency=FIVE))
    runs = world.runs(latency=scaled(FIVE, 1.1))
    (calm,) = world.match(baseline, runs).values()
    (wild,) = world.match(baseline, runs, spreads=SessionSpreads(host=0.3)).values()
    assert outcome_of(compared(calm), "latency") is Outcome.WORSE
    assert outcome_of(compared(wild), "latency") is Outcome.INCONCLUSIVE


# The loan

RNG = np.random.default_rng(3)
LENDERS = {name: np.exp(RNG.normal(0, 0.02, (2, 5))).tolist() for name in "bcde"}


def with_lenders(
    world: "World", then: Sequence[float], now: Sequence[float]
) -> dict[str, CasePairs]:
    past = {"a": then} | {name: both[0] for name, both in LENDERS.items()}
    here = {"a": now} | {name: both[1] for name, both in LENDERS.items()}
    return world.match(
        world.baseline(*(world.history(name, latency=levels) for name, levels in past.items())),
        *(world.runs(name, latency=levels) for name, levels in here.items()),
    )


def test_a_case_with_one_run_on_each_side_borrows(world: "World") -> None:
    alone = against(world, world.runs(latency=[2.0]), world.history(latency=[1.0]))
    assert outcome_of(alone, "latency") is Outcome.INCONCLUSIVE
    cases = with_lenders(world, [1.0], [2.0])
    prior = cases["a"].priors["latency"]
    assert prior is not None
    borrowed = cases["a"].spreads["latency"]
    # The last digit depends on the processor.
    assert borrowed.variance == pytest.approx(prior.variance, rel=1e-12)
    assert borrowed.df == pytest.approx(prior.df, rel=1e-12)
    change = change_of(compared(cases["a"]), "latency")
    assert change.outcome is Outcome.WORSE
    assert change.df == pytest.approx(prior.df, rel=1e-12)


@pytest.mark.parametrize(("now", "df"), [([1.1], 0.5), ([1.1, 1.12], 1.5), ([1.1, 1.12, 1.11], 2)])
def test_the_loan_is_made_exactly_once(
    world: "World", now: list[float], df: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loan this small leaves 1.5 degrees of freedom in need of another: none must come."""
    small = Spread(1e-4, 0.5)
    monkeypatch.setattr("pytest_pareto.compare.pairs.estimate_prior", lambda _: small)
    case = with_lenders(world, [1.0], now)["a"]
    assert case.spreads["latency"].df == df
    assert change_of(compared(case), "latency").df == df
    twice = moderated_spread(case.spreads["latency"], small)
    assert (twice.df > df) == (df < 2)


def test_a_case_with_a_spread_of_its_own_does_not_borrow(world: "World") -> None:
    cases = with_lenders(world, [1.0], [1.1, 1.12, 1.11])
    assert cases["a"].priors == {}  # no one is needy
    assert cases["a"].spreads["latency"].df == 2.0
    assert change_of(compared(cases["a"]), "latency").df == 2.0
    # Nor does a lender where someone else is in need.
    needy = with_lenders(world, [1.0], [2.0])
    assert needy["b"].priors["latency"] is not None
    assert needy["b"].spreads["latency"].df == 8.0
    assert change_of(compared(needy["b"]), "latency").df == 8.0


def test_only_cases_of_the_same_metric_lend(world: "World") -> None:
    levels = LENDERS.items()
    baseline = world.baseline(
        world.history("a", device=[1.0]),
        *(world.history(name, latency=both[0]) for name, both in levels),
    )
    cases = world.match(
        baseline,
        world.runs("a", device=[1.1]),
        *(world.runs(name, latency=both[1]) for name, both in levels),
    )
    assert cases["a"].priors == {"device": None}
    assert change_of(compared(cases["a"]), "device").outcome is Outcome.INCONCLUSIVE


def test_a_new_case_lends_the_scatter_of_its_runs(world: "World") -> None:
    cases = world.match(
        world.baseline(world.history("a", latency=[1.0])),
        world.runs("a", latency=[1.1]),
        *(world.runs(name, latency=both[1]) for name, both in LENDERS.items()),
    )
    assert cases["a"].priors["latency"] is not None
    assert outcome_of(compared(cases["b"]), "latency") is Outcome.NEW


# The family


def test_the_family_is_what_is_noisy_gated_and_comparable(world: "World") -> None:
    configured = world.where(replace(world.metric("device"), gates=False))
    baseline = configured.baseline(
        configured.history("a", latency=FIVE, device=FIVE, peak_memory=[1.0], fid=[2.0] * 3),
        configured.history("b", latency=FIVE, score=[0.1, 0.2]),
        configured.history("c", latency=FIVE),
    )
    cases = configured.match(
        baseline,
        configured.runs("a", latency=[1.0], device=[1.0], peak_memory=[1.0], fid=[2.0]),
        configured.runs("b", latency=[1.0], score=[[0.1, 0.2]], fid=[1.0]),
        configured.runs("c", latency=[1.0], gate=False),
    )
    assert [m.measured.metric.name for m in cases["a"].tested()] == ["latency"]
    assert [m.measured.metric.name for m in cases["b"].tested()] == ["latency", "score"]
    assert len(list(cases["c"].tested())) == 1
    assert family_size(cases.values()) == 3
    assert family_size([]) == 0


@pytest.mark.parametrize(
    ("family", "shares", "same_as"),
    [(0, ALL, 1.0), (4, ALL, 4.0), (4, AlphaShares(0.8, 0.2), 5.0)],
)
def test_the_resolution_is_that_of_a_share_of_alpha(
    world: "World", family: int, shares: AlphaShares, same_as: float
) -> None:
    case = against(
        world, world.runs(latency=FIVE), world.history(latency=FIVE), family=family, shares=shares
    )
    alone = compare_levels(
        [Session("here", 0, tuple(FIVE))],
        FIVE,
        better=world.metric("latency").better,
        relative=True,
        tolerance=0.05,
        alpha=0.05,
        family=same_as,
    )
    assert change_of(case, "latency").resolution == pytest.approx(alone.resolution)
    assert change_of(case, "latency").p_worse == alone.p_worse  # only the judge corrects it


def test_the_resolution_of_scores_is_that_of_a_share_too(world: "World") -> None:
    scores = np.random.default_rng(1).uniform(0, 1, (2, 30)).tolist()
    runs, history = world.runs(score=[scores[1]]), world.history(score=scores[0])
    alone, shared = (
        change_of(against(world, runs, history, family=n), "score").resolution for n in (1, 9)
    )
    assert shared > alone


# What is said besides


@pytest.mark.parametrize(
    ("then", "now", "noted"),
    [("s1", "s2", True), ("s1", "s1", False), ("", "s2", False), ("s1", "", False)],
)
def test_a_test_that_changed_is_noted(world: "World", then: str, now: str, noted: bool) -> None:
    runs = world.runs(latency=[1.0], source=now)
    comparison = against(world, runs, world.history(latency=FIVE, source=then))
    assert bool(comparison.notes) is noted
    assert all("test itself changed" in note for note in comparison.notes)


def test_a_new_case_has_not_changed(world: "World") -> None:
    assert against(world, world.runs(latency=[1.0])).notes == ()


def test_a_case_that_measured_nothing_is_broken(world: "World") -> None:
    runs = world.runs(latency=[0.0], device=["no GPU"])
    comparison = against(world, runs, world.history(fid=[1.0]))
    assert comparison.broken is not None
    assert comparison.broken.startswith("nothing could be measured (latency: reading 0 is 0")
    assert "device: no GPU" in comparison.broken
    assert "fid" not in comparison.broken  # that one is reported by its own state


def test_budgets_are_held_against_what_was_measured(world: "World") -> None:
    budgets = tuple(
        parse_budget(metric, text)
        for metric, text in (("latency", "<= 2"), ("latency", "<= 0.5"), ("energy", "<= 1 J"))
    )
    runs = world.runs(latency=FIVE, budgets=budgets)
    shares = AlphaShares(0.9, 0.1)
    comparison = against(world, runs, shares=shares, budgets=3)
    assert [b.broken for b in comparison.budgets] == [False, True, None]


def test_budgets_share_their_share_of_alpha(world: "World") -> None:
    """Beyond the bound at a p of about 1.5 %: enough for 5 %, too little for a share of it."""
    runs = world.runs(latency=FIVE, budgets=(parse_budget("latency", "<= 0.86"),))
    case = world.match(world.baseline(), runs)["a"]
    generous, shared = (
        compared(case, shares=AlphaShares(0.1, 0.9), budgets=count) for count in (1, 10)
    )
    assert generous.budgets[0].broken is True
    assert shared.budgets[0].broken is None
    assert compared(case, shares=AlphaShares(0.9, 0.1), budgets=1).budgets[0].broken is None
