"""The course of a metric: moments where its entry changed, and what they are set beside."""

from dataclasses import replace

import pytest

from pytest_pareto.compare.stored import level_histories
from pytest_pareto.model.baseline import (
    Baseline,
    LevelEntry,
    LevelHistory,
    MetricHistory,
    Revision,
    Session,
)
from pytest_pareto.model.metric import BUILT_IN
from tests import sessions
from tests.sessions import baseline, remembered

CASE = "t.py::t"


def revision(at: int) -> Revision:
    return Revision("0" * 39 + str(at), str(at), "2026-01-01", f"commit {at}")


def of(level: float, **other: object) -> MetricHistory:
    history = remembered(CASE, {"device": (level,)}).metrics["device"]
    (session,) = history.sessions
    epoch = other.pop("epoch", 0)
    assert isinstance(epoch, int)
    return replace(history, sessions=(replace(session, epoch=epoch),), **other)  # type: ignore[arg-type]  # a builder's overrides


def past(*histories: MetricHistory | None) -> list[tuple[int, Revision, Baseline]]:
    case = remembered(CASE, {"device": (1.0,)})
    read = []
    for at, history in enumerate(histories):
        cases = () if history is None else (replace(case, metrics={"device": history}),)
        read.append((at, revision(at), baseline(*cases)))
    return read


def course(*histories: MetricHistory | None) -> LevelHistory:
    (found,) = level_histories(past(*histories))
    return found


@pytest.fixture(autouse=True)
def _built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILT_IN, "device", sessions.DEVICE)


def changes(entries: tuple[LevelEntry, ...]) -> list[tuple[float | None, float | None]]:
    return [(m.since_before, m.since_first) for m in entries]


def test_changes_are_ratios_since_the_commit_before_and_the_first() -> None:
    found = course(of(1.0), of(1.1), of(1.1), of(0.55))
    assert [m.at for m in found.entries] == [0, 1, 3]
    assert changes(found.entries)[0] == (None, None)
    assert changes(found.entries)[1] == pytest.approx((0.1, 0.1))
    assert changes(found.entries)[2] == pytest.approx((-0.5, -0.45))
    assert [found.level_at(at) for at in range(4)] == [1.0, 1.1, 1.1, 0.55]


def test_scores_differ_by_their_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILT_IN, "device", replace(sessions.DEVICE, relative=False))
    found = course(of(0.8), of(0.9))
    assert changes(found.entries)[1] == pytest.approx((0.1, 0.1))


def test_from_nothing_there_is_no_ratio() -> None:
    assert changes(course(of(0.0), of(1.0)).entries)[1] == (None, None)


def test_an_accepted_level_is_an_epoch_that_differs() -> None:
    found = course(of(1.0), of(1.2), of(1.3, epoch=1), of(1.3, epoch=0))
    assert [m.accepted for m in found.entries] == [False, False, True, True]


def test_what_is_gone_has_no_level_and_its_return_is_set_beside_what_was() -> None:
    found = course(None, of(1.0), None, of(1.5))
    assert [(m.at, m.level) for m in found.entries] == [(1, 1.0), (2, None), (3, 1.5)]
    assert changes(found.entries)[2] == pytest.approx((0.5, 0.5))
    assert found.level_at(0) is None
    assert found.level_at(2) is None


def test_another_quantity_is_not_set_beside() -> None:
    found = course(of(1000.0, unit="ms"), of(1.0), of(1.1))
    assert [m.level for m in found.entries] == [None, 1.0, 1.1]
    assert changes(found.entries)[1] == (None, None)
    assert "its unit was 'ms' in the baseline and is 's' now" in found.entries[0].notes[0]


def test_other_machines_and_versions_are_noted() -> None:
    old, new = past(of(1.0), of(1.1))
    elsewhere = replace(
        sessions.HERE, power_limits_w=(500.0,), software={"torch": "2.13", "new": "1"}
    )
    here = replace(sessions.HERE, software={"torch": "2.12", "gone": "1"})
    old = (*old[:2], replace(old[2], environments={"here": here}))
    new = (*new[:2], replace(new[2], environments={"here": elsewhere}))
    (found,) = level_histories([old, new])
    assert found.entries[1].notes == (
        "measured on another machine: other power limit (W)",
        "torch 2.12 → 2.13",
    )


def test_diagnostics_are_for_who_asks() -> None:
    read = past(of(1.0, gates=False))
    assert level_histories(read) == ()
    assert len(level_histories(read, diagnostics=True)) == 1


def test_the_level_is_that_of_comparisons() -> None:
    """The mean of logarithms over the newest epoch, not the newest session's, nor the mean."""
    history = of(1.0)
    many = (Session("here", 0, (9.0,)), Session("here", 1, (1.0, 4.0)), Session("here", 1, (2.0,)))
    (moment,) = course(replace(history, sessions=many)).entries
    assert moment.level == pytest.approx(2.0)


def test_a_lower_bound_is_no_level() -> None:
    complete = of(1.0)
    bounded = replace(complete, sessions=(replace(complete.newest, lower_bound="without x"),))
    found = course(bounded, of(9.0))
    assert [m.level for m in found.entries] == [None, 9.0]
    assert changes(found.entries)[1] == (None, None)
    assert found.entries[0].notes == ("a lower bound, without x",)
