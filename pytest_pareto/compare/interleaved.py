"""Live processes that took turns: levels aligned by rounds, and the test of processes.

`align_rounds` serves a session, whose pairs are then compared like other blocks of runs.
`compare_interleaved` is the public API for plain numbers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from pytest_pareto.compare.runs import tested_change, unbounded_change
from pytest_pareto.model.change import Change
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Kind, Scope
from pytest_pareto.model.run import CaseRun, Measurement, Run
from pytest_pareto.stats.contrast import Contrast
from pytest_pareto.stats.scale import (
    harm_sign,
    mean_level,
    parse_better,
    require_usable,
    require_valid_options,
    summarise_run,
    trimmed_mean,
    trimmed_mean_error,
)
from pytest_pareto.stats.variance import NO_SPREAD, Level, Spread, floored


def align_rounds(old: Run, new: Run) -> tuple[Run, Run]:
    """Return two runs that took turns, with levels that differ by what the rounds show.

    The processes' times on the host have as many readings on either side, and those of one number
    are neighbours in time. The distance of the levels becomes the trimmed mean of the log ratios of
    neighbours; their geometric mean is as before. Other metrics stay as they are.
    """
    aligned: list[dict[str, CaseRun]] = [{}, {}]
    for case_id, case in old.cases.items():
        if case_id in new.cases:
            for side, found in zip(aligned, _aligned(case, new.cases[case_id]), strict=True):
                side[case_id] = found
    before, after = aligned
    return (
        replace(old, cases={**old.cases, **before}),
        replace(new, cases={**new.cases, **after}),
    )


def _aligned(old: CaseRun, new: CaseRun) -> tuple[CaseRun, CaseRun]:
    levels: dict[str, tuple[float, float]] = {}
    for then in old.measurements:
        now = new.measurement(then.metric.name)
        if now is not None and _took_turns(then, now):
            levels[then.metric.name] = _levels_by_rounds(then.values, now.values)
    sides = tuple(
        replace(
            case,
            measurements=tuple(
                replace(m, values=(levels[m.metric.name][side],)) if m.metric.name in levels else m
                for m in case.measurements
            ),
        )
        for side, case in enumerate((old, new))
    )
    return sides[0], sides[1]


def _took_turns(old: Measurement, new: Measurement) -> bool:
    metric = old.metric
    timed = metric.kind is Kind.RUN and metric.scope is Scope.HOST and metric.relative
    if not timed or old.absent is not None or new.absent is not None:
        return False
    paired = len(old.values) == len(new.values) > 1
    return paired and min(*old.values, *new.values) > 0


def _levels_by_rounds(old: Sequence[float], new: Sequence[float]) -> tuple[float, float]:
    middle = math.log(
        mean_level([summarise_run(side, relative=True) for side in (old, new)], relative=True)
    )
    half = trimmed_mean([math.log(b / a) for a, b in zip(old, new, strict=True)]) / 2
    return math.exp(middle - half), math.exp(middle + half)


def compare_interleaved(
    baseline: Sequence[Sequence[Sequence[float]]],
    candidate: Sequence[Sequence[Sequence[float]]],
    *,
    better: str = "lower",
    tolerance: float = 0.05,
    alpha: float = 0.05,
) -> Change:
    """Compare two sides that took turns: live processes that were measured round by round.

    Each side is a sequence of processes, a process a sequence of rounds, and a round a sequence of
    positive readings. Round r was at the same time in every process; it is empty in a process that
    took no part in it, such as one of another pair. Processes that share rounds are compared by the
    trimmed mean of their log ratios, round by round, so that what a host does to both cancels.

    The process is the unit of replication: rounds are not independent, and identical processes
    differ. With D_ij the distance of new process j from old process i, the test is Student's t of
    the process means of D over all that share rounds, and of the distances of such groups: m and n
    processes leave m + n - 2 degrees of freedom, and k pairs k - 1. The error between processes is
    never taken to be less than the rounds explain.

    Raises ParetoError where a side is empty, a process shares no round with the other side, a
    reading is not a positive number, or an option is out of its range.
    """
    direction = parse_better(better)
    require_valid_options(tolerance=tolerance, session_spread=0.0, alpha=alpha)
    groups = _groups(_rounds_of("baseline", baseline), _rounds_of("candidate", candidate))
    contrast = _turns_contrast(groups)
    contrast = replace(contrast, distance=harm_sign(direction) * contrast.distance)
    if contrast.between_runs.df == 0:
        unbounded = unbounded_change(
            contrast.distance, relative=True, tolerance=tolerance, alpha=alpha
        )
        reason = "one process on each side has no spread to judge by: measure at least three pairs"
        return replace(unbounded, reason=reason)
    return tested_change(
        contrast,
        relative=True,
        tolerance=tolerance,
        alpha=alpha,
        corrected_alpha=alpha,
        confirming=0,
    )


_Rounds = dict[int, float]
"""The mean log of the readings of each round in which a process took part."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Processes that share rounds, of both sides."""

    old: tuple[_Rounds, ...]
    new: tuple[_Rounds, ...]

    @property
    def weight(self) -> float:
        """The inverse variance of the group's distance, in units of the spread of a process."""
        return 1 / (1 / len(self.old) + 1 / len(self.new))

    def ratios(self) -> list[list[list[float]]]:
        """Return the log ratios of each new process to each old one, in the rounds of all."""
        shared = sorted(set.intersection(*(set(each) for each in (*self.old, *self.new))))
        if not shared:
            raise ParetoError(
                "processes share rounds by others and have none that all of them share; where "
                "pairs were measured one after another, give each pair rounds of its own, "
                "empty elsewhere"
            )
        return [[[new[r] - old[r] for r in shared] for old in self.old] for new in self.new]


def _rounds_of(side: str, processes: Sequence[Sequence[Sequence[float]]]) -> list[_Rounds]:
    found: list[_Rounds] = []
    for number, process in enumerate(processes):
        rounds: _Rounds = {}
        for position, readings in enumerate(process):
            try:
                values = [float(reading) for reading in readings]
                if values:
                    require_usable(values, relative=True)
                    rounds[position] = math.fsum(map(math.log, values)) / len(values)
            except (TypeError, ValueError, ParetoError) as error:
                raise ParetoError(
                    f"{side} process {number}, round {position} is {readings!r}: {error}; a round "
                    "holds the positive readings of one turn, such as [0.101, 0.099]"
                ) from None
        found.append(rounds)
    if not found:
        raise ParetoError(f"the {side} holds no processes; give at least one")
    return found


def _groups(old: Sequence[_Rounds], new: Sequence[_Rounds]) -> list[_Group]:
    """Return the processes in groups that share rounds, directly or by others.

    Raises ParetoError where a process shares no round with one of the other side.
    """
    left = [
        (rounds, side, number)
        for side, processes in enumerate((old, new))
        for number, rounds in enumerate(processes)
    ]
    groups: list[_Group] = []
    while left:
        group = [left.pop(0)]
        rounds = {*group[0][0]}
        while joining := [each for each in left if rounds & each[0].keys()]:
            group += joining
            left = [each for each in left if not rounds & each[0].keys()]
            rounds |= {r for each in joining for r in each[0]}
        sides = [tuple(each[0] for each in group if each[1] == side) for side in (0, 1)]
        if not all(sides):
            name = ("baseline", "candidate")[group[0][1]]
            raise ParetoError(
                f"{name} process {group[0][2]} shares no round with the other side; round r of "
                "every process is what was measured at the same time"
            )
        groups.append(_Group(*sides))
    return groups


def _turns_contrast(groups: Sequence[_Group]) -> Contrast:
    """Return the contrast of groups of processes, weighted by the inverse of their variance."""
    distances, squares, df, floors = [], 0.0, -1.0, []
    for group in groups:
        ratios = group.ratios()
        pairs = [[trimmed_mean(each) for each in row] for row in ratios]
        for means in (
            [fmean(row) for row in pairs],
            [fmean(row) for row in zip(*pairs, strict=True)],
        ):
            middle = fmean(means)
            squares += math.fsum((x - middle) ** 2 for x in means)
            df += len(means) - 1
        df += 1
        distances.append(fmean(x for row in pairs for x in row))
        # A pair's error has a share of either process.
        floors += [trimmed_mean_error(each) ** 2 / 2 for row in ratios for each in row]
    weights = [group.weight for group in groups]
    total = math.fsum(weights)
    distance = math.fsum(w * d for w, d in zip(weights, distances, strict=True)) / total
    squares += math.fsum(w * (d - distance) ** 2 for w, d in zip(weights, distances, strict=True))
    # The error V = s² / Σw, written as that of one run on each side.
    variance = max(squares / df if df else 0.0, fmean(floors)) / (2 * total)
    return Contrast(
        distance=distance,
        baseline=Level(0.0, 1, 1.0),
        runs=1,
        between_runs=floored(Spread(variance, df), (), relative=True),
        between_sessions=NO_SPREAD,
        sessions_seen=0,
    )
