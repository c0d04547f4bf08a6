from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.measure.trace import read_profile
from tests.measure.chrome_trace import Timeline, counts, micro, values


@pytest.fixture
def line() -> Timeline:
    return Timeline()


class TestTime:
    """A call from 0 to 100 µs, and the wait for its end until 120 µs."""

    @pytest.fixture
    def line(self) -> Timeline:
        line = Timeline()
        line.named_call(0, 100, 120)
        return line

    def latency(self, line: Timeline) -> dict[str, float]:
        return micro(read_profile(line.json())["latency"])

    def test_a_call_without_operations_is_python_and_the_wait(self, line: Timeline) -> None:
        assert self.latency(line) == {"Python": 100, "waiting for the GPU": 20}

    def test_an_operation_has_what_no_operation_within_it_has(self, line: Timeline) -> None:
        line.module("Net", 10, 90)
        line.span("aten::linear", 20, 60)
        line.span("aten::addmm", 30, 50)
        assert self.latency(line) == {
            "aten::linear in Net": 20,
            "aten::addmm in Net": 20,
            "Python in Net": 40,
            "Python": 20,
            "waiting for the GPU": 20,
        }

    def test_the_innermost_module_is_the_place(self, line: Timeline) -> None:
        line.module("Net", 0, 100)
        line.span("aten::checkpoint", 10, 90)
        line.module("Net.fc", 20, 80)
        line.span("aten::mm", 30, 70)
        assert self.latency(line) == {
            "Python in Net": 20,
            "aten::checkpoint in Net": 20,
            "Python in Net.fc": 20,
            "aten::mm in Net.fc": 40,
            "waiting for the GPU": 20,
        }

    def test_a_kernel_goes_before_what_the_host_does_meanwhile(self, line: Timeline) -> None:
        line.span("aten::mm", 0, 40)
        line.work("gemm", 30, 110, line.cuda("cudaLaunchKernel", 10, 15))
        assert self.latency(line) == {"aten::mm": 30, "gemm": 80, "waiting for the GPU": 10}

    def test_a_kernel_keeps_the_module_that_launched_it(self, line: Timeline) -> None:
        line.module("Net.first", 0, 20)
        line.work("gemm", 60, 70, line.cuda("cudaLaunchKernel", 5, 10))
        line.module("Net.second", 50, 100)
        assert self.latency(line)["gemm in Net.first"] == 10
        assert self.latency(line)["Python in Net.second"] == 40

    def test_of_overlapping_kernels_the_later_has_the_rest(self, line: Timeline) -> None:
        line.work("one", 10, 50, line.cuda("cudaLaunchKernel", 0, 5), tid=7)
        line.work("two", 30, 80, line.cuda("cudaLaunchKernel", 5, 10), tid=8)
        line.work("within", 40, 45, line.cuda("cudaLaunchKernel", 80, 85), tid=9)
        found = self.latency(line)
        assert (found["one"], found["two"]) == (40, 30)
        assert "within" not in found

    def test_the_kernels_of_a_graph_have_one_launch(self, line: Timeline) -> None:
        line.module("Net", 0, 30)
        number = line.cuda("cudaGraphLaunch", 10, 20)
        for start in (20, 40, 60):
            line.work("gemm", start, start + 15, number)
        profile = read_profile(line.json())
        assert micro(profile["latency"])["gemm in Net"] == 45
        assert values(profile["kernels"]) == {"gemm in Net": 3}
        assert values(profile["launches"]) == {"cudaGraphLaunch in Net": 1}

    def test_operations_of_other_threads_fill_gaps_of_the_calling_one(self, line: Timeline) -> None:
        line.span("aten::sum", 0, 30)
        line.span("aten::mm", 20, 70, tid=2)
        assert self.latency(line) == {
            "aten::sum": 30,
            "aten::mm": 40,
            "Python": 30,
            "waiting for the GPU": 20,
        }

    def test_what_other_threads_do_between_operations_is_nothing(self, line: Timeline) -> None:
        line.span("module Other", 0, 100, cat="user_annotation", tid=2)
        assert self.latency(line) == {"Python": 100, "waiting for the GPU": 20}

    def test_a_call_of_cuda_is_named_with_the_operation_that_makes_it(self, line: Timeline) -> None:
        line.module("Net", 0, 100)
        line.span("aten::item", 10, 60)
        line.cuda("cudaStreamSynchronize", 20, 50)
        line.cuda("cudaDeviceSynchronize", 70, 80)
        line.span("aten::mm", 80, 100)
        line.cuda("cuLaunchKernelEx", 85, 95, cat="cuda_driver")
        assert self.latency(line) == {
            "cudaStreamSynchronize of aten::item in Net": 30,
            "aten::item in Net": 20,
            "cudaDeviceSynchronize in Net": 10,
            "aten::mm in Net": 20,
            "Python in Net": 20,
            "waiting for the GPU": 20,
        }

    def test_the_wait_for_the_end_is_one_part_whatever_it_calls(self, line: Timeline) -> None:
        line.cuda("cudaDeviceSynchronize", 105, 119)
        profile = read_profile(line.json())
        assert micro(profile["latency"]) == {"Python": 100, "waiting for the GPU": 20}
        assert set(counts(profile["latency"]).values()) == {None}

    def test_what_lies_around_the_call_is_none_of_it(self, line: Timeline) -> None:
        line.span("aten::rand", -50, -10)
        line.span("aten::rand", 130, 150)
        line.work("fill", 140, 190, line.cuda("cudaLaunchKernel", 135, 138))
        assert self.latency(line) == {"Python": 100, "waiting for the GPU": 20}

    def test_of_several_calls_it_is_the_median(self, line: Timeline) -> None:
        for start, length in ((1000, 10), (2000, 90)):
            line.named_call(start, start + 100, start + 110)
            line.span("aten::mm", start, start + length)
        line.span("aten::mm", 0, 30)
        found = self.latency(line)
        assert found["aten::mm"] == 30  # of 10, 30, and 90
        assert found["waiting for the GPU"] == 10  # of 20, 10, and 10

    def test_what_happens_in_few_calls_is_nothing_in_the_median(self, line: Timeline) -> None:
        for start in (1000, 2000):
            line.named_call(start, start + 100, start + 110)
        line.span("gc", 0, 90)
        assert "gc" not in self.latency(line)

    def test_how_often_is_of_one_call(self, line: Timeline) -> None:
        line.named_call(1000, 1100, 1110)
        for start in (0, 1000):
            line.module("Net", start, start + 100)
            for at in (10, 20, 30):
                line.span("aten::mm", start + at, start + at + 5)
                number = line.cuda("cudaLaunchKernel", start + at + 1, start + at + 2)
                line.work("gemm", start + at + 6, start + at + 8, number)
        found = counts(read_profile(line.json())["latency"])
        assert found == {
            "aten::mm in Net": 3,
            "gemm in Net": 3,
            "Python in Net": None,
            "waiting for the GPU": None,
        }


@st.composite
def nested(draw: st.DrawFn, start: float, stop: float, depth: int = 0) -> Any:
    """Return spans within a stretch of time: name, start, stop; each within the one around it."""
    cuts = sorted(draw(st.lists(st.floats(start, stop), max_size=6)))
    found = []
    for first, last in zip(cuts[::2], cuts[1::2], strict=False):
        name = draw(st.sampled_from(["aten::a", "aten::b", "module Net", "module Net.fc"]))
        found.append((name, first, last))
        if depth < 3:
            found += draw(nested(first, last, depth + 1))
    return found


@given(
    draws=st.data(),
    kernels=st.lists(st.tuples(st.floats(-20, 130), st.floats(0, 60)), max_size=6),
    asked=st.floats(1, 99),
)
def test_the_parts_add_up_to_the_time_of_the_call(
    draws: st.DataObject, kernels: list[tuple[float, float]], asked: float
) -> None:
    line = Timeline()
    line.named_call(0, asked, 100)
    for thread in (1, 2):
        for name, start, stop in draws.draw(nested(0, asked)):
            cat = "user_annotation" if name.startswith("module") else "cpu_op"
            line.span(name, start, stop, cat=cat, tid=thread)
    for start, length in kernels:
        line.work("gemm", start, start + length, line.cuda("cudaLaunchKernel", start, start))
    assert read_profile(line.json())["latency"].total == pytest.approx(100e-6, abs=1e-12)


class TestStreams:
    """A stream whose first item is there after 40 of 100 µs."""

    @pytest.fixture
    def line(self) -> Timeline:
        line = Timeline()
        line.named_call(0, 90, 100, first=40)
        line.cuda("cudaDeviceSynchronize", 38.5, 39.5)
        line.span("aten::prefill", 0, 30)
        line.span("aten::decode", 50, 80)
        return line

    def test_its_time_is_divided_at_the_first_item(self, line: Timeline) -> None:
        profile = read_profile(line.json(), items=1)
        assert micro(profile["time_to_first_item"]) == {
            "aten::prefill": 30,
            "Python": 8,
            "waiting for the GPU": 2,
        }
        assert "time_per_item" not in profile

    def test_the_rest_is_shared_by_the_items_after_the_first(self, line: Timeline) -> None:
        profile = read_profile(line.json(), items=4)
        assert micro(profile["time_per_item"]) == {
            "aten::decode": 10,
            "Python": pytest.approx(20 / 3),
            "waiting for the GPU": pytest.approx(10 / 3),
        }
        assert counts(profile["time_per_item"])["aten::decode"] == pytest.approx(1 / 3)
        assert micro(profile["latency"])["aten::prefill"] == 30

    def test_the_wait_for_the_first_item_is_in_no_module(self, line: Timeline) -> None:
        line.module("Net", 0, 90)
        assert micro(read_profile(line.json(), items=1)["time_to_first_item"]) == {
            "aten::prefill in Net": 30,
            "Python in Net": 8,
            "waiting for the GPU": 2,
        }

    def test_the_wait_for_the_first_item_is_none_of_the_calls_own(self, line: Timeline) -> None:
        assert values(read_profile(line.json(), items=4)["host_waits"]) == {}

    def test_a_call_that_is_no_stream_has_none(self, line: Timeline) -> None:
        assert not {"time_to_first_item", "time_per_item"} & read_profile(line.json()).keys()

    def test_an_empty_stream_has_no_first_item(self) -> None:
        line = Timeline()
        line.named_call(0, 10, 20)
        assert not {"time_to_first_item", "time_per_item"} & read_profile(line.json(), 0).keys()


class TestTraces:
    def test_without_named_calls_there_is_nothing(self, line: Timeline) -> None:
        line.span("aten::mm", 0, 30)
        assert read_profile(line.json()) == {}
        assert read_profile(b'{"traceEvents": []}') == {}

    @pytest.mark.parametrize(
        "trace", [b"", b"{", b"[]", b'{"traceEvents": 1}', b'{"traceEvents": [{"ts": "now"}]}']
    )
    def test_what_is_no_trace_is_an_error(self, trace: bytes) -> None:
        with pytest.raises(msgspec.DecodeError):
            read_profile(trace)
