from statistics import median
from typing import Any

import pytest

from pytest_pareto.measure.device import CudaDevice
from pytest_pareto.measure.meters import latency
from pytest_pareto.measure.meters.latency import HostReference, drop_reference_if_gpu_bound
from pytest_pareto.model.metric import DEVICE_TIME, HOST_REFERENCE, KERNELS, LATENCY
from pytest_pareto.model.run import Measurement


def _beside_calls(fake_torch: Any, *, call_s: float, window_s: float) -> tuple[Measurement, float]:
    """Run the reference between calls; return it, and the length of the window (s)."""
    clock = fake_torch.cuda.clock
    found = HostReference(CudaDevice(fake_torch.cuda, (0,)), clock)
    began_ns = clock()
    elapsed_s = 0.0
    while elapsed_s < window_s:
        clock.advance(call_s)
        elapsed_s = (clock() - began_ns) / 1e9
        found.catch_up(elapsed_s)
    return found.measurement(), (clock() - began_ns) / 1e9


class TestTheLoop:
    @pytest.mark.parametrize("call_s", [0.0005, 0.01, 0.9])
    def test_it_takes_a_fiftieth_of_the_window_and_no_more(
        self, fake_torch: Any, call_s: float
    ) -> None:
        found, window_s = _beside_calls(fake_torch, call_s=call_s, window_s=5.0)
        assert found.metric is HOST_REFERENCE
        assert 0.015 < sum(found.values) / window_s <= 0.02

    def test_the_same_check_fails_with_a_greater_share(
        self, fake_torch: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(latency, "_TIME_SHARE", 0.03)
        found, window_s = _beside_calls(fake_torch, call_s=0.01, window_s=5.0)
        assert sum(found.values) / window_s > 0.02

    def test_readings_are_of_the_launches(self, fake_torch: Any) -> None:
        found, _ = _beside_calls(fake_torch, call_s=0.01, window_s=1.0)
        assert found.values == pytest.approx([300 * 5e-6] * len(found.values), rel=0.01)

    def test_a_slow_host_slows_the_reference(self, fake_torch: Any) -> None:
        usual, _ = _beside_calls(fake_torch, call_s=0.01, window_s=1.0)
        fake_torch.cuda.launch_s *= 1.1
        slow, _ = _beside_calls(fake_torch, call_s=0.01, window_s=1.0)
        assert median(slow.values) / median(usual.values) == pytest.approx(1.1, rel=0.01)

    def test_work_that_is_still_queued_is_not(self, fake_torch: Any) -> None:
        found = HostReference(CudaDevice(fake_torch.cuda, (0,)), fake_torch.cuda.clock)
        fake_torch.cuda.launch(0.5)
        found.catch_up(0.1)
        assert found.measurement().values == pytest.approx([300 * 5e-6], rel=0.01)

    def test_one_slow_loop_is_compensated(self, fake_torch: Any) -> None:
        cuda = fake_torch.cuda
        found = HostReference(CudaDevice(cuda, (0,)), cuda.clock)
        cuda.launch_s = 1e-3  # a delay: 0.3 s, as much as 15 s of window allow
        found.catch_up(0.1)
        cuda.launch_s = 5e-6
        found.catch_up(14.0)
        assert len(found.measurement().values) == 1
        found.catch_up(31.0)
        assert len(found.measurement().values) > 1

    def test_a_short_window_has_none(self, fake_torch: Any) -> None:
        found, _ = _beside_calls(fake_torch, call_s=0.01, window_s=0.07)
        assert found.absent == "the window was too short to spend 2 % of it on the reference"
        found, _ = _beside_calls(fake_torch, call_s=0.01, window_s=0.08)
        assert len(found.values) == 1


def _measured(
    *, latency: tuple[float, ...] = (0.1,), device_time: tuple[float, ...] = (0.05,)
) -> list[Measurement]:
    return [
        Measurement(LATENCY, latency),
        Measurement(HOST_REFERENCE, (0.002,)),
        Measurement(DEVICE_TIME, device_time),
        Measurement(KERNELS, (7.0,)),
    ]


class TestUnlessGpuBound:
    @pytest.mark.parametrize("device_s", [0.001, 0.05, 0.0899])
    def test_a_call_that_waits_for_its_host_keeps_it(self, device_s: float) -> None:
        measured = _measured(device_time=(device_s,))
        assert drop_reference_if_gpu_bound(measured, 1) == tuple(measured)

    @pytest.mark.parametrize(("device_s", "reported"), [(0.0901, "90 %"), (0.0985, "98 %")])
    def test_a_call_that_fills_the_gpu_loses_it_and_nothing_else(
        self, device_s: float, reported: str
    ) -> None:
        measured = _measured(device_time=(device_s,))
        found = drop_reference_if_gpu_bound(measured, 1)
        assert [each.metric for each in found] == [each.metric for each in measured]
        assert found[1].absent is not None
        assert f"{reported} of the call: the host is no bottleneck" in found[1].absent
        assert [found[0], *found[2:]] == [measured[0], *measured[2:]]

    def test_several_gpus_share_it(self) -> None:
        measured = _measured(device_time=(0.095,))
        assert drop_reference_if_gpu_bound(measured, 2) == tuple(measured)
        assert drop_reference_if_gpu_bound(measured, 1) != tuple(measured)

    @pytest.mark.parametrize(
        ("latency", "device_time"), [((0.1, 0.1, 9.0), (0.05,)), ((0.1,), (0.5, 0.05, 0.05))]
    )
    def test_a_single_hiccup_does_not_decide(
        self, latency: tuple[float, ...], device_time: tuple[float, ...]
    ) -> None:
        measured = _measured(latency=latency, device_time=device_time)
        assert drop_reference_if_gpu_bound(measured, 1) == tuple(measured)

    @pytest.mark.parametrize("without", [LATENCY, DEVICE_TIME, HOST_REFERENCE])
    def test_where_one_of_them_was_not_measured_nothing_changes(self, without: object) -> None:
        measured = _measured(device_time=(0.099,))
        assert drop_reference_if_gpu_bound(measured, 1) != tuple(measured)
        left = [each for each in measured if each.metric is not without]
        assert drop_reference_if_gpu_bound(left, 1) == tuple(left)
        gone = [
            Measurement(each.metric, absent="no permission") if each.metric is without else each
            for each in measured
        ]
        assert drop_reference_if_gpu_bound(gone, 1) == tuple(gone)
