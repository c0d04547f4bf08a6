"""Tools for those who write meters, and for tests of projects and of this one.

`check_meter` tests a meter of your own; `ReplayMeter` replays readings from a file;
`ScriptedMeter` and `ScriptedClock` stand in for instruments.
"""

from pytest_pareto.testing.conformance import BrokenMeter, CheckedMeter, check_meter
from pytest_pareto.testing.replay import (
    Readings,
    ReplayMeter,
    read_readings,
    record_readings,
    replay_meters,
)
from pytest_pareto.testing.scripted_meter import ScriptedClock, ScriptedMeter

__all__ = [
    "BrokenMeter",
    "CheckedMeter",
    "Readings",
    "ReplayMeter",
    "ScriptedClock",
    "ScriptedMeter",
    "check_meter",
    "read_readings",
    "record_readings",
    "replay_meters",
]
