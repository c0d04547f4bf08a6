"""Scripted meters and clocks, for tests that need known readings."""

from collections.abc import Iterable, Sequence

from pytest_pareto.measure.meter import Calls
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.run import Measurement


class ScriptedMeter:
    """A meter of one metric that returns scripted readings and never calls the function.

    ``readings`` (in the metric's unit) holds what each pass returns, in order: one pass
    is made for each measured case. A single entry is returned by every pass. With
    ``absent`` the metric is absent for that reason.
    """

    def __init__(
        self,
        metric: Metric,
        readings: Sequence[Sequence[float]] = (),
        *,
        absent: str | None = None,
    ) -> None:
        if not readings and absent is None:
            raise ParetoError(f"ScriptedMeter({metric.name!r}) needs readings or `absent`")
        self.metrics = (metric,)
        self._readings = tuple(tuple(each) for each in readings)
        self._absent = absent
        self._passes = 0

    def absence(self) -> str | None:
        """Return the scripted reason, if there is one."""
        return self._absent

    def measure(self, calls: Calls) -> Sequence[Measurement]:  # noqa: ARG002  (the protocol's)
        """Return the next readings; raise ParetoError where the script has ended."""
        (metric,) = self.metrics
        position = 0 if len(self._readings) == 1 else self._passes
        if position >= len(self._readings):
            raise ParetoError(
                f"ScriptedMeter({metric.name!r}) has readings for {len(self._readings)} cases, "
                "and one more was measured"
            )
        self._passes += 1
        return (Measurement(metric, self._readings[position]),)


class ScriptedClock:
    """A clock that returns the given ticks, in nanoseconds, one at each reading.

    ``ticks`` may be endless, such as ``itertools.count(step=1_000_000)``. Raises
    ParetoError where the ticks have ended.
    """

    def __init__(self, ticks: Iterable[int]) -> None:
        self._ticks = iter(ticks)
        self.readings = 0

    def __call__(self) -> int:
        """Return the next tick."""
        tick = next(self._ticks, None)
        if tick is None:
            raise ParetoError(f"ScriptedClock was read more often than its {self.readings} ticks")
        self.readings += 1
        return tick
