"""After judging: outputs that become the baseline's, and what was not kept of them."""

from collections import Counter
from collections.abc import Callable, Iterator

from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.formatting import plural
from pytest_pareto.outputs.accepted_outputs import FOLDER, accept, scores_key
from pytest_pareto.outputs.image_folder import FULL
from pytest_pareto.plugin.kept_outputs import KeptOutputs
from pytest_pareto.plugin.sampled_sides import Sides, scores_of


def accept_outputs(sides: Sides, kept: KeptOutputs, notice: Callable[[str], None]) -> int:
    """Keep the outputs whose scores are the baseline's and that it has no outputs of.

    That is what an update has written; and what has the very scores of a baseline that was
    recorded elsewhere. Returns how many images did not fit.
    """
    after = sides.sampled.after
    accepting = []
    named = {(album.case_id, metric) for album in sides.now for metric in album.metrics}
    for album in sides.now:
        keys = {
            metric: key
            for (case_id, metric), samples in sides.sampled.now.items()
            if album.shows(case_id, metric)
            and (album.metrics or (case_id, metric) not in named)
            and (of_baseline := scores_of(after, case_id, metric)) is not None
            and (key := scores_key(of_baseline)) == scores_key(samples)
            and not any(
                a.shows(case_id, metric) and a.scores.get(metric) == key for a in sides.before
            )
        }
        if keys and album.samples:
            accepting.append((album, keys))
    if not accepting:
        return 0
    try:
        return accept(kept.root, after.hardware_key, accepting, dict(_keys(after)), kept.most_b)
    except OSError as error:
        notice(f"outputs could not be kept in {FOLDER}: {error}")
        return 0


def _keys(baseline: Baseline) -> Iterator[tuple[tuple[str, str], str]]:
    for case_id, case in baseline.cases.items():
        for name, history in case.metrics.items():
            if history.samples is not None:
                yield (case_id, name), scores_key(history.samples)


def lacking(sides: Sides, kept: KeptOutputs, left_out: int) -> Iterator[str]:
    """Say what was not kept of this session's outputs, and why."""
    if kept.trouble is not None:
        yield kept.trouble
    albums = [*sides.now, *(sides.before if sides.in_turn else ())]
    reasons = Counter(why for album in albums for why in album.lacking.values())
    reasons.update({FULL: left_out} if left_out else {})
    for why, count in reasons.items():
        yield f"outputs of {plural(count, 'sample')} were not kept: {why}"
