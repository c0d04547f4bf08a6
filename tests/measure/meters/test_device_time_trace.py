import json
import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from pytest_pareto.measure.meters.device_time import read_activity

if TYPE_CHECKING:
    from tests.measure.chrome_trace import ChromeTrace

LAUNCHES = (
    "cudaLaunchKernel",
    "cudaLaunchKernelExC",
    "cudaLaunchCooperativeKernel",
    "cuLaunchKernel",
    "cuLaunchKernelEx",
    "cudaGraphLaunch",
    "cuGraphLaunch",
)


def test_durations_are_summed_in_seconds(trace: "ChromeTrace") -> None:
    trace.launch(1500.0)
    trace.launch(0.25)
    found = read_activity(trace.json())
    assert found.device_s == pytest.approx(1500.25e-6)
    assert found.durations_s == pytest.approx((1500e-6, 0.25e-6))
    assert (found.kernels, found.launches, found.lost) == (2, 2, 0)


def test_what_stays_on_the_gpu_counts_and_what_crosses_is_counted_apart(
    trace: "ChromeTrace",
) -> None:
    trace.launch(1000.0)
    trace.memset(30.0)
    trace.copy("DtoD", 200.0)
    inside = read_activity(trace.json())
    assert inside.device_s == pytest.approx(1230e-6)
    assert (inside.kernels, inside.host_copies) == (1, 0)
    trace.copy("HtoD", 7000.0)
    trace.copy("DtoH", 9000.0)
    found = read_activity(trace.json())
    assert found.device_s == inside.device_s
    assert (found.kernels, found.host_copies) == (1, 2)
    assert found.lost == 0


def test_a_copy_between_gpus_stays_on_gpus(trace: "ChromeTrace") -> None:
    trace.copy("PtoP", 50.0)
    found = read_activity(trace.json())
    assert found.device_s == pytest.approx(50e-6)
    assert found.host_copies == 0


def test_what_is_no_work_of_a_gpu_takes_none(trace: "ChromeTrace") -> None:
    trace.launch(1000.0)
    for cat in ("cpu_op", "gpu_user_annotation", "python_function", "overhead", "cuda_sync"):
        trace.work(cat, "Memcpy DtoD", 5e5, 1)
    trace.events.append({"ph": "i", "cat": "kernel", "name": "instant", "dur": 5e5})
    found = read_activity(trace.json())
    assert found.device_s == pytest.approx(1000e-6)
    assert found.kernels == 1
    # Negative control: a sum over all events would be far off.
    assert sum(event.get("dur", 0.0) for event in trace.events) > 1e6


class TestLaunches:
    @pytest.mark.parametrize("name", LAUNCHES)
    def test_each_way_of_launching_is_known(self, trace: "ChromeTrace", name: str) -> None:
        trace.launch(10.0, by=name)
        assert read_activity(trace.json()).lost == 0
        trace.launch(by=name)
        found = read_activity(trace.json())
        assert (found.launches, found.lost) == (2, 1)

    def test_a_graph_launches_many_kernels_at_once(self, trace: "ChromeTrace") -> None:
        trace.launch(*[2.0] * 300, by="cudaGraphLaunch")
        found = read_activity(trace.json())
        assert (found.kernels, found.launches, found.lost) == (300, 1, 0)
        assert found.device_s == pytest.approx(600e-6)

    @pytest.mark.parametrize("work", ["gpu_memcpy", "gpu_memset"])
    def test_a_graph_without_a_kernel_is_not_lost(self, trace: "ChromeTrace", work: str) -> None:
        number = trace.call("cudaGraphLaunch")
        trace.work(work, "Memcpy DtoD", 3.0, number)
        assert read_activity(trace.json()).lost == 0

    def test_a_function_of_the_host_in_the_queue_is_no_launch(self, trace: "ChromeTrace") -> None:
        trace.call("cudaLaunchHostFunc")
        trace.call("cuLaunchHostFunc", cat="cuda_driver")
        found = read_activity(trace.json())
        assert (found.launches, found.lost) == (0, 0)

    def test_lost_ones_are_counted_though_others_came_through(self, trace: "ChromeTrace") -> None:
        for number in range(10):
            trace.launch(*[5.0] * (number < 7))
        found = read_activity(trace.json())
        assert (found.kernels, found.launches, found.lost) == (7, 10, 3)

    def test_kernels_whose_launch_was_before_the_trace_are_none_lost(
        self, trace: "ChromeTrace"
    ) -> None:
        trace.work("kernel", "late", 5.0, 99)
        found = read_activity(trace.json())
        assert (found.kernels, found.launches, found.lost) == (1, 0, 0)


class TestWaits:
    @pytest.mark.parametrize(
        "name",
        [
            "cudaStreamSynchronize",
            "cudaEventSynchronize",
            "cuStreamSynchronize",
            "hipStreamSynchronize",
        ],
    )
    def test_waiting_for_some_work_is_a_wait(self, trace: "ChromeTrace", name: str) -> None:
        trace.call(name)
        found = read_activity(trace.json())
        assert (found.host_waits, found.device_waits) == (1, 0)

    def test_waiting_for_all_work_is_one_of_the_device(self, trace: "ChromeTrace") -> None:
        trace.call("cudaDeviceSynchronize")
        found = read_activity(trace.json())
        assert (found.host_waits, found.device_waits) == (1, 1)

    @pytest.mark.parametrize("name", ["cudaStreamWaitEvent", "cudaEventQuery", "cudaEventRecord"])
    def test_what_does_not_hold_the_host_is_none(self, trace: "ChromeTrace", name: str) -> None:
        trace.call(name)
        assert read_activity(trace.json()).host_waits == 0


class TestPerCall:
    def test_calls_are_separated_by_the_order_of_their_work(self, trace: "ChromeTrace") -> None:
        for scale in (1.0, 2.0, 3.0):
            trace.launch(100.0 * scale)
            trace.memset(10.0 * scale)
        random.Random(0).shuffle(trace.events)
        found = read_activity(trace.json())
        assert found.per_call(3) == pytest.approx((110e-6, 220e-6, 330e-6))
        # As two calls they would have had a kernel and two memsets, and the other way round.
        assert found.per_call(2) is None

    def test_copies_across_do_not_disturb_it(self, trace: "ChromeTrace") -> None:
        trace.copy("HtoD", 99.0)
        trace.launch(100.0)
        trace.launch(200.0)
        assert read_activity(trace.json()).per_call(2) == pytest.approx((100e-6, 200e-6))

    @pytest.mark.parametrize("kernels", [1, 2, 4, 7])
    def test_calls_with_different_numbers_cannot_be_separated(
        self, trace: "ChromeTrace", kernels: int
    ) -> None:
        trace.launch(*[60.0] * kernels)
        assert read_activity(trace.json()).per_call(3) is None

    def test_streams_may_start_their_kernels_in_another_order(self, trace: "ChromeTrace") -> None:
        for names in (("a", "b"), ("b", "a")):
            for name in names:
                trace.work("kernel", name, 10.0, 1)
        assert read_activity(trace.json()).per_call(2) == pytest.approx((20e-6, 20e-6))

    def test_calls_that_differ_are_noticed_though_their_sum_divides(
        self, trace: "ChromeTrace"
    ) -> None:
        for names in (("a", "b", "c"), ("a", "b", "c", "d", "e")):
            for name in names:
                trace.work("kernel", name, 10.0, 1)
        assert read_activity(trace.json()).per_call(2) is None

    def test_kernels_that_overlap_both_count(self, trace: "ChromeTrace") -> None:
        for number in (1, 2):
            trace.work("kernel", "wide", 1000.0, number)
            trace.events[-1]["ts"] = 50.0 + number
        assert read_activity(trace.json()).device_s == pytest.approx(2000e-6)


@pytest.mark.parametrize("text", [b"", b"not JSON", b"[1, 2", b"{}", b'{"traceEvents": 1}'])
def test_what_is_no_trace_is_an_error(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_activity(text)


def test_a_trace_that_was_cut_off_is_an_error(trace: "ChromeTrace") -> None:
    trace.launch(1000.0)
    with pytest.raises(msgspec.DecodeError):
        read_activity(trace.json()[:-40])


def test_fields_that_torch_may_add_do_not_matter(trace: "ChromeTrace") -> None:
    trace.launch(1000.0)
    whole = json.loads(trace.json())
    whole["distributedInfo"] = {"rank": 0}
    for event in whole["traceEvents"]:
        event["new"] = [1, None, {}]
    assert read_activity(json.dumps(whole).encode()).kernels == 1
