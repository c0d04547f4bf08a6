"""A candidate as files: entries in the baseline's own format, and beside them what they are."""

import os
from pathlib import Path

import msgspec

from pytest_pareto.baseline.candidate import Candidate, Offer
from pytest_pareto.baseline.disk import read_text
from pytest_pareto.baseline.edits import Action
from pytest_pareto.baseline.replacing import replace_all
from pytest_pareto.baseline.store import load, write
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.errors import BaselineError, ParetoError

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
