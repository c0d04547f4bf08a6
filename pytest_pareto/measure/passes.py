"""The pass of one meter: what it measured, or why it did not, and whose fault that is."""

from collections.abc import Sequence

from pytest_pareto.measure.meter import Calls, Meter, absent, summary
from pytest_pareto.model.metric import Metric
from pytest_pareto.model.run import Measurement


def meter_pass(meter: Meter, calls: Calls, skip: frozenset[str]) -> tuple[Measurement, ...]:
    """Return one measurement of each metric of ``meter`` that is not in ``skip``.

    Where the meter fails, its metrics are absent with that reason. An exception of the
    measured function is raised as it was, even where the meter wrapped it in one of its own.
    """
    wanted = tuple(metric for metric in meter.metrics if metric.name not in skip)
    if not wanted:
        return ()
    calls.begin(wanted)
    try:
        reason = meter.absence()
        found = meter.measure(calls) if reason is None else absent(wanted, reason)
        return _one_of_each(found, meter, wanted)
    except Exception as error:  # a meter's costs its metrics, the function's is the test's
        theirs = calls.raised
        if theirs is None:
            return absent(wanted, f"meter {type(meter).__name__} raised {summary(error)}")
    # Raised outside of the handler, so that it does not gain the meter's own as context.
    raise theirs


def _one_of_each(
    found: Sequence[Measurement], meter: Meter, wanted: tuple[Metric, ...]
) -> tuple[Measurement, ...]:
    who = f"meter {type(meter).__name__}"
    declared = {metric.name for metric in meter.metrics}
    names = [measurement.metric.name for measurement in found]
    for name in names:
        if name not in declared:
            return absent(wanted, f"{who} measured {name!r}, which it does not declare")
        if names.count(name) > 1:
            return absent(wanted, f"{who} measured {name!r} more than once")
    by_name = dict(zip(names, found, strict=True))
    return tuple(
        by_name.get(metric.name) or Measurement(metric, absent=f"{who} did not measure it")
        for metric in wanted
    )
