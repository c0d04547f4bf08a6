"""``pytest-pareto accept``: what a session measured becomes the baseline, with the reason why."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pareto.cli.choosing import choose
from pytest_pareto.cli.exits import CANNOT
from pytest_pareto.cli.project import Project, own_project
from pytest_pareto.cli.written import terminal_width, write_lines
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import require_text
from pytest_pareto.report.next_steps import REASON
from pytest_pareto.report.terminal import edit_lines
from pytest_pareto.report.text import Line, Tone, wrap

if TYPE_CHECKING:
    from pytest_pareto.baseline.acceptance import Accepted
    from pytest_pareto.baseline.candidate import Candidate
    from pytest_pareto.baseline.updates import Edit

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
    from pytest_pareto.baseline.store import chosen_with, load, write  # noqa: PLC0415 - see above
    from pytest_pareto.baseline.updates import told  # noqa: PLC0415 - see above
    from pytest_pareto.cli.accepted import edits_of, moved_fronts  # noqa: PLC0415 - see above

    reason = _reason(asked.reason)
    candidate = read_candidate(asked.candidate)
    if candidate.refused:
        raise ParetoError(f"{candidate.refused}: nothing of it can be accepted; run it again")
    project = own_project()
    if project is None:
        return CANNOT
    with chosen_with("--baseline DIR"):
        directory = _baseline_of(asked.baseline, candidate, project)
        chosen = choose(candidate, asked.nodeids, project.root)
        before = load(directory, candidate.hardware_key)
        accepted = accept(before, candidate, chosen.changes, reason)
        edits = edits_of(accepted)
        _check_reason(reason, accepted, edits)
        write(directory, candidate.hardware_key, before, accepted.after)
    width = terminal_width()
    lines = edit_lines(told(edits), width)
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


def _baseline_of(asked: Path | None, candidate: "Candidate", project: Project) -> Path:
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
