"""Sessions: the record of a session, its comparisons, its judgement and its report.

`SessionRecord` is what a session measured. Together with the baseline it determines the verdicts:
a record that is read from its file and judged again gives the same ones. `Changes` holds the
comparisons of a record with the baseline, `Judged` their judgement, and `SessionReport` all that
the reports render.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pytest_pareto.model.attribution import Breakdown
from pytest_pareto.model.baseline import Baseline, FailingHistory, Past, Samples
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.policy import ALL_ON_CHANGES, AlphaShares, Policy
from pytest_pareto.model.run import CaseRun, Run, nodeid_of
from pytest_pareto.model.verdict import CaseComparison, Failure, FrontClaims, Judgement


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """The circumstances of a judged session.

    ``baseline_path`` is what the user would type: the folder of this hardware, relative
    to the root directory. ``differences`` names software that changed since the baseline,
    as "torch 2.12.0 → 2.13.0". ``partial`` is the reason why the session is incomplete,
    or None; ``stopped`` is why it was cut short, so that not all selected tests ran.
    ``edits`` lists what an update wrote, and ``written`` is the number of metrics; with
    ``updating`` false both are empty.
    ``confirmed`` is whether suspects were measured again before they were called worse, and
    ``suspects`` how many in how many runs: "1 case measured again in 5 fresh runs". All took
    ``duration_s`` seconds on ``gpus`` GPUs, of which ``confirming_s`` to measure suspects again;
    None where that is not known.
    ``ref`` is the git ref whose code was interleaved with this one, and ``against`` names its
    commit; then there is no baseline. ``anchor_path`` is where the anchor is, if there is one.
    ``new_side`` is what `pytest-pareto compare` took for the new side, and None in a session.
    ``candidate_path`` is where the session left what could be accepted, and ``acceptable`` names
    the cases of which all that changed can be. ``other_baseline`` is the baseline's folder as it
    can be typed, where it is not the one that the project's ini file names.
    """

    baseline_path: str
    hardware_key: str
    baseline_sessions: int
    baseline_runs: int
    runs: int
    duration_s: float
    differences: tuple[str, ...] = ()
    partial: str | None = None
    updating: bool = False
    edits: tuple[str, ...] = ()
    written: int = 0
    confirmed: bool = False
    suspects: str | None = None
    ref: str | None = None
    against: str | None = None
    assumptions: tuple[str, ...] = ()
    anchor_path: str | None = None
    new_side: str | None = None
    candidate_path: str | None = None
    acceptable: frozenset[str] = frozenset()
    other_baseline: str | None = None
    stopped: str | None = None
    gpus: int = 0
    confirming_s: float | None = None

    @property
    def accepts(self) -> bool:
        """Whether the results of this session can be accepted later."""
        return not self.updating and self.ref is None and self.new_side is None


EVERYTHING = "."
"""The root directory, as a requested path."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a session was asked for.

    ``covered`` are files and folders, relative to the root directory. ``partial`` is the
    reason why the session cannot know what is missing, ``stopped`` why it ended early, or None.
    ``skipped_modules`` skipped themselves when they were collected. ``configured`` is what of the
    project's configuration alone narrowed the selection, as "addopts (-k small)", or "".
    """

    covered: tuple[str, ...] = (EVERYTHING,)
    partial: str | None = None
    stopped: str | None = None
    skipped_modules: tuple[str, ...] = ()
    configured: str = ""

    def deselects(self, case_id: str, runs: Sequence[Run]) -> bool:
        """Return whether the configuration kept a case, which nobody measured, from being run."""
        ran = any(nodeid_of(case_id, run.finished) for run in runs)
        explained = ran or self.stopped is not None or self.skipped(case_id, runs)
        module = case_id.partition("::")[0]
        return bool(self.configured) and not explained and self._covers(module)

    def expects(self, case_id: str, runs: Sequence[Run]) -> bool:
        """Return whether a session that ran to its end should have measured this case.

        A collected test should have. So should a test of a module that the arguments cover, since
        it may be missing because it was renamed.
        """
        if any(nodeid_of(case_id, run.finished) for run in runs):
            return self.stopped is None
        return self.partial is None and self._covers(case_id.partition("::")[0])

    def skipped(self, case_id: str, runs: Sequence[Run]) -> bool:
        """Return whether the case was not measured because its test or its module was skipped."""
        module = case_id.partition("::")[0]
        return any(
            module in skipped or nodeid_of(case_id, skipped) is not None
            for skipped in (self.skipped_modules, *(run.skipped for run in runs))
        )

    def _covers(self, module: str) -> bool:
        path = PurePosixPath(module)
        return any(PurePosixPath(c) in (path, *path.parents) for c in self.covered)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """What a session measured, and the policy under which it is judged.

    ``flagged`` are the metrics that the first runs flagged, as (case id, metric name).
    ``again`` are the fresh runs that measured them again. In an interleaved session ``old_runs``
    and ``old_again`` are those of the old code, and ``gone`` names the tests that only the old
    code has. ``failures`` happened before the judgement; ``notices`` are reported and fail nothing.
    ``anchored`` is whether an anchor has a share of alpha, even where it is not available.
    """

    runs: tuple[Run, ...]
    policy: Policy
    asked: Asked = field(default_factory=Asked)
    flagged: frozenset[tuple[str, str]] = frozenset()
    again: tuple[Run, ...] = ()
    old_runs: tuple[Run, ...] = ()
    old_again: tuple[Run, ...] = ()
    failures: tuple[Failure, ...] = ()
    notices: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    anchored: bool = False

    @property
    def environment(self) -> Environment:
        """The machine of the newest run."""
        return self.runs[-1].environment

    @property
    def interleaved(self) -> bool:
        """Whether old and new code were measured alternately, so that no baseline is stored."""
        return bool(self.old_runs)

    @property
    def cut_short(self) -> bool:
        """Whether the session ended before it had run everything."""
        return self.asked.stopped is not None

    @property
    def confirms(self) -> bool:
        """Whether flagged metrics are measured again before they are reported as worse."""
        return self.policy.confirming > 0 and not self.cut_short and not self.failures

    @property
    def confirmed(self) -> bool:
        """Whether flagged metrics were measured again, on both sides where the old code runs too.

        Confirming runs that ended early, or in which a test failed, count: they are evidence of a
        case that cannot be measured twice.
        """
        both = bool(self.again) and (bool(self.old_again) or not self.interleaved)
        return bool(self.flagged) and both

    def flagged_by_case(self) -> dict[str, set[str]]:
        """Return the names of the flagged metrics, by the id of their case."""
        found: dict[str, set[str]] = {}
        for case_id, name in self.flagged:
            found.setdefault(case_id, set()).add(name)
        return found

    def expects(self, case_id: str) -> bool:
        """Return whether a case that was not measured should have been."""
        if self.interleaved:
            return not self.cut_short
        # Failures of confirming runs do not concern the session's own runs. Where one of its own
        # processes died, that explains a missing case better than a deleted test does.
        failed = bool(self.failures) and not self.flagged
        return not failed and self.asked.expects(case_id, self.runs)

    def skipped(self, case_id: str) -> bool:
        """Return whether a case was not measured because its test or its module was skipped."""
        return self.asked.skipped(case_id, self.runs)


@dataclass(frozen=True, slots=True)
class Changes:
    """The comparisons of a session: the whole input of its judgement.

    ``comparisons`` are the measured cases, ``claims`` those about each front, and ``shares``
    the split of the session's alpha. ``tested`` are the metrics that share alpha and can be WORSE,
    as (case id, metric name); None for every metric that gates. ``pooled`` is whether the runs that
    screen and those that confirm decide together.
    """

    record: SessionRecord
    past: Past
    comparisons: tuple[CaseComparison, ...]
    claims: Mapping[str, FrontClaims] = field(default_factory=dict)
    shares: AlphaShares = ALL_ON_CHANGES
    tested: frozenset[tuple[str, str]] | None = None
    pooled: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement, with the levels that an update of the baseline would write.

    ``measured`` has the runs of each case, by case id. ``levels`` has one number per run,
    ``samples`` the mean score of each sample, and ``breakdowns`` what the level of the session's
    own runs consists of, each by (case id, metric name). An evaluation that stopped early has
    samples, but no level.
    """

    judgement: Judgement
    environment: Environment
    measured: Mapping[str, tuple[CaseRun, ...]]
    levels: Mapping[tuple[str, str], tuple[float, ...]]
    samples: Mapping[tuple[str, str], Samples]
    breakdowns: Mapping[tuple[str, str], Breakdown] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that shows one of the worst samples of a metric, before and now."""

    case_id: str
    metric: str
    sample: str
    file: Path


@dataclass(frozen=True, slots=True)
class SampleScores:
    """The scores that a session compared, and those that the next session will compare with.

    ``now`` is by (case id, metric name). ``before`` and ``after`` are the baseline before the
    session and after it.
    """

    now: Mapping[tuple[str, str], Samples]
    before: Baseline
    after: Baseline


@dataclass(frozen=True, slots=True)
class SessionReport:
    """A judged session: all that the reports render.

    ``environment`` is the machine of the newest run, or None where nothing ran. ``record`` is the
    evidence for the verdicts, without the readings of single calls; None where nothing could be
    compared. ``scores`` are those of its samples, for the pictures of the worst ones. ``history``
    is that of failing cases, None where no report shows it.
    """

    judgement: Judgement
    facts: SessionFacts
    environment: Environment | None = None
    pictures: tuple[Picture, ...] = ()
    record: SessionRecord | None = None
    scores: SampleScores | None = None
    history: FailingHistory | None = None
