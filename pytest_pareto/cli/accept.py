"""``pytest-pareto accept``: copy what a session measured into the baseline.

`select_changes` selects the cases of a candidate to accept: all that changed, or those that the
user names. `edits_of` returns the edits that are written, as the report lists them. Every edit is
derived from the baseline's entries before and after it, and not from the texts in the candidate: an
artifact can claim anything.
"""

import argparse
import difflib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum, isclose
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pareto.baseline.updates import KEPT_SESSIONS, Action, Edit, describe_edits, format_step
from pytest_pareto.cli.console import EXIT_ERROR, find_project, terminal_width, write_lines
from pytest_pareto.model.baseline import Baseline, MetricHistory
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import plural, require_text
from pytest_pareto.model.metric import Better, Kind
from pytest_pareto.report.next_steps import REASON
from pytest_pareto.report.terminal import edit_lines
from pytest_pareto.report.text import Line, Tone, relative_path, wrap

if TYPE_CHECKING:
    from pytest_pareto.baseline.acceptance import Accepted, Step
    from pytest_pareto.baseline.candidate import Candidate, Offer, OfferedChange
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

_ONLY_BY_NAME = "contradicts the baseline or is gone; name the test to accept that"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the parser of ``accept``."""
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


def _accept(options: argparse.Namespace, _: Sequence[str]) -> int:
    # Modules that need msgspec or numpy are imported where they are used.
    from pytest_pareto.baseline.acceptance import accept  # noqa: PLC0415 - see above
    from pytest_pareto.baseline.candidate import read_candidate  # noqa: PLC0415 - see above
    from pytest_pareto.baseline.store import load, naming_option, write  # noqa: PLC0415 - see above

    reason = _parse_reason(options.reason)
    candidate = read_candidate(options.candidate)
    if candidate.refused:
        raise ParetoError(f"{candidate.refused}: nothing of it can be accepted; run it again")
    project = find_project()
    if project is None:
        return EXIT_ERROR
    with naming_option("--baseline DIR"):
        directory = _target_baseline(options.baseline, candidate, project)
        selection = select_changes(candidate, options.nodeids, project.root)
        before = load(directory, candidate.hardware_key)
        accepted = accept(before, candidate, selection.changes, reason)
        edits = edits_of(accepted)
        _check_reason(reason, accepted, edits)
        write(directory, candidate.hardware_key, before, accepted.after)
    width = terminal_width()
    lines = edit_lines(describe_edits(edits), width)
    for text in moved_fronts(before, accepted):
        lines += _wrap_lines(text, width)
    if edits and reason:
        lines += _wrap_lines(f"reason: {reason}", width)
    for text in accepted.already:
        lines += _wrap_lines(f"in the baseline already: {text}", width)
    for text in selection.left_out:
        lines += _wrap_lines(f"not accepted: {text}", width, Tone.YELLOW)
    try:
        write_lines(lines)
    except ParetoError as error:
        raise ParetoError(f"{error}. The baseline in {directory.as_posix()} was written") from None
    nothing = not (edits or accepted.already)
    if nothing and not selection.left_out:
        sys.stderr.write(
            "pytest-pareto accept: nothing to accept: the session of this candidate found nothing "
            f"changed in its {len(candidate.offers)} cases\n"
        )
    # A named case that is refused is an error, whatever else was accepted.
    return EXIT_ERROR if nothing or (selection.left_out and options.nodeids) else 0


def _target_baseline(requested: Path | None, candidate: "Candidate", project: "Project") -> Path:
    """Return the folder to write: the requested one, or the project's own.

    Raises ParetoError where the candidate was judged by another baseline than the project's and no
    folder is requested, and where the requested folder holds no baseline.
    """
    from pytest_pareto.baseline.store import directory_exists  # noqa: PLC0415 - see `_accept`

    judged_by = project.root / candidate.of if candidate.of else None
    if requested is None and judged_by not in (None, project.baseline):
        raise ParetoError(
            f"the candidate was judged by the baseline {candidate.of}, and this project's is "
            f"{project.baseline.as_posix()}: name the one to write with --baseline DIR"
        )
    if requested is None:
        return project.baseline
    # The first session of a baseline leaves a candidate too, and its folder does not exist yet. Any
    # other folder that does not exist is a typo.
    first = judged_by is not None and judged_by.resolve() == requested.resolve()
    if not directory_exists(requested) and not first:
        raise ParetoError(
            f"there is no baseline at {requested.as_posix()}: name its folder with --baseline DIR"
        )
    return requested


def _check_reason(reason: str, accepted: "Accepted", edits: Sequence[Edit]) -> None:
    """Raise ParetoError where a reason is needed and missing.

    The session's change or the edit that is written can need one.
    """
    from pytest_pareto.baseline.acceptance import needs_reason  # noqa: PLC0415 - see `_accept`

    for step, edit in zip(accepted.steps, edits, strict=True):
        if needs_reason((step.offered, edit.action)) and not reason:
            raise ParetoError(
                f"{step.case_id} got worse, is gone or contradicts the baseline: say why it is "
                f"accepted, with --reason TEXT ({step.metric}: {edit.detail})"
            )


def _wrap_lines(text: str, width: int, tone: Tone = Tone.PLAIN) -> list[Line]:
    return [Line(line, tone) for line in wrap(text, width, hanging="  ")]


def _parse_reason(given: str) -> str:
    """Return a reason on one line; raises ParetoError where it is a placeholder or no text."""
    reason = " ".join(given.split())
    if reason == REASON or (reason and not reason.strip(".")):
        raise ParetoError(f"{reason!r} stands for a reason: write why this is accepted")
    require_text("--reason", reason)
    return reason


@dataclass(frozen=True, slots=True)
class Selection:
    """The changes to accept, by case id and metric name, and messages about those left out."""

    changes: Mapping[str, Mapping[str, "OfferedChange"]]
    left_out: tuple[str, ...]


def select_changes(candidate: "Candidate", wanted: Sequence[str], root: Path) -> Selection:
    """Return the changes of a candidate to accept: of the ``wanted`` names, of all where none is.

    A name is a node id, a case id, or what several begin with, relative to the working directory
    or to ``root``. Raises ParetoError where a name matches no case of the candidate.
    """
    # Modules that need msgspec are imported where they are used.
    from pytest_pareto.baseline.acceptance import chosen_changes  # noqa: PLC0415 - see above

    offers = candidate.offers
    named = {name: _matching_cases(offers, name, root) for name in wanted}
    for name, cases in named.items():
        if not cases:
            raise ParetoError(_unknown_case_message(name, offers))
    exactly = {c for n, cases in named.items() for c in cases if _is_exact(offers[c], c, n, root)}
    cases = sorted({c for found in named.values() for c in found} if wanted else offers)
    changes, left_out = {}, []
    for case_id in cases:
        offer, by_name = offers[case_id], case_id in exactly
        accepted = chosen_changes(offer, named=by_name)
        if accepted:
            changes[case_id] = accepted
        left_out += _left_out_messages(case_id, offer, accepted, by_name=by_name)
    return Selection(changes, tuple(left_out))


def _left_out_messages(
    case_id: str, offer: "Offer", accepted: Mapping[str, "OfferedChange"], *, by_name: bool
) -> list[str]:
    """Return messages about what of a case is not accepted.

    A lack is reported where the case fails or was requested by its own name.
    """
    messages = [f"{case_id} {name}: {why}" for name, why in offer.left_out.items()]
    held_back = [name for name in offer.changes if name not in accepted]
    if held_back:
        messages.append(f"{case_id} {', '.join(held_back)}: {_ONLY_BY_NAME}")
    if offer.lack and (offer.fails or by_name):
        messages.append(f"{case_id}: {offer.lack}")
    elif by_name and not (offer.changes or messages):
        messages.append(f"{case_id}: nothing of it changed")
    return messages


def _spellings(name: str, root: Path) -> set[str]:
    """Return an id as given, and relative to pytest's root."""
    module, separator, rest = name.partition("::")
    from_root = relative_path(Path.cwd() / module, root)
    return {name.rstrip("/"), f"{from_root}{separator}{rest}"}


def _matching_cases(offers: Mapping[str, "Offer"], name: str, root: Path) -> list[str]:
    """Return the ids of the cases that a name is of, or that begin with it."""
    spellings = _spellings(name, root)
    prefixes = tuple(each + mark for each in spellings for mark in ("#", "[", "::", "/"))
    return [case_id for case_id in offers if case_id in spellings or case_id.startswith(prefixes)]


def _is_exact(offer: "Offer", case_id: str, name: str, root: Path) -> bool:
    """Return whether a name is the whole id of a case, or of its test."""
    return bool(_spellings(name, root) & {case_id, offer.nodeid})


def _unknown_case_message(name: str, offers: Mapping[str, "Offer"]) -> str:
    similar = difflib.get_close_matches(name, [*offers], n=3, cutoff=0.4)
    hint = f"close to it: {', '.join(similar)}" if similar else f"it has {len(offers)} cases"
    return f"the candidate has no case {name!r}; {hint}"


def edits_of(accepted: "Accepted") -> tuple[Edit, ...]:
    """Return one edit for each accepted step: its action, and the levels before and after."""
    environments = accepted.after.environments
    return tuple(_edit(step, environments) for step in accepted.steps)


def moved_fronts(before: Baseline, accepted: "Accepted") -> Iterator[str]:
    """Yield a message for each accepted case that moves to another front."""
    for case_id in dict.fromkeys(step.case_id for step in accepted.steps):
        old, new = before.cases.get(case_id), accepted.after.cases.get(case_id)
        if old is not None and new is not None and old.front != new.front:
            yield f"{case_id}: its front was {old.front} and is {new.front}"


def _edit(step: "Step", environments: Mapping[str, Environment]) -> Edit:
    name, before, after = step.metric, step.before, step.after
    if after is None:
        was = "" if before is None else f", was {_level_text(name, None, before)}"
        return Edit(step.case_id, name, Action.DROP, f"gone{was}")
    runs = plural(len(after.newest.runs), "run")
    if before is None:
        detail = f"{_level_text(name, None, after)}, {runs}"
        return Edit(step.case_id, name, Action.ADD, detail)
    other = [*_definition_changes(before, after), *_forgotten(before, after)]
    elsewhere = _machine_mismatch(before, after, environments)
    # The level of this machine stays the one to beat, unless a new epoch starts.
    added = elsewhere is not None and after.newest.epoch == before.newest.epoch
    if elsewhere is not None:
        after = replace(
            after, sessions=after.sessions[-1:]
        )  # the older ones are of the other machine
    level = Action.ADD if added else _direction(name, before, after)
    where = [] if elsewhere is None else [f"on another machine: {elsewhere}"]
    parts = (_level_text(name, before, after), runs, *other, *where)
    return Edit(step.case_id, name, Action.ACCEPT_CHANGE if other else level, ", ".join(parts))


def _forgotten(before: MetricHistory, after: MetricHistory) -> Iterator[str]:
    """Yield how many sessions are dropped beyond those that every update drops."""
    same_machine = after.newest.env in {session.env for session in before.sessions}
    newest_only = after.kind is Kind.EXACT and (
        same_machine or after.newest.epoch > before.newest.epoch
    )
    kept = 0 if newest_only else min(len(before.sessions), KEPT_SESSIONS - 1)
    lost = kept - (len(after.sessions) - 1)
    if lost > 0:
        yield f"forgets {plural(lost, 'session')}"


def _direction(name: str, before: MetricHistory, after: MetricHistory) -> Action:
    """Return the action that accepts a level: a better, a worse, or an equal one."""
    then, now = _level(name, before), _level(name, after)
    if isclose(then, now):
        return Action.ACCEPT_CHANGE
    worse = now > then if after.better is Better.LOWER else now < then
    return Action.ACCEPT_WORSE if worse else Action.ACCEPT_BETTER


def _level_text(name: str, before: MetricHistory | None, after: MetricHistory) -> str:
    """Render the step between two levels; the new one alone where they share no unit."""
    from pytest_pareto.compare.matching import remembered_metric  # noqa: PLC0415 - see `_accept`

    then = _level(name, before) if before is not None and before.unit == after.unit else None
    metric = replace(remembered_metric(name, after), unit=after.unit)
    return format_step(then, _level(name, after), metric)


def _level(name: str, history: MetricHistory) -> float:
    """Return the accepted level, in the metric's unit."""
    from pytest_pareto.compare.matching import remembered_metric  # noqa: PLC0415 - see `_accept`
    from pytest_pareto.compare.stored import accepted_level  # noqa: PLC0415 - see `_accept`

    # Sessions compare the scores of samples, so their mean is the level, whatever the sessions
    # beside them contain.
    if history.samples is not None and history.kind is not Kind.SET:
        return fsum(history.samples.values) / len(history.samples.values)
    return accepted_level(history, remembered_metric(name, history))


def _machine_mismatch(
    before: MetricHistory, after: MetricHistory, environments: Mapping[str, Environment]
) -> str | None:
    """Return how the machine of the newest session differs from that of the old one, or None."""
    old = environments[before.newest.env]
    return environments[after.newest.env].mismatch(old, after.scope)


def _definition_changes(before: MetricHistory, after: MetricHistory) -> Iterator[str]:
    """Yield how the metric's definition changes: any such change could hide a regression."""
    for label, then, now in (
        ("kind", before.kind, after.kind),
        ("direction", before.better, after.better),
        ("unit", before.unit, after.unit),
        ("scope", before.scope, after.scope),
    ):
        if then != now:
            yield f"its {label} was {str(then)!r} and is {str(now)!r}"
    if before.gates != after.gates:
        yield "it gates from now on" if after.gates else "it gates no more"
    if before.samples and after.samples and {*before.samples.ids} != {*after.samples.ids}:
        yield "it is of other samples"
