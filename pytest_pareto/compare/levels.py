"""Levels: the number of each run, and the mean score of each sample over the runs.

`summarise` reduces the readings of a session to levels, by case and metric. `condensed` replaces
the readings of a run by its levels, which give the same verdicts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from pytest_pareto.model.attribution import Breakdown
from pytest_pareto.model.baseline import Samples
from pytest_pareto.model.change import Outcome
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import percent, round_samples
from pytest_pareto.model.metric import HOST_REFERENCE, LATENCY, Better, Kind, Metric
from pytest_pareto.model.run import CaseRun, Looks, Measurement, Run
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.verdict import MetricResult
from pytest_pareto.stats.scale import mean_level, require_usable, summarise_run


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one case as this session measured it.

    ``runs`` holds one level per run, in the metric's unit. ``samples`` holds the mean over the runs
    of each sample's score, or of each block's value of a set metric. ``looks`` is the look at which
    an evaluation stopped that may stop early. ``reference`` holds, for a latency, the time of the
    host reference in each of these runs (s), where all runs timed it. ``lower_bound`` is what the
    number of some run leaves out, if anything. ``without_waiting`` is whether a busy host alone
    measured it, and the levels are without the most that its waiting can explain. ``breakdown`` is
    what the level of the first of these runs that knows it consists of.
    """

    metric: Metric
    runs: tuple[float, ...]
    samples: Samples | None = None
    first: float | None = None
    notes: tuple[str, ...] = ()
    reference: tuple[float, ...] = ()
    looks: Looks | None = None
    lower_bound: str | None = None
    without_waiting: bool = False
    breakdown: Breakdown | None = None

    @property
    def complete(self) -> bool:
        """Whether every planned sample was scored."""
        return self.looks is None or self.looks.complete


@dataclass(frozen=True, slots=True)
class CaseLevels:
    """The metrics of one case on one side, by name: levels, or the reason why there are none."""

    runs: tuple[CaseRun, ...]
    metrics: Mapping[str, Measured | MetricResult]


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of a session by case id: of its own runs, and ``again`` of the confirming runs.

    ``pooled`` are those of both, where old and new code took turns.
    """

    record: SessionRecord
    cases: Mapping[str, CaseLevels]
    again: Mapping[str, CaseLevels]
    pooled: Mapping[str, CaseLevels]


def summarise(record: SessionRecord) -> Levels:
    """Return the levels of a session: one number per run, one mean score per sample.

    Confirming runs count only where they ended, and only for cases that were flagged.
    """
    flagged = {case_id for case_id, _ in record.flagged}
    # A busy host slows old and new code down alike where they are measured in turn.
    stored = not record.interleaved

    def flagged_levels(runs: Sequence[Run]) -> dict[str, CaseLevels]:
        found = case_levels(runs, leave_out_busy=stored) if record.confirmed else {}
        return {case_id: levels for case_id, levels in found.items() if case_id in flagged}

    return Levels(
        record,
        case_levels(record.runs, leave_out_busy=stored),
        flagged_levels(record.again),
        {} if stored else flagged_levels((*record.runs, *record.again)),
    )


def case_levels(runs: Sequence[Run], *, leave_out_busy: bool = False) -> dict[str, CaseLevels]:
    """Return the levels of each case, by case id; the runs keep their order.

    With ``leave_out_busy``, runs count for a metric only where the host gave the process the cores
    that it asked for.
    """
    gathered: dict[str, list[CaseRun]] = {}
    for run in runs:
        for case_id, case in run.cases.items():
            gathered.setdefault(case_id, []).append(case)
    return {
        case_id: CaseLevels(tuple(cases), measured_metrics(cases, leave_out_busy=leave_out_busy))
        for case_id, cases in gathered.items()
    }


def measured_metrics(
    runs: Sequence[CaseRun], *, leave_out_busy: bool = False
) -> dict[str, Measured | MetricResult]:
    """Summarise the runs of one case: by metric, a `Measured`, or the result without a number."""
    by_name: dict[str, list[Measurement]] = {}
    for run in runs:
        for measurement in run.measurements:
            by_name.setdefault(measurement.metric.name, []).append(measurement)
    measured = {
        name: _measured(found, len(runs), leave_out_busy=leave_out_busy)
        for name, found in by_name.items()
    }
    latency, reference = measured.get(LATENCY.name), measured.get(HOST_REFERENCE.name)
    match latency, reference:
        # Reference and latency belong together only where every run has both.
        case Measured(), Measured() if len(latency.runs) == len(reference.runs) == len(runs):
            measured[LATENCY.name] = replace(latency, reference=reference.runs)
    return measured


def _measured(
    found: Sequence[Measurement], runs: int, *, leave_out_busy: bool
) -> Measured | MetricResult:
    """Summarise one metric over ``runs`` runs: BROKEN or ABSENT where it has no levels.

    NOT_COMPARABLE where the host was busy in each of them.
    """
    present = [m for m in found if m.absent is None]
    metric = found[-1].metric
    broken = next((m for m in found if m.broken), None)
    if broken is not None:
        return MetricResult(metric, state=Outcome.BROKEN, reason=broken.absent)
    if not present:
        return MetricResult(metric, state=Outcome.ABSENT, reason=found[-1].absent, unmeasured=True)
    notes = tuple(dict.fromkeys(note for m in found for note in m.notes))
    quiet = [m for m in present if not (leave_out_busy and waited_too_long(m))]
    if not quiet:
        return _starved(present, notes)
    if len(quiet) < runs:
        other = _BUSY if len(quiet) < len(present) else "not recorded in every run"
        reason = next((m.absent for m in found if m.absent), other)
        notes = (*notes, f"measured in {len(quiet)} of {runs} runs: {reason}")
    present = quiet
    metric = present[0].metric
    try:
        if metric.kind.sampled:
            present = list(cut_to_one_look(present))
        levels = tuple(run_level(m) for m in present)
        samples = mean_scores(present) if metric.kind.sampled else None
    except ParetoError as error:
        return MetricResult(metric, state=Outcome.BROKEN, reason=str(error))
    return Measured(
        metric,
        levels,
        samples,
        present[0].first,
        notes,
        looks=present[0].looks,
        lower_bound=next((m.lower_bound for m in present if m.lower_bound), None),
        breakdown=next((m.breakdown for m in present if m.breakdown is not None), None),
    )


_QUIET_LENGTHENING = 0.02
_BUSY = "the host was busy in the others"


def waited_too_long(measurement: Measurement) -> bool:
    """Return whether waiting for a core alone can exceed the metric's tolerance.

    A share w of the time that is lost lengthens the rest by w / (1 - w).
    """
    if measurement.waited is None:
        return False
    allowed = max(measurement.metric.tolerance, _QUIET_LENGTHENING)
    return measurement.waited > allowed / (1 + allowed)


def _starved(found: Sequence[Measurement], notes: tuple[str, ...]) -> MetricResult:
    """Return the result of a metric that was measured on a busy host alone."""
    metric = found[0].metric
    try:
        levels = [run_level(m) for m in found]
    except ParetoError as error:
        return MetricResult(metric, state=Outcome.BROKEN, reason=str(error))
    tenths = math.ceil(10 * max(m.waited or 0.0 for m in found))
    reason = (
        f"the host was busy: this process waited for a core for up to {min(10, tenths)}0 % of the "
        f"time, which alone can exceed the tolerance of {percent(metric.tolerance)}. It is neither "
        "compared nor recorded; measure again when nothing else runs"
    )
    return MetricResult(
        metric,
        candidate=reported_level(levels, metric),
        first=found[0].first,
        state=Outcome.NOT_COMPARABLE,
        reason=reason,
        notes=notes,
        for_now=True,
        without_waiting=_without_waiting(levels, found),
    )


def _without_waiting(levels: Sequence[float], found: Sequence[Measurement]) -> tuple[float, ...]:
    """Return levels as they were without the waiting; () where all of a run may be waiting.

    A time is shorter by the share that was lost, and a rate, of which more is better, higher.
    """
    kept = [1 - (m.waited or 0.0) for m in found]
    if min(kept) <= 0:
        return ()
    higher = found[0].metric.better is Better.HIGHER
    pairs = zip(levels, kept, strict=True)
    return tuple(level / share if higher else level * share for level, share in pairs)


def run_level(measurement: Measurement) -> float:
    """Return the level of one run, in the metric's unit.

    Raises ParetoError where its readings have no level.
    """
    match measurement.metric.kind:
        case Kind.RUN:
            return summarise_run(measurement.values, relative=measurement.metric.relative)
        case Kind.EXACT:
            require_usable(measurement.values, relative=False)
            return measurement.values[0]
        case Kind.SET:
            assert measurement.whole is not None  # Measurement requires it of a set metric
            require_usable((measurement.whole, *measurement.values), relative=False, noun="score")
            return measurement.whole
        case Kind.PAIRED | Kind.ORDINAL:
            require_usable(measurement.values, relative=False, noun="score")
            return fmean(measurement.values)


def reported_level(runs: Sequence[float], metric: Metric) -> float:
    """Return the level of several runs as reports show it, in the metric's unit.

    Relative noisy metrics have a geometric mean, all others an arithmetic one.
    """
    # A baseline may hold a zero for a metric that its test no longer measures.
    logs = metric.relative and metric.kind is Kind.RUN and min(runs) > 0
    return mean_level(runs, relative=logs)


def cut_to_one_look(found: Sequence[Measurement]) -> Sequence[Measurement]:
    """Cut the scores of runs that stopped at different looks to those of the earliest look.

    A claim at a look is valid however the look was chosen (see `pytest_pareto.stats.sequential`),
    so also where one run stopped earlier than the others.

    Raises ParetoError where the runs did not plan the same looks.
    """
    plans = {m.looks and replace(m.looks, at=1) for m in found}
    if len(plans) > 1:
        raise ParetoError(
            "the runs of this session planned different looks at their samples; stop='decided' "
            "must not depend on time or chance"
        )
    earliest = min(found, key=lambda m: len(m.values))
    if earliest.looks is None:
        return found
    kept = set(earliest.ids)
    return [_cut(m, kept, earliest) for m in found]


def _cut(measurement: Measurement, kept: set[str], earliest: Measurement) -> Measurement:
    """Keep the scores of the ``kept`` ids; raise ParetoError where one is missing."""
    scores = {
        name: score
        for name, score in zip(measurement.ids, measurement.values, strict=True)
        if name in kept
    }
    if len(scores) < len(kept):
        raise _other_samples()
    return replace(
        measurement, ids=tuple(scores), values=tuple(scores.values()), looks=earliest.looks
    )


def mean_scores(found: Sequence[Measurement]) -> Samples:
    """Average each sample's score over the runs, because runs are not further samples.

    Raises ParetoError where the runs scored different samples.
    """
    ids = found[0].ids
    if any(set(measurement.ids) != set(ids) for measurement in found[1:]):
        raise _other_samples()
    means = np.mean([_in_order(measurement, ids) for measurement in found], axis=0)
    # Rounded as the baseline stores them, so that rounding alone is no change.
    return Samples(ids, round_samples(means.tolist()))


def _other_samples() -> ParetoError:
    return ParetoError(
        "the runs of this session scored different samples; sample ids must not "
        "depend on time or chance"
    )


def _in_order(measurement: Measurement, ids: tuple[str, ...]) -> tuple[float, ...]:
    """Return the scores of a measurement in the order of ``ids``."""
    if measurement.ids == ids:
        return measurement.values
    scores = dict(zip(measurement.ids, measurement.values, strict=True))
    return tuple(scores[name] for name in ids)


def condensed(run: Run) -> Run:
    """Return a run whose noisy metrics have one reading each: their level.

    The verdicts are those of the run itself, to the last digit. A metric whose readings have no
    level is broken, with the same reason as when the run itself is judged.
    """
    return replace(
        run,
        cases={
            case_id: replace(case, measurements=tuple(map(_condensed, case.measurements)))
            for case_id, case in run.cases.items()
        },
    )


def _condensed(measurement: Measurement) -> Measurement:
    if measurement.absent is not None or measurement.metric.kind is not Kind.RUN:
        return measurement
    try:
        level = summarise_run(measurement.values, relative=measurement.metric.relative)
    except ParetoError as error:
        return replace(measurement, values=(), absent=str(error), broken=True)
    return replace(measurement, values=(level,))
