"""After judging: pictures of the worst samples, and outputs that become the baseline's."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.history import Baseline, Samples
from pytest_pareto.model.installing import pip_install
from pytest_pareto.model.session_report import Picture
from pytest_pareto.model.verdict import CaseVerdict, MetricResult
from pytest_pareto.outputs.accepted import FOLDER, accept, scores_key
from pytest_pareto.outputs.album import FULL, Album
from pytest_pareto.outputs.artifacts import picture_file, write_artifacts
from pytest_pareto.outputs.beside import Pair
from pytest_pareto.outputs.beside import Side as Half
from pytest_pareto.plugin.conclusion import Conclusion, Sampled
from pytest_pareto.plugin.kept_outputs import KeptOutputs
from pytest_pareto.report.paths import typed
from pytest_pareto.report.summary import plural
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
    sides = _Sides(
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
    left_out = 0 if in_turn else _accept(sides, kept, notices.append)
    if conclusion.facts.updating or any(_worst(case) for case in judgement.cases):
        notices += _lacking(sides, kept, left_out)
    notices = list(dict.fromkeys(notices))
    judgement = replace(judgement, cases=cases, notices=(*judgement.notices, *notices))
    return replace(conclusion, judgement=judgement, pictures=tuple(pictures))


@dataclass(frozen=True, slots=True)
class _Sides:
    """What was kept of both sides. In turn, both are of this session."""

    sampled: Sampled
    before: Sequence[Album]
    now: Sequence[Album]
    in_turn: bool

    def pair(self, case_id: str, metric: str, rank: int, sample: str) -> Pair:
        old, new = _scores(self.sampled.before, case_id, metric), self._new(case_id, metric)
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


def _scores(baseline: Baseline, case_id: str, metric: str) -> Samples | None:
    case = baseline.cases.get(case_id)
    history = None if case is None else case.metrics.get(metric)
    return None if history is None else history.samples


def _worst(case: CaseVerdict) -> list[tuple[MetricResult, tuple[str, ...]]]:
    """Return what got worse, gated or not, with its worst samples: what the report names too."""
    return [
        (result, result.change.worst_ids)
        for result in case.comparison.metrics
        if result.outcome is Outcome.WORSE and result.change is not None and result.change.worst_ids
    ]


def _illustrated(
    case: CaseVerdict,
    sides: _Sides,
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


def _accept(sides: _Sides, kept: KeptOutputs, notice: Callable[[str], None]) -> int:
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
            and (of_baseline := _scores(after, case_id, metric)) is not None
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


def _lacking(sides: _Sides, kept: KeptOutputs, left_out: int) -> Iterator[str]:
    """Say what was not kept of this session's outputs, and why."""
    if kept.trouble is not None:
        yield kept.trouble
    albums = [*sides.now, *(sides.before if sides.in_turn else ())]
    reasons = Counter(why for album in albums for why in album.lacking.values())
    reasons.update({FULL: left_out} if left_out else {})
    for why, count in reasons.items():
        yield f"outputs of {plural(count, 'sample')} were not kept: {why}"
