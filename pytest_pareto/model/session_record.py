"""All that a session's verdict rests on, beside what it was compared with.

All that reports tell of a session: what was decided, and under which circumstances.

What a report says of a session beside its verdicts: against what, how much, how long.

What is known of a session beside its runs.

What looked worse, and the fresh runs that measured it again.

Which tests a session was asked for: a case outside of that is not missing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.policy import Policy, SessionSpreads
from pytest_pareto.model.run import Run
from pytest_pareto.model.verdict import Judgement


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """The circumstances of a judged session.

    ``baseline_path`` is what the user would type: the folder of this hardware, relative
    to the root directory. ``differences`` names software that changed since the baseline,
    as "torch 2.12.0 → 2.13.0". ``partial`` says why the session is incomplete, or is
    None; ``stopped`` does where it was cut short, so that not all that was asked for ran.
    ``edits`` tells what an update wrote, and ``written`` of how many metrics; with
    ``updating`` false both are empty.
    ``confirmed`` is whether suspects were measured again before they were called worse, and
    ``suspects`` says how many in how many runs: "1 case measured again in 5 fresh runs".
    ``ref`` is the git ref whose code took turns with this one, and ``against`` names its commit;
    then there is no baseline. ``anchor_path`` is where the anchor is, if there is one.
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

    @property
    def accepts(self) -> bool:
        """Whether a next session could accept what this one found."""
        return not self.updating and self.ref is None and self.new_side is None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of a session beside its runs.

    ``expected`` says of a case of the baseline that was not measured whether it should
    have been, and ``skipped`` whether its test was. ``failures`` happened before judging
    and belong to no test; ``notices`` are told of the session. After failures, or where the
    session was ``cut_short``, it needs no saying that nothing was measured. ``gone`` are tests
    that measure as of the old code, and are not among the new ones. ``anchored`` is whether
    alpha has a share for an anchor, also where that is not at hand.
    """

    expected: Callable[[str], bool]
    skipped: Callable[[str], bool] = lambda _: False
    failures: tuple[str, ...] = ()
    cut_short: bool = False
    notices: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    anchored: bool = False


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What looked worse, by (case id, metric name), and the fresh runs that measured it again.

    They alone decide about these cases. Runs that ended early, or in which a test failed, are
    evidence too: of a case that cannot be measured twice. ``old_runs`` are of the old code,
    where both are interleaved; else the stored baseline holds.
    """

    flagged: frozenset[tuple[str, str]]
    runs: tuple[Run, ...]
    old_runs: tuple[Run, ...] = ()

    def flagged_of(self, case_id: str) -> frozenset[str]:
        """Return the names of the metrics of one case that looked worse."""
        return frozenset(name for case, name in self.flagged if case == case_id)


EVERYTHING = "."
"""The root directory, as a path of what was asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a session was asked for.

    ``covered`` are files and folders, relative to the root directory. ``partial`` says why the
    session cannot tell what is missing, and ``stopped`` why it ended early; else they are None.
    ``skipped_modules`` skipped themselves when they were collected.
    """

    covered: tuple[str, ...] = (EVERYTHING,)
    partial: str | None = None
    stopped: str | None = None
    skipped_modules: tuple[str, ...] = ()

    def expects(self, case_id: str, runs: Sequence[Run]) -> bool:
        """Whether a session that ran to its end should have measured this case.

        A test that was collected should have; so should one of a module that the
        arguments cover, since it may be gone because it was renamed.
        """
        if any(_belongs(case_id, nodeid) for run in runs for nodeid in run.finished):
            return self.stopped is None
        return self.partial is None and self._covers(case_id.partition("::")[0])

    def skipped(self, case_id: str, runs: Sequence[Run]) -> bool:
        """Whether the case was not measured because its test, or its module, was skipped."""
        skipped = {*self.skipped_modules}.union(*(run.skipped for run in runs))
        module = case_id.partition("::")[0]
        return module in skipped or any(_belongs(case_id, nodeid) for nodeid in skipped)

    def _covers(self, module: str) -> bool:
        path = PurePosixPath(module)
        return any(PurePosixPath(c) in (path, *path.parents) for c in self.covered)


def _belongs(case_id: str, nodeid: str) -> bool:
    return case_id == nodeid or case_id.startswith(f"{nodeid}#")


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """What a session measured, and the terms on which it is judged.

    ``flagged`` is what looked worse, by (case id, metric name), and ``again`` the runs that
    measured it again; ``confirming`` is how many of these the session takes. Where old code
    took turns with the new, ``old_runs`` and ``old_again`` are its own. ``failures`` happened
    before judging, ``notices`` are told, and ``gone`` are tests that only the old code has.
    ``anchored`` is whether an anchor has a share of alpha.
    """

    runs: tuple[Run, ...]
    policy: Policy
    asked: Asked = field(default_factory=Asked)
    spreads: SessionSpreads = field(default_factory=SessionSpreads)
    confirming: int = 0
    flagged: frozenset[tuple[str, str]] = frozenset()
    again: tuple[Run, ...] = ()
    old_runs: tuple[Run, ...] = ()
    old_again: tuple[Run, ...] = ()
    failures: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    anchored: bool = False

    @property
    def in_turn(self) -> bool:
        """Whether old code took turns with the new."""
        return bool(self.old_runs)

    @property
    def cut_short(self) -> bool:
        """Whether the session ended before it had run everything."""
        return self.asked.stopped is not None

    @property
    def confirms(self) -> bool:
        """Whether what looks worse was measured again before it is called so."""
        return self.confirming > 0 and not self.cut_short and not self.failures


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that shows one of the worst samples of a metric, before and now."""

    case_id: str
    metric: str
    sample: str
    file: Path


@dataclass(frozen=True, slots=True)
class SessionReport:
    """A judged session as every report tells it.

    ``environment`` is the machine of this session's newest run, or None where nothing ran.
    Node ids are as they can be typed where pytest was started. ``record`` is what the verdict
    rests on, without single calls; None where nothing could be compared.
    """

    judgement: Judgement
    facts: SessionFacts
    environment: Environment | None = None
    pictures: tuple[Picture, ...] = ()
    record: SessionRecord | None = None
