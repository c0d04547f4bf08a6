"""The outputs (images) of a session's samples: kept while tests run, drawn and accepted after.

`KeptOutputs` gives each side a temporary folder for the session. After judging,
`draw_worst_samples` draws the worst samples before and now, and `accept_outputs` keeps the outputs
that belong to the baseline.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_pareto.model.baseline import Baseline, Samples
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.errors import pip_install
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.session_record import Picture, SampleScores, SessionReport
from pytest_pareto.model.verdict import CaseVerdict, MetricResult
from pytest_pareto.outputs.accepted_outputs import FOLDER, accept, accepted_albums, scores_key
from pytest_pareto.outputs.image_folder import FULL, Album, KeepOutput, OutputStore, read_albums
from pytest_pareto.outputs.side_by_side import Side as PairSide
from pytest_pareto.outputs.side_by_side import SidePair, picture_file, write_artifacts
from pytest_pareto.plugin.command_line import read_megabytes_b
from pytest_pareto.plugin.fresh_processes import OutputFolder
from pytest_pareto.plugin.recorder import KEEPER
from pytest_pareto.report.text import relative_path
from pytest_pareto.runs.legs import Side
from pytest_pareto.runs.tempfolders import prune_folders, run_folder

KEPT = pytest.StashKey["KeptOutputs"]()


class KeptOutputs:
    """Gives each side of a session a folder for outputs, at most ``most_b`` bytes each.

    The folder lies in the temp folder and is removed when the session ends. The next session
    removes what a killed one left there.
    """

    def __init__(self, config: pytest.Config, *, here: bool) -> None:
        """Read the limits; ``here`` is whether this process measures, not fresh ones."""
        self._config = config
        self.root = config.rootpath
        self.cwd = config.invocation_params.dir
        self.artifacts = Path(self.root, str(config.getini("pareto_artifacts")).strip())
        self.most_b = read_megabytes_b(config, "pareto_outputs_mb")
        self.error: str | None = None
        self._folder: Path | None = None
        self._store: OutputStore | None = None
        config.stash[KEPT] = self
        if here and self.most_b:
            config.stash[KEEPER] = self

    def begin(self, nodeid: str) -> None:
        """Remove the outputs of an earlier attempt of a test in this process."""
        if self._store is not None:
            self._store.begin(nodeid)

    def keep(self, nodeid: str, case_id: str, metrics: Sequence[str]) -> KeepOutput | None:
        """Return a function that keeps outputs in this process; None where none can be kept."""
        if self._store is None:
            output_folder = self.output_folder(Side.CANDIDATE)
            if output_folder is None:
                return None
            self._store = output_folder.store()
        return self._store.keep(nodeid, case_id, metrics)

    def _open_folder(self) -> None:
        """Make the folder; called when the first test or fresh process needs it."""
        prune_folders()
        stack = contextlib.ExitStack()
        self._config.add_cleanup(stack.close)
        try:
            self._folder = stack.enter_context(run_folder())
        except OSError as error:
            self.error = f"outputs are not kept: {error}; TMPDIR sets another folder"

    def output_folder(self, side: Side) -> OutputFolder | None:
        """Return where a process of one side keeps outputs; None where none are kept."""
        if self._folder is None and self.most_b and self.error is None:
            self._open_folder()
        if self._folder is None:
            return None
        return OutputFolder(str(self._folder / str(side)), self.most_b)

    def albums(self, side: Side) -> list[Album]:
        """Return the outputs of one side that this session kept."""
        return [] if self._folder is None else read_albums(self._folder / str(side))

    def accepted(self, hardware_key: str) -> list[Album]:
        """Return the kept outputs of the baseline."""
        return accepted_albums(self.root, hardware_key) if self.most_b else []


def output_folder(config: pytest.Config, side: Side) -> OutputFolder | None:
    """Return where the first run of a side keeps outputs; None where the session keeps none."""
    kept = config.stash.get(KEPT, None)
    return None if kept is None else kept.output_folder(side)


@dataclass(frozen=True, slots=True)
class SampleOutputs:
    """The kept outputs before and now, with their scores.

    In an interleaved session, both are of this session.
    """

    scores: SampleScores
    before: Sequence[Album]
    now: Sequence[Album]
    interleaved: bool

    def pair(self, case_id: str, metric: str, rank: int, sample: str) -> SidePair:
        """Return the outputs and scores of one sample before and now, as far as they were kept."""
        old, new = scores_of(self.scores.before, case_id, metric), self._new(case_id, metric)
        # Outputs of another baseline, such as of another branch, do not belong to this one.
        key = None if self.interleaved or old is None else scores_key(old)
        before = [a for a in self.before if key is None or a.scores.get(metric) == key]
        return SidePair(
            metric,
            rank,
            sample,
            _pair_side(before, old, case_id, metric, sample),
            _pair_side(self.now, new, case_id, metric, sample),
        )

    def _new(self, case_id: str, metric: str) -> Samples | None:
        return self.scores.now.get((case_id, metric))


def _pair_side(
    albums: Sequence[Album], scores: Samples | None, case_id: str, metric: str, sample: str
) -> PairSide:
    score = None
    if scores is not None and sample in scores.ids:
        score = scores.values[scores.ids.index(sample)]
    fitting = [album for album in albums if album.shows(case_id, metric)]
    # Prefer albums that name their metrics to those that stand for all metrics of the case.
    for album in sorted(fitting, key=lambda album: not album.metrics):
        file = album.file_of(sample)
        if file is not None:
            return PairSide(file, score, clipped=sample in album.clipped)
    return PairSide(None, score)


def scores_of(baseline: Baseline, case_id: str, metric: str) -> Samples | None:
    """Return the scores of a paired metric that a baseline holds, or None."""
    case = baseline.cases.get(case_id)
    history = None if case is None else case.metrics.get(metric)
    return None if history is None else history.samples


def accept_outputs(outputs: SampleOutputs, kept: KeptOutputs, notice: Callable[[str], None]) -> int:
    """Keep the outputs whose scores equal the baseline's, where it has no outputs yet.

    These are outputs whose scores an update has written, or whose scores are exactly those of a
    baseline that was recorded elsewhere. Returns how many images did not fit.
    """
    after = outputs.scores.after
    accepted = []
    named = {(album.case_id, metric) for album in outputs.now for metric in album.metrics}
    for album in outputs.now:
        keys = {
            metric: key
            for (case_id, metric), samples in outputs.scores.now.items()
            if album.shows(case_id, metric)
            and (album.metrics or (case_id, metric) not in named)
            and (of_baseline := scores_of(after, case_id, metric)) is not None
            and (key := scores_key(of_baseline)) == scores_key(samples)
            and not any(
                a.shows(case_id, metric) and a.scores.get(metric) == key for a in outputs.before
            )
        }
        if keys and album.samples:
            accepted.append((album, keys))
    if not accepted:
        return 0
    try:
        return accept(kept.root, after.hardware_key, accepted, dict(_keys(after)), kept.most_b)
    except OSError as error:
        notice(f"outputs could not be kept in {FOLDER}: {error}")
        return 0


def _keys(baseline: Baseline) -> Iterator[tuple[tuple[str, str], str]]:
    for case_id, case in baseline.cases.items():
        for name, history in case.metrics.items():
            if history.samples is not None:
                yield (case_id, name), scores_key(history.samples)


def unkept_notices(outputs: SampleOutputs, kept: KeptOutputs, left_out: int) -> Iterator[str]:
    """Yield notices of this session's outputs that were not kept, with the reason."""
    if kept.error is not None:
        yield kept.error
    albums = [*outputs.now, *(outputs.before if outputs.interleaved else ())]
    reasons = Counter(why for album in albums for why in album.lacking.values())
    reasons.update({FULL: left_out} if left_out else {})
    for why, count in reasons.items():
        yield f"outputs of {plural(count, 'sample')} were not kept: {why}"


def draw_worst_samples(report: SessionReport, kept: KeptOutputs) -> SessionReport:
    """Draw the worst samples of what got worse, accept outputs, and return the extended report.

    The cases get a note with the folder of their pictures. Every error becomes a notice: no
    picture decides a verdict.
    """
    scores = report.scores
    if scores is None or not kept.most_b or not (scores.now or report.facts.updating):
        return report
    interleaved = report.facts.ref is not None
    outputs = SampleOutputs(
        scores,
        before=kept.albums(Side.REF) if interleaved else kept.accepted(scores.before.hardware_key),
        now=kept.albums(Side.CANDIDATE),
        interleaved=interleaved,
    )
    if not (outputs.before or outputs.now or kept.error):
        return report
    judgement = report.judgement
    notices: list[str] = []
    pictures: list[Picture] = []
    cases = tuple(
        _draw_case(case, outputs, kept, notices.append, pictures) for case in judgement.cases
    )
    left_out = 0 if interleaved else accept_outputs(outputs, kept, notices.append)
    if report.facts.updating or any(_worst(case) for case in judgement.cases):
        notices += unkept_notices(outputs, kept, left_out)
    notices = list(dict.fromkeys(notices))
    judgement = replace(judgement, cases=cases, notices=(*judgement.notices, *notices))
    return replace(report, judgement=judgement, pictures=tuple(pictures))


def _worst(case: CaseVerdict) -> list[tuple[MetricResult, tuple[str, ...]]]:
    """Return the metrics that got worse, gated or not, with the worst samples that reports name."""
    return [
        (result, result.change.worst_ids)
        for result in case.comparison.metrics
        if result.outcome is Outcome.WORSE and result.change is not None and result.change.worst_ids
    ]


def _draw_case(
    case: CaseVerdict,
    outputs: SampleOutputs,
    kept: KeptOutputs,
    notice: Callable[[str], None],
    pictures: list[Picture],
) -> CaseVerdict:
    pairs = [
        pair
        for result, samples in _worst(case)
        for rank, sample in enumerate(samples, 1)
        if (pair := outputs.pair(case.case_id, result.metric.name, rank, sample)).is_drawable
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
    note = f"{what}: {relative_path(folder, kept.cwd)}"
    notes = (*case.comparison.notes, note)
    return replace(case, comparison=replace(case.comparison, notes=notes))
