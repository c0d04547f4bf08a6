"""Public names for meter authors; import them from here and not from the internal packages.

A meter implements `Meter`, receives `Calls`, declares each `Metric` that it measures, and returns
one `Measurement` of each. `absent` returns measurements without readings, with their reason.
A callable that times its own stages implements `Staged`.
"""

from pytest_pareto.measure.meter import Calls, Meter, absent
from pytest_pareto.measure.stages import NoStagesError, Staged
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.model.run import Measurement

__all__ = [
    "Better",
    "Calls",
    "Kind",
    "Measurement",
    "Meter",
    "Metric",
    "NoStagesError",
    "Scope",
    "Staged",
    "absent",
]
