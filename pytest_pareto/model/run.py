"""Runs: what one fresh process measured, as a `Measurement` per metric of each `CaseRun`.

`Looks` is the progress of a sequential evaluation, which stops once its verdict is decided.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from pytest_pareto.model.attribution import Breakdown
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import require_text
from pytest_pareto.model.metric import Budget, Kind, Metric


def order_seed(ids: Iterable[str]) -> int:
    """Return the seed that shuffles samples, derived from all their ids.

    The same samples have the same order in every process and session, and other samples have
    another one. So the seed also identifies the planned samples where only some were scored.
    """
    joined = "\n".join(sorted(ids))
    return int.from_bytes(hashlib.sha256(joined.encode()).digest()[:4], "big")


@dataclass(frozen=True, slots=True)
class Looks:
    """Where an evaluation of ``samples`` samples stopped: at look ``at`` of ``planned`` ones.

    The looks are equally far apart, and the order of the samples is shuffled by ``seed``
    (`order_seed`), so that what was scored until a look is a random part of the whole.
    """

    samples: int
    planned: int
    at: int
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.at <= self.planned <= self.samples:
            raise ParetoError(
                f"look {self.at} of {self.planned} over {self.samples} samples: looks are counted "
                "from 1, and each needs a sample of its own"
            )

    def used_at(self, look: int) -> int:
        """Return the number of samples that are scored at a look."""
        return -(-self.samples * look // self.planned)

    @property
    def used(self) -> int:
        """The number of samples that were scored."""
        return self.used_at(self.at)

    @property
    def saved(self) -> int:
        """The number of samples that were not scored."""
        return self.samples - self.used

    @property
    def complete(self) -> bool:
        """Whether every sample was scored."""
        return self.at == self.planned


@dataclass(frozen=True, slots=True)
class Measurement:
    """One metric of one case in one run: its readings, or the reason why there are none.

    ``values`` are in the metric's unit: every steady-state reading of a `run` metric, the
    one value of an `exact` one, a score per sample (with ``ids``) of a `paired` or `ordinal` one.
    Of a `set` metric they are the jackknife value of each block of samples, and ``ids`` name the
    blocks; ``whole`` is the value over all samples together.
    ``first`` is the reading of the first call, separate from the steady state. ``looks`` is the
    progress of an evaluation that may stop early. ``absent`` is the reason why there are no
    readings; ``broken`` is whether that reason is a failure. ``lower_bound`` is what the value of
    an `exact` metric leaves out, if anything: then the true one may be larger, and is not known.
    ``waited`` is the largest share of their time that the calls can have lost while the process
    waited for a core of the host; None where that is not known, or does not lengthen the readings.
    ``breakdown`` is what the level consists of, None where that is not known.
    """

    metric: Metric
    values: tuple[float, ...] = ()
    ids: tuple[str, ...] = ()
    first: float | None = None
    absent: str | None = None
    notes: tuple[str, ...] = ()
    whole: float | None = None
    looks: Looks | None = None
    broken: bool = False
    lower_bound: str | None = None
    waited: float | None = None
    breakdown: Breakdown | None = None

    def __post_init__(self) -> None:
        name = self.metric.name
        if self.lower_bound is not None and (self.metric.kind is not Kind.EXACT or self.absent):
            raise ParetoError(f"{name!r}: only the value of an exact metric can be a lower bound")
        if (self.absent is None) != bool(self.values):
            raise ParetoError(f"{name!r} needs either readings or the reason why it has none")
        if self.absent is not None:
            return
        for position, value in enumerate(self.values):
            if not math.isfinite(value):
                where = f"sample {self.ids[position]!r}" if self.ids else f"reading {position}"
                raise ParetoError(f"{name!r} is {value} at {where}; a finite number is needed")
            if self.metric.relative and value < 0:
                raise ParetoError(f"{name!r} is {value}; a relative metric cannot be negative")
        if self.metric.kind is Kind.EXACT and len(self.values) != 1:
            raise ParetoError(f"exact metric {name!r} has {len(self.values)} values, not one")
        if self.metric.kind.sampled != bool(self.ids):
            raise ParetoError(f"{name!r}: scores of samples, and only they, have sample ids")
        self._check_ids()
        self._check_whole()
        if self.looks is not None and len(self.values) != self.looks.used:
            raise ParetoError(
                f"{name!r} has {len(self.values)} scores, and look {self.looks.at} of "
                f"{self.looks.planned} is at {self.looks.used}"
            )

    def _check_ids(self) -> None:
        if not self.ids:
            return
        name = self.metric.name
        if len(self.ids) != len(self.values):
            raise ParetoError(
                f"{name!r} has {len(self.values)} scores for {len(self.ids)} ids; "
                "pass one id per score"
            )
        if not "".join(self.ids).isascii():
            for label in self.ids:
                require_text(f"{name!r}: the id", label)
        if len(set(self.ids)) != len(self.ids):
            ((again, _),) = Counter(self.ids).most_common(1)
            raise ParetoError(
                f"{name!r}: the id {again!r} stands for more than one sample; "
                "make ids unique, for example by adding the seed"
            )

    def _check_whole(self) -> None:
        name = self.metric.name
        if (self.metric.kind is Kind.SET) != (self.whole is not None):
            raise ParetoError(f"{name!r}: set metrics, and only they, have a number of the whole")
        if self.whole is not None and not math.isfinite(self.whole):
            raise ParetoError(f"{name!r} is {self.whole}; a finite number is needed")


@dataclass(frozen=True, slots=True)
class CaseRun:
    """One case measured once, with its test's settings for the judgement.

    ``case_id`` is the test's node id, or ``nodeid#name`` for a named measurement.
    ``source`` is a short hash of the test's own code. ``items`` is the number of items that one
    call processes, for figures per item.
    """

    case_id: str
    nodeid: str
    front: str
    source: str
    measurements: tuple[Measurement, ...]
    gate: bool = True
    budgets: tuple[Budget, ...] = ()
    items: int | None = None

    def __post_init__(self) -> None:
        names = [m.metric.name for m in self.measurements]
        if len(set(names)) != len(names):
            raise ParetoError(f"{self.case_id}: a metric was recorded twice in one case")

    def measurement(self, name: str) -> Measurement | None:
        """Return the measurement of a metric, or ``None`` where the case has none."""
        return next((m for m in self.measurements if m.metric.name == name), None)


@dataclass(frozen=True, slots=True)
class Run:
    """One fresh process that measured the selected cases once.

    ``cases`` are by case id. ``failed`` maps node ids, of tests that failed and of modules that
    could not be collected, to reasons. ``finished`` and ``skipped`` are the node ids of tests that
    ran to their end, or did not run. ``block`` numbers the runs of old and new code that were
    measured close in time: a pair of live processes, or four fresh ones; 0 outside of blocks.
    """

    environment: Environment
    cases: Mapping[str, CaseRun] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    finished: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    block: int = 0


def nodeid_of(case_id: str, nodeids: Container[str]) -> str | None:
    """Return the node id of a case's test among ``nodeids``: the case id, or its part before a #.

    None where the test is not among them.
    """
    nodeid = case_id
    while nodeid and nodeid not in nodeids:
        nodeid = nodeid.rpartition("#")[0]
    return nodeid or None


def failure_reason(case_id: str, failed: Mapping[str, str]) -> str | None:
    """Return why a case was not measured, or None: the failure of its test, module or folder.

    Where several of these failed, that of the smallest is returned.
    """
    ends = [len(case_id), *(match.start() for match in reversed([*_PARTS.finditer(case_id)]))]
    nodeid = next((case_id[:end] for end in ends if case_id[:end] in failed), None)
    return None if nodeid is None else f"{nodeid}: {failed[nodeid]}"


_PARTS = re.compile("#|::|/")


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Runs of the old and of the new code, in the order of blocks, with as many of each in one."""

    old: tuple[Run, ...]
    new: tuple[Run, ...]

    @property
    def blocks(self) -> int:
        """The number of blocks."""
        return len({run.block for run in self.new})

    @property
    def runs_per_block(self) -> int:
        """The number of runs of either side in a block; 0 where there are none."""
        return len(self.new) // max(1, self.blocks)
