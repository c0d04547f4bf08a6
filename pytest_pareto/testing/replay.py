"""Meters that replay what was measured elsewhere, so that a machine without a GPU can judge it."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_pareto.measure.meter import Calls
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.run import Measurement
from pytest_pareto.testing.readings import Readings, read_readings


class ReplayMeter:
    """A meter of one metric that replays a recorded run by case id, and calls nothing.

    ``scale`` multiplies what is replayed, to plant a change: 1.5 makes a latency half as long
    again. Raises ParetoError where the file has no such run or metric.
    """

    def __init__(self, readings: Readings, name: str, *, run: int = 0, scale: float = 1.0) -> None:
        _check(readings, run, (name,))
        if not (math.isfinite(scale) and scale > 0):
            raise ParetoError(f"scale of {name!r} must be a finite number > 0, not {scale!r}")
        self.metrics = (readings.metrics[name],)
        self._file = readings.file
        self._run = run
        self._cases = readings.runs[run]
        self._scale = scale

    def absence(self) -> str | None:
        """Return None: a metric that was absent when recorded is absent by its case."""
        return None

    def measure(self, calls: Calls) -> Sequence[Measurement]:
        """Return what was recorded of this case; raise ParetoError where nothing was."""
        (metric,) = self.metrics
        case = self._cases.get(calls.case_id)
        if case is None:
            raise self._missing(f"case {calls.case_id!r}", self._cases)
        found = case.get(metric.name)
        if found is None:
            raise self._missing(f"{metric.name!r} of case {calls.case_id!r}", case)
        return (_scaled(found, self._scale),)

    def _missing(self, what: str, known: Collection[str]) -> ParetoError:
        there = ", ".join(sorted(known))
        return ParetoError(f"{self._file}: run {self._run} has no {what}; it has {there}")


def replay_meters(
    path: Path | str,
    *,
    run: int = 0,
    metrics: Collection[str] | None = None,
    scale: Mapping[str, float] | None = None,
) -> tuple[ReplayMeter, ...]:
    """Return a meter for each metric of a file that `record_readings` wrote.

    ``run`` is the position of the run to replay, from 0. ``metrics`` names those wanted, all by
    default; ``scale`` has a factor for some of them, by name. Returned by the hook
    `pytest_pareto_meters` they take the place of built-in meters of the same metrics.
    Raises ParetoError where the file cannot be used, or has no such run or metric.
    """
    readings = read_readings(path)
    names = tuple(readings.metrics) if metrics is None else tuple(metrics)
    factors = scale or {}
    _check(readings, run, (*names, *factors))
    return tuple(
        ReplayMeter(readings, name, run=run, scale=factors.get(name, 1.0)) for name in names
    )


def _check(readings: Readings, run: int, names: Collection[str]) -> None:
    count = len(readings.runs)
    if not 0 <= run < count:
        raise ParetoError(
            f"{readings.file} has {count} runs, numbered from 0 to {count - 1}; there is no {run}"
        )
    known = readings.metrics
    for name in names:
        if name not in known:
            raise ParetoError(
                f"{readings.file} has no metric {name!r}; it has {', '.join(sorted(known))}"
            )


def _scaled(found: Measurement, factor: float) -> Measurement:
    if factor == 1.0:
        return found
    first = None if found.first is None else found.first * factor
    return replace(found, values=tuple(value * factor for value in found.values), first=first)
