"""``pytest-pareto accept``: what a session measured becomes the baseline, with the reason why.

Which cases of a candidate are accepted: all that changed, or those that were named.
"""

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pareto.cli.console import CANNOT, own_project, terminal_width, write_lines
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import require_text
from pytest_pareto.report.next_steps import REASON
from pytest_pareto.report.terminal import edit_lines
from pytest_pareto.report.text import Line, Tone, relative_path, wrap

if TYPE_CHECKING:
    from pytest_pareto.baseline.acceptance import Accepted
    from pytest_pareto.baseline.candidate import Candidate, Offer, OfferedChange
    from pytest_pareto.baseline.updates import Edit
    from pytest_pareto.plugin.settings import Project


_ACCEPT = """\
Copy what the last session measured into the baseline, as a new level that later
sessions have to beat. Every `pytest --pareto` that writes no baseline leaves it
in .pareto_candidate; that of a CI job is an artifact of it. Without node ids,
all that changed is accepted; what contradicts the baseline, and what is gone,
only by its own name."""

_EXAMPLES = """\
examples:
  pytest-pareto accept .pareto_candidate --reason 'exact again, and slower'
  pytest-pareto accept .pareto_candidate 'test_sd.py::test_unet[fp16]' \\
    --reason 'half the steps, as agreed'
  pytest-pareto accept downloaded test_sd.py --baseline tests/pareto_baselines

exit code: 0, or 2 where it cannot be accepted; then nothing was written"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    accept = commands.add_parser(
        "accept",
        help="copy what a session measured into the baseline, with the reason why",
        description=_ACCEPT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    accept.add_argument("candidate", metavar="DIR", type=Path, help="the candidate's folder")
    accept.add_argument(
        "nodeids",
        metavar="NODEID",
        nargs="*",
        default=[],  # else argparse calls it required where DIR is missing
        help="a test, a case of it (test#name), or what several begin with, such as a file",
    )
    accept.add_argument(
        "--reason",
        metavar="TEXT",
        default="",
        help="why; stored beside the line, and needed for what got worse",
    )
    accept.add_argument(
        "--baseline", metavar="DIR", type=Path, help="the baseline's folder (this project's)"
    )
    accept.set_defaults(run=_accept)


def _accept(asked: argparse.Namespace, _: Sequence[str]) -> int:
    # What needs msgspec or numpy is imported where it is used.
    from pytest_pareto.baseline.acceptance import accept  # noqa: PLC0415 - see above
    from pytest_pareto.baseline.candidate import read_candidate  # noqa: PLC0415 - see above
    from pytest_pareto.baseline.store import load, naming_option, write  # noqa: PLC0415 - see above
    from pytest_pareto.baseline.updates import describe_edits  # noqa: PLC0415 - see above
    from pytest_pareto.cli.accepted_edits import edits_of, moved_fronts  # noqa: PLC0415 - see above

    reason = _reason(asked.reason)
    candidate = read_candidate(asked.candidate)
    if candidate.refused:
        raise ParetoError(f"{candidate.refused}: nothing of it can be accepted; run it again")
    project = own_project()
    if project is None:
        return CANNOT
    with naming_option("--baseline DIR"):
        directory = _baseline_of(asked.baseline, candidate, project)
        chosen = choose(candidate, asked.nodeids, project.root)
        before = load(directory, candidate.hardware_key)
        accepted = accept(before, candidate, chosen.changes, reason)
        edits = edits_of(accepted)
        _check_reason(reason, accepted, edits)
        write(directory, candidate.hardware_key, before, accepted.after)
    width = terminal_width()
    lines = edit_lines(describe_edits(edits), width)
    for text in moved_fronts(before, accepted):
        lines += _wrapped(text, width)
    if edits and reason:
        lines += _wrapped(f"reason: {reason}", width)
    for text in accepted.already:
        lines += _wrapped(f"in the baseline already: {text}", width)
    for text in chosen.left_out:
        lines += _wrapped(f"not accepted: {text}", width, Tone.YELLOW)
    try:
        write_lines(lines)
    except ParetoError as error:
        raise ParetoError(f"{error}. The baseline in {directory.as_posix()} was written") from None
    nothing = not (edits or accepted.already)
    if nothing and not chosen.left_out:
        sys.stderr.write(
            "pytest-pareto accept: nothing to accept: the session of this candidate found nothing "
            f"changed in its {len(candidate.offers)} cases\n"
        )
    # What was named and refused is not done, whatever else was.
    return CANNOT if nothing or (chosen.left_out and asked.nodeids) else 0


def _baseline_of(asked: Path | None, candidate: "Candidate", project: "Project") -> Path:
    """Return the folder to write: the one that was named, or the project's own."""
    from pytest_pareto.baseline.store import directory_exists  # noqa: PLC0415 - see above

    judged_by = project.root / candidate.of if candidate.of else None
    if asked is None and judged_by not in (None, project.baseline):
        raise ParetoError(
            f"the candidate was judged by the baseline {candidate.of}, and this project's is "
            f"{project.baseline.as_posix()}: name the one to write with --baseline DIR"
        )
    if asked is None:
        return project.baseline
    # A session that is the first of its baseline leaves a candidate too, and a typo is none.
    first = judged_by is not None and judged_by.resolve() == asked.resolve()
    if not directory_exists(asked) and not first:
        raise ParetoError(
            f"there is no baseline at {asked.as_posix()}: name its folder with --baseline DIR"
        )
    return asked


def _check_reason(reason: str, accepted: "Accepted", edits: Sequence["Edit"]) -> None:
    """Ask for a reason where the session had one to ask for, or what is written has."""
    from pytest_pareto.baseline.acceptance import needs_reason  # noqa: PLC0415 - see above

    for step, edit in zip(accepted.steps, edits, strict=True):
        if needs_reason((step.offered, edit.action)) and not reason:
            raise ParetoError(
                f"{step.case_id} got worse, is gone or contradicts the baseline: say why it is "
                f"accepted, with --reason TEXT ({step.metric}: {edit.detail})"
            )


def _wrapped(text: str, width: int, tone: Tone = Tone.PLAIN) -> list[Line]:
    return [Line(line, tone) for line in wrap(text, width, hanging="  ")]


def _reason(given: str) -> str:
    reason = " ".join(given.split())
    if reason == REASON or (reason and not reason.strip(".")):
        raise ParetoError(f"{reason!r} stands for a reason: write why this is accepted")
    require_text("--reason", reason)
    return reason


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is accepted, by case id and metric, and what of it has to be left out, with why."""

    changes: Mapping[str, Mapping[str, "OfferedChange"]]
    left_out: tuple[str, ...]


def choose(candidate: "Candidate", wanted: Sequence[str], root: Path) -> Chosen:
    """Return what is accepted; raises ParetoError where a name is of nothing in the candidate."""
    # What needs msgspec is imported where it is used.
    from pytest_pareto.baseline.acceptance import chosen_changes  # noqa: PLC0415 - see above

    offers = candidate.offers
    named = {name: _cases(offers, name, root) for name in wanted}
    for name, cases in named.items():
        if not cases:
            raise ParetoError(_unknown(name, offers))
    exactly = {c for n, cases in named.items() for c in cases if _is_exact(offers[c], c, n, root)}
    cases = sorted({c for found in named.values() for c in found} if wanted else offers)
    changes, left_out = {}, []
    for case_id in cases:
        offer, by_name = offers[case_id], case_id in exactly
        accepted = chosen_changes(offer, named=by_name)
        if accepted:
            changes[case_id] = accepted
        left_out += _left_out(case_id, offer, accepted, by_name=by_name)
    return Chosen(changes, tuple(left_out))


def _left_out(
    case_id: str, offer: "Offer", accepted: Mapping[str, "OfferedChange"], *, by_name: bool
) -> list[str]:
    """Say what of a case is not accepted, where it fails, or was asked for by its name."""
    texts = [f"{case_id} {name}: {why}" for name, why in offer.left_out.items()]
    held = [name for name in offer.changes if name not in accepted]
    if held:
        texts.append(f"{case_id} {', '.join(held)}: {_BY_NAME}")
    if offer.lack and (offer.fails or by_name):
        texts.append(f"{case_id}: {offer.lack}")
    elif by_name and not (offer.changes or texts):
        texts.append(f"{case_id}: nothing of it changed")
    return texts


_BY_NAME = "contradicts the baseline or is gone; name the test to accept that"


def _spellings(name: str, root: Path) -> set[str]:
    """Return an id as it was given, and as it is below pytest's root."""
    module, separator, rest = name.partition("::")
    below = relative_path(Path.cwd() / module, root)
    return {name.rstrip("/"), f"{below}{separator}{rest}"}


def _cases(offers: Mapping[str, "Offer"], name: str, root: Path) -> list[str]:
    ways = _spellings(name, root)
    begins = tuple(way + mark for way in ways for mark in ("#", "[", "::", "/"))
    return [case_id for case_id in offers if case_id in ways or case_id.startswith(begins)]


def _is_exact(offer: "Offer", case_id: str, name: str, root: Path) -> bool:
    return bool(_spellings(name, root) & {case_id, offer.nodeid})


def _unknown(name: str, offers: Mapping[str, "Offer"]) -> str:
    close = difflib.get_close_matches(name, [*offers], n=3, cutoff=0.4)
    there = f"close to it: {', '.join(close)}" if close else f"it has {len(offers)} cases"
    return f"the candidate has no case {name!r}; {there}"
