"""From a judged session to an accepted baseline, without pytest."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_pareto.baseline.acceptance import accept, chosen_changes, needs_reason
from pytest_pareto.baseline.candidate import (
    OFFERS_FILE,
    SESSION,
    Candidate,
    is_candidate_folder,
    plan_candidate,
    read_candidate,
    refused_candidate,
    write_candidate,
)
from pytest_pareto.baseline.store import load, write
from pytest_pareto.baseline.updates import KEPT_SESSIONS, Action, UpdateMode, plan_update
from pytest_pareto.model.attribution import Breakdown, Part
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.errors import BaselineError
from pytest_pareto.model.run import Looks, Run
from pytest_pareto.model.session_record import Judged
from pytest_pareto.model.verdict import Verdict
from tests.sessions import HERE, baseline, case_runs, five, judged, remembered, session

A, B, GONE = "test_m.py::test_f[a]", "test_m.py::test_f[b]", "test_m.py::test_gone"
KEY = HERE.hardware_key
OLD_PARTS = Breakdown((Part("aten::mm in Net.fc1", 0.75, 2.0),), rest=0.25, folded=3)
NEW_PARTS = Breakdown((Part("aten::mm in Net.fc1", 1.25, 2.0),), rest=0.25, folded=3)


def past() -> Baseline:
    levels = {"device": five(1.0), "accuracy": [0.9] * 5}
    return baseline(*(remembered(case, levels, front=case) for case in (A, B, GONE)))


def levels(device: float) -> dict[str, Any]:
    return {"device": five(device), "accuracy": [0.9] * 5}


def measured(runs: Sequence[Run], before: Baseline) -> Judged:
    return judged(runs, before)


def slower_session(before: Baseline) -> Judged:
    """``a`` got slower, ``b`` faster, and a third case is gone."""
    runs = session(case_runs(A, levels(1.5), front=A), case_runs(B, levels(0.5), front=B))
    return measured(runs, before)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, Baseline]:
    """The past baseline, written and read back."""
    folder = tmp_path / "pareto_baselines"
    write(folder, KEY, Baseline(KEY, {}, {}), past())
    return folder, load(folder, KEY)


@pytest.fixture
def candidate(stored: tuple[Path, Baseline], tmp_path: Path) -> Candidate:
    """The candidate of the slower session, written and read back."""
    home = tmp_path / ".pareto_candidate" / SESSION
    write_candidate(home, plan_candidate(stored[1], slower_session(stored[1])))
    return read_candidate(home.parent)


def all_of(candidate: Candidate, *case_ids: str, named: bool = False) -> dict[str, Any]:
    chosen = {c: chosen_changes(candidate.offers[c], named=named) for c in case_ids}
    return {case: changes for case, changes in chosen.items() if changes}


def test_it_has_the_changes_and_nothing_else(candidate: Candidate) -> None:
    actions = {
        (case, name): change.action
        for case, offer in candidate.offers.items()
        for name, change in offer.changes.items()
    }
    assert actions == {
        (A, "device"): Action.ACCEPT_WORSE,
        (B, "device"): Action.ACCEPT_BETTER,
        (GONE, "device"): Action.DROP,
        (GONE, "accuracy"): Action.DROP,
    }
    assert {c: set(case.metrics) for c, case in candidate.content.cases.items()} == {
        A: {"device"},
        B: {"device"},
    }


def test_accepting_one_case_equals_an_update_of_it(
    stored: tuple[Path, Baseline], candidate: Candidate
) -> None:
    folder, before = stored
    accepted = accept(before, candidate, all_of(candidate, A), "more steps")
    write(folder, KEY, before, accepted.after)
    after, now = load(folder, KEY), slower_session(before)
    updated, _ = plan_update(before, now, UpdateMode.CHANGED, prune=frozenset())
    device = after.cases[A].metrics["device"]
    assert device.reason == "more steps"
    assert device.newest.runs == pytest.approx(updated.cases[A].metrics["device"].newest.runs)
    assert [s.epoch for s in device.sessions] == [0, 1]
    assert after.cases[A].metrics["accuracy"] == before.cases[A].metrics["accuracy"]
    assert after.cases[B] == before.cases[B]


@pytest.fixture
def attributed(stored: tuple[Path, Baseline], tmp_path: Path) -> tuple[Path, Baseline, Candidate]:
    """A baseline and the candidate of a slower session, both with what latencies consist of."""
    folder, plain = stored
    before = with_breakdown(plain, A, OLD_PARTS)
    write(folder, KEY, plain, before)
    planned = plan_candidate(before, slower_session(before))
    content = with_breakdown(planned.content, A, NEW_PARTS)
    home = tmp_path / ".pareto_candidate" / SESSION
    write_candidate(home, replace(planned, content=content))
    return folder, before, read_candidate(home.parent)


def with_breakdown(of: Baseline, case_id: str, parts: Breakdown | None) -> Baseline:
    case = of.cases[case_id]
    device = replace(case.metrics["device"], breakdown=parts)
    case = replace(case, metrics={**case.metrics, "device": device})
    return replace(of, cases={**of.cases, case_id: case})


def test_what_a_level_consists_of_is_accepted_with_it(
    attributed: tuple[Path, Baseline, Candidate],
) -> None:
    folder, before, candidate = attributed
    accepted = accept(before, candidate, all_of(candidate, A, B), "more steps")
    write(folder, KEY, before, accepted.after)
    after = load(folder, KEY)
    assert after.cases[A].metrics["device"].breakdown == NEW_PARTS
    assert after.cases[B].metrics["device"].breakdown is None
    assert "[1,0,1.25,2]" in ((folder / KEY / "test_m.profile.json").read_text())


def test_accepting_twice_changes_nothing_though_the_parts_are_missing(
    attributed: tuple[Path, Baseline, Candidate],
) -> None:
    _, before, candidate = attributed
    once = accept(before, candidate, all_of(candidate, A), "why").after
    for parts in (NEW_PARTS, None):
        now = with_breakdown(once, A, parts)
        twice = accept(now, candidate, all_of(candidate, A), "because")
        assert twice.already == (f"{A} device",)
        assert twice.after.cases == now.cases


def test_other_parts_do_not_make_a_candidate_stale(
    attributed: tuple[Path, Baseline, Candidate],
) -> None:
    _, before, candidate = attributed
    now = with_breakdown(before, A, None)
    accepted = accept(now, candidate, all_of(candidate, A), "why")
    assert accepted.after.cases[A].metrics["device"].breakdown == NEW_PARTS


def test_accepted_cases_pass_and_others_still_fail(
    stored: tuple[Path, Baseline], candidate: Candidate
) -> None:
    before = stored[1]
    runs = session(
        *(case_runs(case, levels(1.5 if case == A else 1.0), front=case) for case in (A, B, GONE))
    )
    red = {c.case_id for c in measured(runs, before).judgement.cases if c.fails}
    assert red == {A}
    after = accept(before, candidate, all_of(candidate, A), "more steps").after
    assert not measured(runs, after).judgement.failed
    other = accept(before, candidate, all_of(candidate, B), "more steps").after
    assert measured(runs, other).judgement.failed


def test_a_missing_case_is_dropped_only_by_its_name(
    stored: tuple[Path, Baseline], candidate: Candidate
) -> None:
    before = stored[1]
    unnamed = accept(before, candidate, all_of(candidate, A, B, GONE), "why").after
    assert GONE in unnamed.cases
    named = accept(before, candidate, all_of(candidate, GONE, named=True), "why")
    assert GONE not in named.after.cases
    assert {step.offered for step in named.steps} == {Action.DROP}


def test_a_baseline_that_changed_since_is_refused(
    stored: tuple[Path, Baseline], candidate: Candidate
) -> None:
    before = stored[1]
    moved = accept(before, candidate, all_of(candidate, A), "first").after
    history = moved.cases[A].metrics["device"]
    other = replace(history, sessions=(*history.sessions, replace(history.newest, epoch=2)))
    case = replace(moved.cases[A], metrics={**moved.cases[A].metrics, "device": other})
    changed = replace(moved, cases={**moved.cases, A: case})
    with pytest.raises(BaselineError, match="not the one that this candidate was judged by"):
        accept(changed, candidate, all_of(candidate, A), "second")
    # A change of another case does not matter.
    assert accept(changed, candidate, all_of(candidate, B), "second").steps


def test_accepting_twice_changes_nothing(
    stored: tuple[Path, Baseline], candidate: Candidate
) -> None:
    once = accept(stored[1], candidate, all_of(candidate, A), "why").after
    twice = accept(once, candidate, all_of(candidate, A), "because")
    assert twice.steps == ()
    assert twice.already == (f"{A} device",)
    assert twice.after.cases == once.cases


def test_only_a_worse_entry_needs_a_reason(candidate: Candidate) -> None:
    wanted = {
        case: needs_reason(change.action for change in candidate.offers[case].changes.values())
        for case in (A, B, GONE)
    }
    assert wanted == {A: True, B: False, GONE: True}


def test_a_failed_and_an_incomplete_case_have_nothing_to_accept() -> None:
    before = past()
    runs = session(
        case_runs(A, levels(1.5), front=A),
        case_runs(B, {"device": five(1.5)[:2], "accuracy": [0.9] * 2}, front=B),
        failed={GONE: "it raised"},
    )
    offers = plan_candidate(before, measured(runs, before)).offers
    assert offers[A].changes
    assert not offers[B].changes
    assert offers[B].lack
    assert not offers[GONE].changes
    assert "it raised" in offers[GONE].lack
    assert offers[GONE].verdict is Verdict.BROKEN


def test_a_metric_without_a_level_is_left_out_with_a_reason(stored: tuple[Path, Baseline]) -> None:
    before = stored[1]
    now = slower_session(before)
    known = {key: runs for key, runs in now.levels.items() if key != (A, "device")}
    offer = plan_candidate(before, replace(now, levels=known)).offers[A]
    assert not offer.changes
    assert offer.left_out == {"device": "it has no level to be compared with later"}
    early = Looks(samples=100, planned=2, at=1, seed=0)
    cases = tuple(
        replace(
            case,
            comparison=replace(
                case.comparison,
                metrics=tuple(replace(r, looks=early) for r in case.comparison.metrics),
            ),
        )
        for case in now.judgement.cases
    )
    stopped = replace(now, levels=known, judgement=replace(now.judgement, cases=cases))
    left_out = plan_candidate(before, stopped).offers[A].left_out
    assert left_out == {"device": "it stopped early, with 50 of 100 samples"}


def test_a_reason_is_kept_past_its_session(
    stored: tuple[Path, Baseline], candidate: Candidate
) -> None:
    now = accept(stored[1], candidate, all_of(candidate, A), "more steps").after
    for _ in range(KEPT_SESSIONS + 1):
        found = measured(session(case_runs(A, levels(1.5), front=A)), now)
        now, edits = plan_update(now, found, UpdateMode.RUNS, prune=frozenset())
        assert edits
    history = now.cases[A].metrics["device"]
    assert len(history.sessions) == KEPT_SESSIONS
    assert history.reason == "more steps"
    assert sum(bool(s.reason) for s in history.sessions) == 1


def test_the_next_level_has_a_reason_of_its_own(
    stored: tuple[Path, Baseline], candidate: Candidate
) -> None:
    now = accept(stored[1], candidate, all_of(candidate, A), "more steps").after
    found = measured(session(case_runs(A, levels(3.0), front=A)), now)
    after, _ = plan_update(now, found, UpdateMode.CHANGED, prune=frozenset())
    history = after.cases[A].metrics["device"]
    assert history.newest.epoch == 2
    assert history.reason == ""


def test_an_interrupted_session_offers_nothing(tmp_path: Path) -> None:
    write_candidate(tmp_path / SESSION, refused_candidate(KEY, "it was cut short"))
    assert read_candidate(tmp_path).refused == "it was cut short"
    assert not read_candidate(tmp_path).offers


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda about: about.update(schema=2), "newer pytest-pareto"),
        (lambda about: about.update(more=1), "unknown field"),
        (lambda about: about.update(hardware_key="../up"), "cannot name a hardware folder"),
        (lambda about: about["offers"][A]["changes"].update(extra={}), "cannot be used"),
    ],
)
def test_a_corrupt_candidate_is_refused(
    candidate: Candidate, tmp_path: Path, harm: Any, message: str
) -> None:
    file = tmp_path / ".pareto_candidate" / SESSION / OFFERS_FILE
    about = json.loads(file.read_text())
    harm(about)
    file.write_text(json.dumps(about))
    with pytest.raises(BaselineError, match=message):
        read_candidate(tmp_path / ".pareto_candidate")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": ' + "[" * 100_000, "cannot be used: not valid JSON"),
        ('{"schema": 1, "offers": {}, "offers": {}}', "the key 'offers' appears twice"),
        ("<<<<<<< HEAD\n{}", "unresolved merge conflict at line 1"),
    ],
    ids=["deep", "twice", "conflict"],
)
def test_a_candidate_is_read_strictly(
    candidate: Candidate, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / ".pareto_candidate" / SESSION / OFFERS_FILE).write_text(text)
    with pytest.raises(BaselineError, match=message):
        read_candidate(tmp_path / ".pareto_candidate")


def test_a_missing_entry_is_reported(candidate: Candidate, tmp_path: Path) -> None:
    for file in (tmp_path / ".pareto_candidate" / SESSION / KEY).rglob("*.json"):
        file.unlink()
    with pytest.raises(BaselineError, match="lacks its entry of 'device'"):
        read_candidate(tmp_path / ".pareto_candidate")


@pytest.mark.parametrize("at", [f"{SESSION}/{OFFERS_FILE}", f"{SESSION}/{KEY}", SESSION, "deep"])
def test_a_link_in_an_artifact_is_not_followed(
    candidate: Candidate, tmp_path: Path, at: str
) -> None:
    """It could lead to any file of the user who accepts, outside the artifact or within."""
    folder = tmp_path / ".pareto_candidate"
    if at == "deep":
        at = next((folder / SESSION / KEY).rglob("*.json")).relative_to(folder).as_posix()
    (folder / at).rename(tmp_path / "moved")
    (folder / at).symlink_to(tmp_path / "moved")
    with pytest.raises(BaselineError, match="is a link, and no session leaves one"):
        read_candidate(folder)


def test_nothing_is_read_through_a_link_before_it_is_refused(
    candidate: Candidate, tmp_path: Path
) -> None:
    """The read could block, or never end."""
    file = tmp_path / ".pareto_candidate" / SESSION / OFFERS_FILE
    file.unlink()
    (tmp_path / "no text").write_bytes(b"\xff\x00")
    file.symlink_to(tmp_path / "no text")
    with pytest.raises(BaselineError, match="is a link, and no session leaves one"):
        read_candidate(tmp_path / ".pareto_candidate")


def test_the_given_folder_may_be_a_link(candidate: Candidate, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(".pareto_candidate")
    assert read_candidate(tmp_path / "latest").offers == candidate.offers


def test_the_error_for_a_missing_candidate_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="there is no candidate in"):
        read_candidate(tmp_path / "nowhere")


def test_candidate_folders_are_recognised(candidate: Candidate, tmp_path: Path) -> None:
    assert is_candidate_folder(tmp_path / ".pareto_candidate")
    assert is_candidate_folder(tmp_path / "nowhere")
    assert not is_candidate_folder(tmp_path)


def test_only_the_newest_session_of_a_candidate_is_used(
    stored: tuple[Path, Baseline], candidate: Candidate
) -> None:
    """It may come from a pull request, whose code could have written anything into it."""
    before, content = stored[1], candidate.content
    history = content.cases[A].metrics["device"]
    (name,) = before.environments
    evil = replace(HERE, cpu_model="Evil")
    forged = replace(content, environments={name: evil})
    after = accept(before, replace(candidate, content=forged), all_of(candidate, A), "x").after
    assert after.environments[name] == before.environments[name]

    first = replace(history.sessions[0], runs=(9.0,) * 5)
    past = replace(history, sessions=(first, *history.sessions[1:]))
    cases = {A: replace(content.cases[A], metrics={"device": past})}
    other = replace(candidate, content=replace(content, cases=cases))
    with pytest.raises(BaselineError, match="another past than the baseline"):
        accept(before, other, all_of(candidate, A), "x")

    named = replace(candidate, content=replace(content, environments={"ab12": evil}))
    with pytest.raises(BaselineError, match="is not what its name stands for"):
        accept(before, named, all_of(candidate, A), "x")


def test_reasons_in_a_candidate_are_discarded(
    stored: tuple[Path, Baseline], candidate: Candidate
) -> None:
    before, content = stored[1], candidate.content
    history = content.cases[B].metrics["device"]
    sessions = tuple(replace(session, reason="as agreed") for session in history.sessions)
    case = replace(content.cases[B], metrics={"device": replace(history, sessions=sessions)})
    forged = replace(candidate, content=replace(content, cases={**content.cases, B: case}))
    after = accept(before, forged, all_of(candidate, B), "").after
    assert {s.reason for s in after.cases[B].metrics["device"].sessions} == {""}


def test_a_candidate_alone_cannot_drop_an_entry(candidate: Candidate) -> None:
    offer = candidate.offers[GONE]
    changes = {name: replace(change, only_named=False) for name, change in offer.changes.items()}
    assert not chosen_changes(replace(offer, changes=changes), named=False)
