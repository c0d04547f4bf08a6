"""What was kept of a sample before and now, with its scores."""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_pareto.model.baseline import Baseline, Samples
from pytest_pareto.outputs.accepted_outputs import scores_key
from pytest_pareto.outputs.image_folder import Album
from pytest_pareto.outputs.side_by_side import Pair
from pytest_pareto.outputs.side_by_side import Side as Half
from pytest_pareto.plugin.conclusion import Sampled


@dataclass(frozen=True, slots=True)
class Sides:
    """What was kept of both sides. In turn, both are of this session."""

    sampled: Sampled
    before: Sequence[Album]
    now: Sequence[Album]
    in_turn: bool

    def pair(self, case_id: str, metric: str, rank: int, sample: str) -> Pair:
        """Return what was kept of one sample on either side, as far as it was."""
        old, new = scores_of(self.sampled.before, case_id, metric), self._new(case_id, metric)
        # Outputs of another baseline than this one, as of another branch, are not its own.
        key = None if self.in_turn or old is None else scores_key(old)
        before = [a for a in self.before if key is None or a.scores.get(metric) == key]
        return Pair(
            metric,
            rank,
            sample,
            _half(before, old, case_id, metric, sample),
            _half(self.now, new, case_id, metric, sample),
        )

    def _new(self, case_id: str, metric: str) -> Samples | None:
        return self.sampled.now.get((case_id, metric))


def _half(
    albums: Sequence[Album], scores: Samples | None, case_id: str, metric: str, sample: str
) -> Half:
    score = None
    if scores is not None and sample in scores.ids:
        score = scores.values[scores.ids.index(sample)]
    fitting = [album for album in albums if album.shows(case_id, metric)]
    # Those that name their metrics know better than those of whatever the case records.
    for album in sorted(fitting, key=lambda album: not album.metrics):
        file = album.file_of(sample)
        if file is not None:
            return Half(file, score, clipped=sample in album.clipped)
    return Half(None, score)


def scores_of(baseline: Baseline, case_id: str, metric: str) -> Samples | None:
    """Return the scores of a paired metric that a baseline holds, or None."""
    case = baseline.cases.get(case_id)
    history = None if case is None else case.metrics.get(metric)
    return None if history is None else history.samples
