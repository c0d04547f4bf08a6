"""What a session leaves to be accepted: a candidate, in a folder that git does not see."""

from dataclasses import replace
from pathlib import Path

from pytest_pareto.baseline.candidate import (
    SESSION,
    Candidate,
    Measured,
    plan_candidate,
    refused_candidate,
    write_candidate,
)
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.outputs.folders import being_made, locked, open_folder, put_in_place, remove
from pytest_pareto.pipeline import Judged
from pytest_pareto.plugin.conclusion import Conclusion
from pytest_pareto.report.text import typed

_README = """\
What the last `pytest --pareto` would have written into the baseline, in its own format, and in
`session/candidate.json` what of it is what. `pytest-pareto accept` copies in what you name:

    pytest-pareto accept .pareto_candidate 'test_file.py::test_name[case]' --reason 'say why'

Replaced by each session. It can be deleted at any time.
"""


def offer(
    folder: Path | None,
    judged: Judged,
    baseline: Baseline,
    now: Environment,
    refused: str | None,
    of: str,
) -> Candidate | None:
    """Return what a session leaves; None where it leaves none.

    ``refused`` says why nothing of it can be accepted, where it was cut short. ``of`` is the
    baseline's folder, relative to the root.
    """
    if folder is None:
        return None
    if refused is not None:
        return refused_candidate(baseline.hardware_key, refused, of)
    measured = Measured(judged.judgement, judged.measured, judged.levels, judged.samples, now)
    return plan_candidate(baseline, measured, of)


def leave(
    conclusion: Conclusion,
    folder: Path | None,
    candidate: Candidate | None,
    cwd: Path,
    other_baseline: Path | None = None,
) -> Conclusion:
    """Replace the last session's candidate by this one's; where that fails, it is a notice.

    The facts say where it is, as it can be typed in ``cwd``, and so its baseline where that is
    not the project's own (``other_baseline``).
    """
    if folder is None or candidate is None:
        return conclusion
    try:
        open_folder(folder, _README)
        with locked(folder):
            made = being_made(folder / SESSION)
            write_candidate(made, candidate)
            put_in_place(made, folder / SESSION)
    except (OSError, ParetoError, UnicodeError) as error:
        notice = f"no candidate is left for `pytest-pareto accept`: {error}"
        judgement = conclusion.judgement
        told = replace(judgement, notices=(*judgement.notices, notice))
        return replace(conclusion, judgement=told)
    if candidate.refused:
        return conclusion
    acceptable = frozenset(
        case for case, told in candidate.offers.items() if told.changes and not told.left_out
    )
    facts = replace(
        conclusion.facts,
        candidate_path=typed(folder, cwd),
        acceptable=acceptable,
        other_baseline=None if other_baseline is None else typed(other_baseline, cwd),
    )
    return replace(conclusion, facts=facts)


def discard(folder: Path | None) -> str | None:
    """Remove the last session's candidate; return why that failed, if it did.

    It would be taken for this session's, and for one of the baseline as it is now.
    """
    if folder is None or not (folder / SESSION).is_dir():
        return None
    try:
        with locked(folder):
            remove(folder / SESSION)
    except OSError as error:
        return f"the last session's candidate could not be removed from {folder}: {error}"
    return None
