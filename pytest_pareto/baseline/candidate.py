"""Candidates: the entries that an update would write after a session, kept for acceptance.

`plan_candidate` makes one, `write_candidate` and `read_candidate` store it as files: entries in the
baseline's own format, and a `candidate.json` that describes them.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from pytest_pareto.baseline.codec import history_key
from pytest_pareto.baseline.files import read_text, replace_all
from pytest_pareto.baseline.store import load, write
from pytest_pareto.baseline.updates import Action, Edit, UpdateMode, plan_update
from pytest_pareto.model.baseline import Baseline, CaseHistory
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.errors import BaselineError, NewerSchemaError, ParetoError
from pytest_pareto.model.session_record import Judged
from pytest_pareto.model.strict_json import (
    JsonError,
    NewerVersionError,
    read_object,
    require_version,
)
from pytest_pareto.model.verdict import CaseVerdict, Verdict

OFFERS_FILE = "candidate.json"
SESSION = "session"
"""The subfolder of the user's candidate folder that holds a session's candidate."""
_SCHEMA = 1
_RETRY = "run `pytest --pareto` again, or download the artifact again"


@dataclass(frozen=True, slots=True)
class OfferedChange:
    """The effect of accepting one metric.

    ``against`` is the key (`history_key`) of the baseline's entry that the session was compared
    with, None where it had none. ``only_named`` is set for changes that the user must choose by the
    case's name: those that contradict the baseline, and metrics that are gone.
    """

    action: Action
    against: str | None
    only_named: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """The acceptable changes of one case in a session, by metric name.

    ``left_out`` gives for changed metrics the reason why they cannot be accepted; ``lack`` is the
    reason why no metric can.
    """

    nodeid: str
    verdict: Verdict
    fails: bool
    changes: Mapping[str, OfferedChange] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    lack: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The acceptable changes of a session; ``content`` holds the new entries, and no others.

    ``refused`` is the reason why nothing can be accepted: an interrupted session did not measure
    what was requested. ``of`` is the folder of the baseline that it was compared with, relative to
    the root.
    """

    hardware_key: str
    offers: Mapping[str, Offer]
    content: Baseline
    refused: str = ""
    of: str = ""


def plan_candidate(baseline: Baseline, judged: Judged, of: str = "") -> Candidate:
    """Return what an update would write, by case, without further sessions of unchanged cases."""
    judgement = judged.judgement
    gone = frozenset(c.case_id for c in judgement.cases if c.comparison.missing is not None)
    after, edits = plan_update(baseline, judged, UpdateMode.ALL, prune=gone)
    _, changed = plan_update(baseline, judged, UpdateMode.CHANGED, prune=frozenset())
    unnamed = {(edit.case_id, edit.metric) for edit in changed}
    by_case: dict[str, list[Edit]] = {}
    for edit in edits:
        if edit.action is not Action.APPEND:
            by_case.setdefault(edit.case_id, []).append(edit)
    offers, cases = {}, {}
    for verdict in judgement.cases:
        case_id = verdict.case_id
        own = by_case.get(case_id, [])
        changes = {
            edit.metric: OfferedChange(
                edit.action,
                _history_key_of(baseline, edit),
                only_named=(case_id, edit.metric) not in unnamed,
            )
            for edit in own
        }
        offers[case_id] = _offer(verdict, changes)
        written = [edit.metric for edit in own if edit.action is not Action.DROP]
        if written:
            cases[case_id] = _with_metrics(after.cases[case_id], written)
    content = replace(after, cases=cases, elsewhere={}, policy=None)
    return Candidate(baseline.hardware_key, offers, content, of=of)


def refused_candidate(hardware_key: str, why: str, of: str = "") -> Candidate:
    """Return the candidate of a session of which nothing can be accepted."""
    return Candidate(hardware_key, {}, Baseline(hardware_key, {}, {}), why, of)


def _history_key_of(baseline: Baseline, edit: Edit) -> str | None:
    case = baseline.cases.get(edit.case_id)
    history = None if case is None else case.metrics.get(edit.metric)
    return None if history is None else history_key(history)


def _with_metrics(case: CaseHistory, metrics: list[str]) -> CaseHistory:
    return replace(case, metrics={name: case.metrics[name] for name in metrics})


def _offer(verdict: CaseVerdict, changes: Mapping[str, OfferedChange]) -> Offer:
    comparison = verdict.comparison
    lack = comparison.broken or comparison.skipped or ""
    left_out = {} if lack else dict(_left_out(verdict, changes))
    fails = bool(verdict.fails)
    return Offer(comparison.nodeid, verdict.verdict, fails, changes, left_out, lack)


def _left_out(
    verdict: CaseVerdict, changes: Mapping[str, OfferedChange]
) -> Iterator[tuple[str, str]]:
    for result in verdict.comparison.metrics:
        name, looks = result.metric.name, result.looks
        changed = result.outcome in (Outcome.WORSE, Outcome.BETTER, Outcome.BROKEN)
        if name in changes or not changed or not result.metric.gates:
            continue
        if looks is not None and not looks.complete:
            yield name, f"it stopped early, with {looks.used} of {looks.samples} samples"
        else:
            yield name, result.reason or "it has no level to be compared with later"


class _CandidateFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `candidate.json`; changes refer to entries by case id and metric."""

    schema: int
    hardware_key: str
    offers: dict[str, Offer]
    refused: str = ""
    of: str = ""


def write_candidate(folder: Path, candidate: Candidate) -> None:
    """Write a candidate into an empty folder. Raises BaselineError."""
    nothing = Baseline(candidate.hardware_key, {}, {})
    write(folder, candidate.hardware_key, nothing, candidate.content)
    about = _CandidateFile(
        _SCHEMA, candidate.hardware_key, dict(candidate.offers), candidate.refused, candidate.of
    )
    text = msgspec.json.format(msgspec.json.encode(about, order="sorted"), indent=1).decode()
    replace_all({folder / OFFERS_FILE: text + "\n"})


def is_candidate_folder(folder: Path) -> bool:
    """Return whether a folder holds a candidate, or is empty or absent and may receive one."""
    return (folder / SESSION / OFFERS_FILE).is_file() or not any(_visible_entries(folder))


def read_candidate(folder: Path) -> Candidate:
    """Return the candidate that `write_candidate` wrote into a folder or its `session` subfolder.

    Raises BaselineError where there is none, or where it cannot be used.
    """
    for home in (folder, folder / SESSION):
        if home.is_dir() and os.path.lexists(home / OFFERS_FILE):
            _refuse_links(folder, home)  # before any file is read through a link
            text = read_text(home / OFFERS_FILE)
            if text is not None:
                return _read(home, text)
    raise BaselineError(
        f"there is no candidate in {folder.as_posix()}: it has no {SESSION}/{OFFERS_FILE}. Every "
        "`pytest --pareto` that writes no baseline leaves one, in .pareto_candidate unless told "
        "otherwise; not so with --pareto-against. That of a CI job is an artifact of it"
    )


def _read(home: Path, text: str) -> Candidate:
    file = (home / OFFERS_FILE).as_posix()
    try:
        about = _about(text, file)
        content = load(home, about.hardware_key)
    except NewerSchemaError:
        raise
    except (JsonError, msgspec.ValidationError, UnicodeError, ParetoError) as error:
        raise BaselineError(f"the candidate {file} cannot be used: {error}; {_RETRY}") from error
    for case_id, offer in about.offers.items():
        case = content.cases.get(case_id)
        for name, change in offer.changes.items():
            if change.action is not Action.DROP and (case is None or name not in case.metrics):
                raise BaselineError(f"{file}: {case_id} lacks its entry of {name!r}; {_RETRY}")
    return Candidate(about.hardware_key, about.offers, content, about.refused, about.of)


def _about(text: str, file: str) -> _CandidateFile:
    content = read_object(text)
    try:
        require_version(content, "schema", _SCHEMA)
    except NewerVersionError as newer:
        raise NewerSchemaError(f"{file}: {newer.problem}; upgrade it here") from newer
    return msgspec.convert(content, _CandidateFile)


def _refuse_links(folder: Path, home: Path) -> None:
    """Raise BaselineError for links below the user's folder.

    A link in a downloaded artifact could lead to any file on this machine.
    """
    below = (Path(root, n) for root, folders, files in os.walk(home) for n in (*folders, *files))
    for path in (home, *below):
        if path != folder and path.is_symlink():
            raise BaselineError(
                f"{path.as_posix()} is a link, and no session leaves one in a candidate: nothing "
                f"of it is read; {_RETRY}"
            )


def _visible_entries(folder: Path) -> list[Path]:
    """Return the visible entries of a folder, without the README of every candidate folder."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.name[0] != "." and path.name != "README.md"]
