"""After judging: pictures of the worst samples, before and now."""

from collections.abc import Callable
from dataclasses import replace

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.errors import pip_install
from pytest_pareto.model.session_record import Picture
from pytest_pareto.model.verdict import CaseVerdict, MetricResult
from pytest_pareto.outputs.side_by_side import picture_file, write_artifacts
from pytest_pareto.plugin.accepted_outputs import accept_outputs, lacking
from pytest_pareto.plugin.conclusion import Conclusion
from pytest_pareto.plugin.kept_outputs import KeptOutputs
from pytest_pareto.plugin.sampled_sides import Sides
from pytest_pareto.report.text import typed
from pytest_pareto.runs.legs import Side


def illustrate(conclusion: Conclusion, kept: KeptOutputs) -> Conclusion:
    """Draw the worst samples of what got worse, and keep what the next session needs.

    The cases say where their pictures are. Whatever goes wrong is a notice: no picture decides
    anything.
    """
    sampled = conclusion.sampled
    if sampled is None or not kept.most_b:
        return conclusion
    in_turn = conclusion.facts.ref is not None
    sides = Sides(
        sampled,
        before=kept.albums(Side.REF) if in_turn else kept.accepted(sampled.before.hardware_key),
        now=kept.albums(Side.CANDIDATE),
        in_turn=in_turn,
    )
    if not (sides.before or sides.now or kept.trouble):
        return conclusion
    judgement = conclusion.judgement
    notices: list[str] = []
    pictures: list[Picture] = []
    cases = tuple(
        _illustrated(case, sides, kept, notices.append, pictures) for case in judgement.cases
    )
    left_out = 0 if in_turn else accept_outputs(sides, kept, notices.append)
    if conclusion.facts.updating or any(_worst(case) for case in judgement.cases):
        notices += lacking(sides, kept, left_out)
    notices = list(dict.fromkeys(notices))
    judgement = replace(judgement, cases=cases, notices=(*judgement.notices, *notices))
    return replace(conclusion, judgement=judgement, pictures=tuple(pictures))


def _worst(case: CaseVerdict) -> list[tuple[MetricResult, tuple[str, ...]]]:
    """Return what got worse, gated or not, with its worst samples: what the report names too."""
    return [
        (result, result.change.worst_ids)
        for result in case.comparison.metrics
        if result.outcome is Outcome.WORSE and result.change is not None and result.change.worst_ids
    ]


def _illustrated(
    case: CaseVerdict,
    sides: Sides,
    kept: KeptOutputs,
    notice: Callable[[str], None],
    pictures: list[Picture],
) -> CaseVerdict:
    pairs = [
        pair
        for result, samples in _worst(case)
        for rank, sample in enumerate(samples, 1)
        if (pair := sides.pair(case.case_id, result.metric.name, rank, sample)).is_drawable
    ]
    if not pairs:
        return case
    try:
        folder = write_artifacts(kept.artifacts, case.case_id, pairs)
    except ImportError:
        notice("the worst samples are not drawn: Pillow is not installed; " + pip_install("pillow"))
        return case
    except OSError as error:
        notice(f"the worst samples could not be drawn ({error}); pareto_artifacts names the folder")
        return case
    pictures += [
        Picture(case.case_id, pair.metric, pair.sample, picture_file(folder, pair))
        for pair in pairs
    ]
    what = "worst samples, before and now"
    if all(pair.before.file is None for pair in pairs):
        what = "worst samples, now (nothing is kept of before; --pareto-against shows both)"
    note = f"{what}: {typed(folder, kept.cwd)}"
    notes = (*case.comparison.notes, note)
    return replace(case, comparison=replace(case.comparison, notes=notes))
