"""A candidate: what an update would write after this session, kept until somebody accepts it.

A candidate as files: entries in the baseline's own format, and beside them what they are.
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
from pytest_pareto.model.errors import BaselineError, ParetoError
from pytest_pareto.model.session_record import Judged
from pytest_pareto.model.verdict import CaseVerdict, Verdict


@dataclass(frozen=True, slots=True)
class OfferedChange:
    """What accepting does to one metric.

    ``against`` stands for the baseline's entry that the session was judged by, None where it had
    none. Where ``only_named``, it takes the case's name: what contradicts the baseline or is gone.
    """

    action: Action
    against: str | None
    only_named: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """What a session has to offer of one case, by metric name.

    ``left_out`` says of changed metrics why they cannot be accepted, and ``lack`` why nothing can.
    """

    nodeid: str
    verdict: Verdict
    fails: bool
    changes: Mapping[str, OfferedChange] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    lack: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What could be accepted of a session: ``content`` has the new entries, and no others.

    ``refused`` says why nothing can: what was cut short measured something else than asked.
    ``of`` is the folder of the baseline that it was judged by, relative to the root.
    """

    hardware_key: str
    offers: Mapping[str, Offer]
    content: Baseline
    refused: str = ""
    of: str = ""


def plan_candidate(baseline: Baseline, judged: Judged, of: str = "") -> Candidate:
    """Return what an update would write, case by case, without another session of the unchanged."""
    judgement = judged.judgement
    gone = frozenset(c.case_id for c in judgement.cases if c.comparison.missing is not None)
    after, edits = plan_update(baseline, judged, UpdateMode.ALL, prune=gone)
    _, changed = plan_update(baseline, judged, UpdateMode.CHANGED, prune=frozenset())
    freely = {(edit.case_id, edit.metric) for edit in changed}
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
                _against(baseline, edit),
                only_named=(case_id, edit.metric) not in freely,
            )
            for edit in own
        }
        offers[case_id] = _offer(verdict, changes)
        written = [edit.metric for edit in own if edit.action is not Action.DROP]
        if written:
            cases[case_id] = _part(after.cases[case_id], written)
    content = replace(after, cases=cases, elsewhere={})
    return Candidate(baseline.hardware_key, offers, content, of=of)


def refused_candidate(hardware_key: str, why: str, of: str = "") -> Candidate:
    """Return the candidate of a session of which nothing can be accepted."""
    return Candidate(hardware_key, {}, Baseline(hardware_key, {}, {}), why, of)


def _against(baseline: Baseline, edit: Edit) -> str | None:
    case = baseline.cases.get(edit.case_id)
    history = None if case is None else case.metrics.get(edit.metric)
    return None if history is None else history_key(history)


def _part(case: CaseHistory, metrics: list[str]) -> CaseHistory:
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


ABOUT = "candidate.json"
SESSION = "session"
"""The folder in which a session's candidate lies, within the one that is named."""
_SCHEMA = 1
_AGAIN = "run `pytest --pareto` again, or download the artifact again"


class _About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands beside the entries; changes name them by case id and metric."""

    schema: int
    hardware_key: str
    offers: dict[str, Offer]
    refused: str = ""
    of: str = ""


class _Version(msgspec.Struct, frozen=True):
    schema: int


def write_candidate(folder: Path, candidate: Candidate) -> None:
    """Write a candidate into an empty folder. Raises BaselineError."""
    nothing = Baseline(candidate.hardware_key, {}, {})
    write(folder, candidate.hardware_key, nothing, candidate.content)
    about = _About(
        _SCHEMA, candidate.hardware_key, dict(candidate.offers), candidate.refused, candidate.of
    )
    text = msgspec.json.format(msgspec.json.encode(about, order="sorted"), indent=1).decode()
    replace_all({folder / ABOUT: text + "\n"})


def holds_candidate(folder: Path) -> bool:
    """Tell a folder of candidates by what lies in it; an empty or absent one may become one."""
    return (folder / SESSION / ABOUT).is_file() or not any(_shown(folder))


def read_candidate(folder: Path) -> Candidate:
    """Read what `write_candidate` wrote, from the named folder or the session's within it.

    Raises BaselineError where there is none, or where it cannot be used.
    """
    for home in (folder, folder / SESSION):
        if home.is_dir() and os.path.lexists(home / ABOUT):
            _refuse_links(folder, home)  # before anything is read through one
            text = read_text(home / ABOUT)
            if text is not None:
                return _read(home, text)
    raise BaselineError(
        f"there is no candidate in {folder.as_posix()}: it has no {SESSION}/{ABOUT}. Every "
        "`pytest --pareto` that writes no baseline leaves one, in .pareto_candidate unless told "
        "otherwise; not so with --pareto-against. That of a CI job is an artifact of it"
    )


def _read(home: Path, text: str) -> Candidate:
    file = (home / ABOUT).as_posix()
    try:
        schema = msgspec.json.decode(text, type=_Version).schema
        if schema > _SCHEMA:
            raise BaselineError(
                f"{file}: schema {schema} was written by a newer pytest-pareto; upgrade it here"
            )
        about = msgspec.json.decode(text, type=_About)
        content = load(home, about.hardware_key)
    except (msgspec.DecodeError, UnicodeError, ParetoError) as error:
        if isinstance(error, BaselineError) and "newer" in str(error):
            raise
        raise BaselineError(f"the candidate {file} cannot be used: {error}; {_AGAIN}") from error
    for case_id, offer in about.offers.items():
        case = content.cases.get(case_id)
        for name, change in offer.changes.items():
            if change.action is not Action.DROP and (case is None or name not in case.metrics):
                raise BaselineError(f"{file}: {case_id} lacks its entry of {name!r}; {_AGAIN}")
    return Candidate(about.hardware_key, about.offers, content, about.refused, about.of)


def _refuse_links(folder: Path, home: Path) -> None:
    """Refuse links below the folder that was named: an artifact's could lead to any file here."""
    below = (Path(root, n) for root, folders, files in os.walk(home) for n in (*folders, *files))
    for path in (home, *below):
        if path != folder and path.is_symlink():
            raise BaselineError(
                f"{path.as_posix()} is a link, and no session leaves one in a candidate: nothing "
                f"of it is read; {_AGAIN}"
            )


def _shown(folder: Path) -> list[Path]:
    """Return what lies in a folder beside what every folder of candidates has."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.name[0] != "." and path.name != "README.md"]
