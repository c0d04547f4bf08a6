"""A run without its single calls: what a verdict rests on, and no more."""

from dataclasses import replace

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.run import Measurement, Run
from pytest_pareto.stats.scale import summarise_run


def condensed(run: Run) -> Run:
    """Return a run with one reading of each noisy metric: its level, which is compared.

    It is judged as the run itself is, to the last digit. What has readings that give no level
    is broken, with that reason, as it is when it is judged.
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
