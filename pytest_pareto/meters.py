"""Public names for those who write a meter: import them from here, not from the rooms.

A meter implements `Meter`, is given `Calls`, declares each `Metric` that it measures, and returns
one `Measurement` of each. `absent` returns measurements without a reading, with their reason.
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
