"""``pytest-pareto accept``: what a session measured becomes the baseline, with the reason why."""

import argparse
import difflib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pareto.cli.exits import CANNOT
from pytest_pareto.cli.project import own_project
from pytest_pareto.cli.written import write_lines
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.texts import require_text
from pytest_pareto.report.accepting import REASON
from pytest_pareto.report.edits import edit_lines
from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.text import wrap

if TYPE_CHECKING:
    from pytest_pareto.baseline.candidate import Candidate, Offer, OfferedChange

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


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What is accepted, by case id and metric, and what of it has to be left out, with why."""

    changes: Mapping[str, Mapping[str, "OfferedChange"]]
    left_out: tuple[str, ...]


def _accept(asked: argparse.Namespace, _: Sequence[str]) -> int:
    # What needs msgspec is imported where it is used.
    from pytest_pareto.baseline.accepting import accept, needs_reason  # noqa: PLC0415 - see above
    from pytest_pareto.baseline.candidate_files import read_candidate  # noqa: PLC0415 - see above
    from pytest_pareto.baseline.edits import told  # noqa: PLC0415 - see above
    from pytest_pareto.baseline.store import load, write  # noqa: PLC0415 - see above

    reason = _reason(asked.reason)
    candidate = read_candidate(asked.candidate)
    if candidate.refused:
        raise ParetoError(f"{candidate.refused}: nothing of it can be accepted; run it again")
    project = own_project()
    if project is None:
        return CANNOT
    directory = project.baseline if asked.baseline is None else asked.baseline
    chosen = _choose(candidate, asked.nodeids, project.root)
    changes = [change for metrics in chosen.changes.values() for change in metrics.values()]
    if needs_reason(changes) and not reason:
        worse = next(
            case for case, metrics in chosen.changes.items() if needs_reason(metrics.values())
        )
        raise ParetoError(
            f"{worse} got worse, is gone or contradicts the baseline: say why it is accepted, "
            "with --reason TEXT"
        )
    before = load(directory, candidate.hardware_key)
    accepted = accept(before, candidate, chosen.changes, reason)
    write(directory, candidate.hardware_key, before, accepted.after)
    width = shutil.get_terminal_size().columns
    lines = edit_lines(told(accepted.edits), width)
    if accepted.edits and reason:
        lines += _wrapped(f"reason: {reason}", width)
    for text in accepted.already:
        lines += _wrapped(f"in the baseline already: {text}", width)
    for text in chosen.left_out:
        lines += _wrapped(f"not accepted: {text}", width, Tone.YELLOW)
    write_lines(lines)
    return CANNOT if chosen.left_out and not (accepted.edits or accepted.already) else 0


def _wrapped(text: str, width: int, tone: Tone = Tone.PLAIN) -> list[Line]:
    return [Line(line, tone) for line in wrap(text, width, hanging="  ")]


def _reason(given: str) -> str:
    reason = " ".join(given.split())
    if reason == REASON or (reason and not reason.strip(".")):
        raise ParetoError(f"{reason!r} stands for a reason: write why this is accepted")
    require_text("--reason", reason)
    return reason


def _choose(candidate: "Candidate", wanted: Sequence[str], root: Path) -> _Chosen:
    """Return what is accepted; raises ParetoError where a name is of nothing in the candidate."""
    from pytest_pareto.baseline.accepting import chosen_changes  # noqa: PLC0415 - see `_accepted`

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
    return _Chosen(changes, tuple(left_out))


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
    below = Path(os.path.relpath(Path.cwd() / module, root)).as_posix()
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
