"""Asks a meter as a session would, and collects what it does wrong."""

import random
from collections.abc import Callable, Mapping

from pytest_pareto.measure.meter import Meter, absent, answer_problems, meter_pass, summary
from pytest_pareto.model.run import Measurement
from pytest_pareto.testing.leftovers import ProcessState
from pytest_pareto.testing.watched import Pass, WatchedCalls


class Examination:
    """Passes of one meter, with ``problems`` in the order in which they were found.

    ``wanted`` are the metrics that are asked for: those of the meter without ``skip``.
    """

    def __init__(
        self, meter: Meter, clock: Callable[[], int], skip: frozenset[str] = frozenset()
    ) -> None:
        self._meter = meter
        self._clock = clock
        self._skip = skip
        self.wanted = tuple(metric for metric in meter.metrics if metric.name not in skip)
        self.problems: list[str] = []

    def note(self, *problems: str) -> None:
        """Take in problems, each once."""
        self.problems = list(dict.fromkeys((*self.problems, *problems)))

    def measure(self, function: Callable[[], object], units: int) -> Pass:
        """Have a function of so many units of work measured, after a first call of it."""
        calls = self._called_once(function)
        before = ProcessState.now()
        found = self._ask(calls)
        after = ProcessState.now()
        self.note(*before.left_behind(after, drew_nothing=function is nothing))
        if any(each.values for each in found.values()):
            calls.check_calls()
        self.note(*calls.misuse)
        return calls.finish(units, found)

    def raise_through(self) -> None:
        """Have a call measured that raises, of which the test is to hear."""
        planted = RuntimeError("planted by check_meter")
        calls = self._called_once(_raising_from_its_second_call(planted))
        before = ProcessState.now()
        try:
            meter_pass(self._meter, calls, self._skip)
        except RuntimeError as error:
            if error is not planted:
                raise
        else:
            if calls.raised is not None:
                self.note(
                    "swallows what the measured function raises: let it through, or say absent "
                    "only after a plain call has shown that the function is not at fault"
                )
        self.note(*before.left_behind(ProcessState.now(), drew_nothing=True))

    def _called_once(self, function: Callable[[], object]) -> WatchedCalls:
        calls = WatchedCalls(function, clock=self._clock)
        calls.make_first_call()
        calls.begin(self.wanted)
        random.random()  # noqa: S311  (so that a meter which seeds shows, though it did before)
        return calls

    def _ask(self, calls: WatchedCalls) -> Mapping[str, Measurement]:
        """Return what the meter says, by the name of the metric; nothing where it fails."""
        try:
            reason: object = self._meter.absence()
            again: object = self._meter.absence()
        except Exception as error:  # whatever a meter under test raises is a finding
            self.note(f"absence() raised {summary(error)}; it returns a reason, or None")
            return {}
        if again != reason:
            self.note(f"absence() returned {reason!r}, and asked again {again!r}")
        if reason is None:
            return self._measured(calls)
        if isinstance(reason, str) and reason.strip():
            return {each.metric.name: each for each in absent(self.wanted, reason)}
        self.note(f"absence() returned {reason!r}; it returns a reason in words, or None")
        return {}

    def _measured(self, calls: WatchedCalls) -> Mapping[str, Measurement]:
        try:
            found: object = self._meter.measure(calls)
        except Exception as error:  # likewise
            if calls.raised is not None:  # by the work itself, which is for the caller to hear
                raise calls.raised from None
            self.note(f"measure raised {summary(error)}")
            return {}
        if not isinstance(found, (list, tuple)) or not all(
            isinstance(each, Measurement) for each in found
        ):
            self.note(f"measure returned {found!r}; it returns a sequence of Measurement")
            return {}
        self.note(*answer_problems(found, self._meter.metrics, self.wanted))
        names = {metric.name for metric in self.wanted}
        return {each.metric.name: each for each in found if each.metric.name in names}


def nothing() -> None:
    """Do nothing, and draw no random number."""


def _raising_from_its_second_call(error: Exception) -> Callable[[], None]:
    called = False

    def function() -> None:
        nonlocal called
        if called:
            raise error
        called = True

    return function
