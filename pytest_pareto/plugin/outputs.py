"""Where a session keeps outputs while its tests run: in a folder that ends with it.

After judging: outputs that become the baseline's, and what was not kept of them.

After judging: pictures of the worst samples, before and now.

What was kept of a sample before and now, with its scores.
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
from pytest_pareto.outputs.side_by_side import Side as Half
from pytest_pareto.outputs.side_by_side import SidePair, picture_file, write_artifacts
from pytest_pareto.plugin.command_line import megabytes
from pytest_pareto.plugin.fresh_processes import Handed
from pytest_pareto.plugin.recorder import KEEPER
from pytest_pareto.report.text import relative_path
from pytest_pareto.runs.legs import Side
from pytest_pareto.runs.tempfolders import prune_folders, run_folder

KEPT = pytest.StashKey["KeptOutputs"]()


class KeptOutputs:
    """Gives each side of a session a folder for outputs, at most ``most_b`` bytes each.

    The folder is in the temp folder, where it is removed when the session ends; what a killed
    session left there, the next one removes.
    """

    def __init__(self, config: pytest.Config, *, here: bool) -> None:
        """Set up keeping; ``here`` is whether this process measures, instead of others."""
        self._config = config
        self.root = config.rootpath
        self.cwd = config.invocation_params.dir
        self.artifacts = Path(self.root, str(config.getini("pareto_artifacts")).strip())
        self.most_b = megabytes(config, "pareto_outputs_mb")
        self.trouble: str | None = None
        self._folder: Path | None = None
        self._store: OutputStore | None = None
        config.stash[KEPT] = self
        if here and self.most_b:
            config.stash[KEEPER] = self

    def begin(self, nodeid: str) -> None:
        """Remove the outputs of an earlier attempt of a test of this process."""
        if self._store is not None:
            self._store.begin(nodeid)

    def keep(self, nodeid: str, case_id: str, metrics: Sequence[str]) -> KeepOutput | None:
        """Return a function that keeps outputs of this process; None where none can be kept."""
        if self._store is None:
            handed = self.handed(Side.CANDIDATE)
            if handed is None:
                return None
            self._store = handed.store()
        return self._store.keep(nodeid, case_id, metrics)

    def _open(self) -> None:
        """Make the folder, once a test or a fresh process needs it."""
        prune_folders()
        stack = contextlib.ExitStack()
        self._config.add_cleanup(stack.close)
        try:
            self._folder = stack.enter_context(run_folder())
        except OSError as error:
            self.trouble = f"outputs are not kept: {error}; TMPDIR sets another folder"

    def handed(self, side: Side) -> Handed | None:
        """Return where a process of one side keeps outputs; None where none are kept."""
        if self._folder is None and self.most_b and self.trouble is None:
            self._open()
        if self._folder is None:
            return None
        return Handed(str(self._folder / str(side)), self.most_b)

    def albums(self, side: Side) -> list[Album]:
        """Return what was kept of one side in this session."""
        return [] if self._folder is None else read_albums(self._folder / str(side))

    def accepted(self, hardware_key: str) -> list[Album]:
        """Return what is kept of the baseline's outputs."""
        return accepted_albums(self.root, hardware_key) if self.most_b else []


def handed(config: pytest.Config, side: Side) -> Handed | None:
    """Return where the first run of a side keeps outputs; None where the session keeps none."""
    kept = config.stash.get(KEPT, None)
    return None if kept is None else kept.handed(side)


@dataclass(frozen=True, slots=True)
class Sides:
    """What was kept of both sides. In turn, both are of this session."""

    sampled: SampleScores
    before: Sequence[Album]
    now: Sequence[Album]
    in_turn: bool

    def pair(self, case_id: str, metric: str, rank: int, sample: str) -> SidePair:
        """Return what was kept of one sample on either side, as far as it was."""
        old, new = scores_of(self.sampled.before, case_id, metric), self._new(case_id, metric)
        # Outputs of another baseline than this one, as of another branch, are not its own.
        key = None if self.in_turn or old is None else scores_key(old)
        before = [a for a in self.before if key is None or a.scores.get(metric) == key]
        return SidePair(
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


def illustrate(report: SessionReport, kept: KeptOutputs) -> SessionReport:
    """Draw the worst samples of what got worse, and keep what the next session needs.

    The cases say where their pictures are. Whatever goes wrong is a notice: no picture decides
    anything.
    """
    sampled = report.scores
    if sampled is None or not kept.most_b or not (sampled.now or report.facts.updating):
        return report
    in_turn = report.facts.ref is not None
    sides = Sides(
        sampled,
        before=kept.albums(Side.REF) if in_turn else kept.accepted(sampled.before.hardware_key),
        now=kept.albums(Side.CANDIDATE),
        in_turn=in_turn,
    )
    if not (sides.before or sides.now or kept.trouble):
        return report
    judgement = report.judgement
    notices: list[str] = []
    pictures: list[Picture] = []
    cases = tuple(
        _illustrated(case, sides, kept, notices.append, pictures) for case in judgement.cases
    )
    left_out = 0 if in_turn else accept_outputs(sides, kept, notices.append)
    if report.facts.updating or any(_worst(case) for case in judgement.cases):
        notices += lacking(sides, kept, left_out)
    notices = list(dict.fromkeys(notices))
    judgement = replace(judgement, cases=cases, notices=(*judgement.notices, *notices))
    return replace(report, judgement=judgement, pictures=tuple(pictures))


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
    note = f"{what}: {relative_path(folder, kept.cwd)}"
    notes = (*case.comparison.notes, note)
    return replace(case, comparison=replace(case.comparison, notes=notes))
