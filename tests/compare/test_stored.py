"""The places of cases by their baseline alone: the judge's, and none of our own."""

from dataclasses import replace

import numpy as np
import pytest

from pytest_pareto.compare.stored import newest_environment, recorded_fronts
from pytest_pareto.judge.front import place_front
from pytest_pareto.model.baseline import Baseline, Session
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.metric import BUILT_IN, Kind
from tests import sessions
from tests.sessions import baseline, case_runs, five, judged, remembered, session

FRONT = {
    "t.py::t[fast]": (0.010, 0.80),
    "t.py::t[good]": (0.100, 0.95),
    "t.py::t[bad]": (0.120, 0.70),
    "t.py::t[alike]": (0.0999, 0.9501),
}


def levels(device_s: float, accuracy: float) -> dict[str, list[float]]:
    return {"device": five(device_s), "accuracy": [accuracy + x / 5 for x in sessions.SHAPE]}


def places(past: Baseline) -> dict[str, bool | None]:
    (standing,) = recorded_fronts(past).values()
    found = place_front(standing.members, standing.claims, alpha=0.05, alpha_lost=0.05)
    return {case_id: place.on_front for case_id, place in found.items()}


def relative(past: Baseline, monkeypatch: pytest.MonkeyPatch) -> Baseline:
    """Let the device time of the builders be a built-in metric, with its tolerance."""
    monkeypatch.setitem(BUILT_IN, "device", sessions.DEVICE)
    monkeypatch.setitem(BUILT_IN, "accuracy", sessions.ACCURACY)
    return past


def test_it_equals_the_result_of_a_session_of_the_same_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    past = baseline(*(remembered(name, levels(*at)) for name, at in FRONT.items()))
    cases = [case_runs(name, levels(*at)) for name, at in FRONT.items()]
    new = judged(session(*cases), Baseline(past.hardware_key, {}, past.environments))
    there = {case.case_id: case.place.on_front for case in new.judgement.cases}
    assert places(relative(past, monkeypatch)) == there
    assert list(there.values()).count(True) == 1  # and it tells apart what can be
    assert (there["t.py::t[bad]"], there["t.py::t[alike]"]) == (False, None)
    # Plain levels would have called the pair that cannot be told apart, too.
    assert not any(
        device_s < FRONT["t.py::t[alike]"][0] and score > FRONT["t.py::t[alike]"][1]
        for device_s, score in FRONT.values()
    )


def test_the_level_is_that_of_the_epoch_accepted_now() -> None:
    case = remembered("t.py::t", {"device": five(0.5)})
    (old,) = case.metrics["device"].sessions
    new = Session("here", 1, (0.1, 0.1, 0.13))
    metrics = {"device": replace(case.metrics["device"], sessions=(old, new))}
    (standing,) = recorded_fronts(baseline(replace(case, metrics=metrics))).values()
    (member,) = standing.members
    result = member.metric("device")
    assert result is not None
    assert result.candidate == pytest.approx(0.11)
    held = standing.held["t.py::t", "device"]
    assert (held.runs, held.sessions, held.older) == (3, 1, 1)
    # Pooled over both epochs: from the newest runs alone it would be 0.0173.
    assert held.spread == pytest.approx(np.sqrt((2 * 0.0003 + 4 * np.var(five(0.5), ddof=1)) / 6))


@pytest.mark.parametrize(
    ("runs", "spread"), [((0.1,), None), ((0.1, 0.1, 0.1), 0.0), ((0.1, 0.2), "some")]
)
def test_the_spread_is_known_or_not(runs: tuple[float, ...], spread: object) -> None:
    past = baseline(remembered("t.py::t", {"device": runs}))
    (standing,) = recorded_fronts(past).values()
    found = standing.held["t.py::t", "device"].spread
    assert (found == spread) if spread != "some" else (found is not None and found > 0)


def test_what_another_machine_measured_is_not_compared() -> None:
    """It keeps its level, and its place is open: the rest cannot say that it is off."""
    past = baseline(*(remembered(name, levels(*at)) for name, at in FRONT.items()))
    there = replace(sessions.HERE, gpu_product="NVIDIA A100")
    moved = past.cases["t.py::t[bad]"]
    metrics = {
        name: replace(h, sessions=tuple(replace(s, env="there") for s in h.sessions))
        for name, h in moved.metrics.items()
    }
    past = replace(
        past,
        cases={**past.cases, moved.case_id: replace(moved, metrics=metrics)},
        environments={**past.environments, "there": there},
    )
    assert newest_environment(past) == sessions.HERE
    assert places(past)[moved.case_id] is None
    (standing,) = recorded_fronts(past).values()
    (member,) = (m for m in standing.members if m.case_id == moved.case_id)
    assert {r.outcome for r in member.metrics} == {Outcome.NOT_COMPARABLE}
    assert all(r.candidate for r in member.metrics)


def test_a_level_without_a_ratio_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    past = baseline(remembered("t.py::t", {"device": (0.0, 0.1)}))
    monkeypatch.setitem(BUILT_IN, "device", sessions.DEVICE)
    (standing,) = recorded_fronts(past).values()
    (member,) = standing.members
    assert member.metrics[0].outcome is Outcome.BROKEN
    assert "in the baseline, run 0 is 0" in (member.metrics[0].reason or "")


def test_a_recorded_lower_bound_has_no_place() -> None:
    """It keeps its number, with what the number leaves out."""

    def past(lower_bound: str) -> Baseline:
        low, high = (remembered(f"t.py::t[{i}]", levels(i, 0.9 - i / 10)) for i in (1.0, 2.0))
        history = low.metrics["device"]
        session = replace(history.newest, runs=(1.0,), lower_bound=lower_bound)
        exact = {"device": replace(history, kind=Kind.EXACT, sessions=(session,))}
        return baseline(replace(low, metrics={**low.metrics, **exact}), high)

    assert list(places(past("")).values()) == [True, False]
    assert list(places(past("without x")).values()) == [None, None]
    (standing,) = recorded_fronts(past("without x")).values()
    result = standing.members[0].metric("device")
    assert result is not None
    assert (result.outcome, result.reason) == (Outcome.NOT_COMPARABLE, "a lower bound, without x")
    assert (result.candidate, result.lower_bound) == (1.0, "without x")
