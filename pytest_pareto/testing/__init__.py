"""Test helpers for meter authors and for tests that need scripted measurements.

`check_meter` tests a meter for conformance; `ReplayMeter` replays readings from a file;
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
