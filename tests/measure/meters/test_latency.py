from itertools import pairwise
from typing import Any

import pytest

from pytest_pareto.measure.device import CpuDevice, CudaDevice
from pytest_pareto.measure.loop import Round
from pytest_pareto.measure.meters.latency import event_time_measurement, latency_measurement
from pytest_pareto.model.metric import EVENT_TIME, LATENCY


def _rounds(*wall_s: float, event_s: float | None = None) -> list[Round]:
    return [Round(0, round(each * 1e9), event_s) for each in wall_s]


class TestLatency:
    def test_readings_are_the_rounds_and_the_first_call_is_separate(self) -> None:
        latency = latency_measurement(_rounds(0.1, 0.2, 0.3), 30.0)
        assert latency.metric is LATENCY
        assert latency.values == pytest.approx((0.1, 0.2, 0.3))
        assert latency.first == 30.0
        assert latency.notes == ()

    def test_readings_of_zero_carry_a_note(self) -> None:
        (note,) = latency_measurement(_rounds(0.0, 0.1, 0.0, 0.1), None).notes
        assert note.startswith("2 of 4 readings are 0 s: the clock cannot resolve this call")

    def test_the_overhead_is_noted_where_it_matters(self) -> None:
        (note,) = latency_measurement(_rounds(2e-6, 4e-6, 9e-6), None, 0.4e-6).notes
        assert note.startswith(
            "about 0.4 µs of each reading (10 %) is the measuring itself; repeat"
        )
        assert latency_measurement(_rounds(21e-6), None, 0.4e-6).notes == ()


class TestEventTime:
    def test_readings_are_the_devices(self, fake_torch: Any) -> None:
        found = event_time_measurement(
            _rounds(0.1, 0.1, event_s=0.2), CudaDevice(fake_torch.cuda, (0,))
        )
        assert found.metric is EVENT_TIME
        assert found.values == (0.2, 0.2)
        assert (found.first, found.notes) == (None, ())

    def test_those_of_one_device_among_several_have_a_note(self, fake_torch: Any) -> None:
        device = CudaDevice(fake_torch.cuda, (0, 2))
        found = event_time_measurement(_rounds(0.1, event_s=0.2), device)
        assert found.notes == ("events of the current device only, of 2 in use",)

    def test_without_events_it_is_absent(self) -> None:
        found = event_time_measurement(_rounds(0.1), CpuDevice())
        assert found.absent == "no CUDA device was used"


class TestThinning:
    @pytest.mark.parametrize(
        ("made", "kept"), [(1, 1), (999, 999), (1000, 1000), (1001, 501), (5000, 1000)]
    )
    def test_at_most_a_thousand_readings_are_kept_evenly(
        self, fake_torch: Any, made: int, kept: int
    ) -> None:
        rounds = [Round(0, number, number / 1e9) for number in range(1, made + 1)]
        latency = latency_measurement(rounds, None)
        assert len(latency.values) == kept
        steps = {later - sooner for sooner, later in pairwise(latency.values)}
        assert max(steps, default=0.0) == pytest.approx(min(steps, default=0.0))
        assert latency.values[0] == 1e-9
        assert latency.values[-1] > 0.99 * made / 1e9 - 1e-9
        assert event_time_measurement(rounds, CpuDevice()).values == pytest.approx(latency.values)

    def test_readings_of_zero_are_counted_before(self) -> None:
        (note,) = latency_measurement(_rounds(*[0.0, 0.1] * 1000), None).notes
        assert note.startswith("1000 of 2000 readings are 0 s")
