import gzip
from pathlib import Path

import pytest

from pytest_pareto.measure.trace import kernel_name, read_profile
from pytest_pareto.model.attribution import Breakdown
from tests.measure.chrome_trace import Timeline, micro, values

RECORDINGS = Path(__file__).parents[1] / "data" / "h200_traces"


class TestCounts:
    """Of two calls, with what lies around them and in their waits."""

    @pytest.fixture
    def line(self) -> Timeline:
        line = Timeline()
        for start in (0, 1000):
            line.named_call(start, start + 100, start + 120)
            line.cuda("cudaDeviceSynchronize", start + 102, start + 118)
            line.module("Net", start, start + 100)
            line.span("aten::late", start + 105, start + 110, tid=2)
        for outside in (-50, 500, 1200):
            line.span("aten::outside", outside, outside + 30)
            line.cuda("cudaStreamSynchronize", outside + 1, outside + 2)
            line.cuda("cudaMalloc", outside + 3, outside + 4)
            line.work("outside", outside, outside, line.cuda("cudaLaunchKernel", outside, outside))
        return line

    def test_operations_and_what_they_ask_of_cuda(self, line: Timeline) -> None:
        for start in (0, 1000):
            line.span("aten::linear", start + 10, start + 90)
            line.span("aten::mm", start + 20, start + 80)
            line.span("ProfilerStep", start + 21, start + 22, cat="user_annotation")
            line.span("without a namespace", start + 23, start + 24)
            line.span("autograd::engine::evaluate_function: MmBackward0", start + 25, start + 26)
            line.span("torch::autograd::AccumulateGrad", start + 27, start + 28)
            line.cuda("cudaMalloc", start + 30, start + 35)
            line.cuda("cudaLaunchHostFunc", start + 36, start + 37)
            number = line.cuda("cudaLaunchKernel", start + 40, start + 45)
            line.work("gemm", start + 130, start + 140, number)
            line.cuda("cudaEventSynchronize", start + 50, start + 55)
        profile = read_profile(line.json())
        assert values(profile["dispatches"]) == {"aten::linear in Net": 1, "aten::mm in Net": 1}
        assert values(profile["launches"]) == {"aten::mm in Net": 1}
        assert values(profile["allocations"]) == {"cudaMalloc of aten::mm in Net": 1}
        assert values(profile["host_waits"]) == {"cudaEventSynchronize of aten::mm in Net": 1}
        assert values(profile["kernels"]) == {"gemm in Net": 1}
        assert micro(profile["device_time"]) == {"gemm in Net": 10}

    def test_a_call_that_does_nothing_has_none(self, line: Timeline) -> None:
        profile = read_profile(line.json())
        for name in ("dispatches", "launches", "allocations", "host_waits", "kernels"):
            assert profile[name] == Breakdown(())

    def test_what_not_every_call_does_is_a_fraction(self, line: Timeline) -> None:
        line.span("aten::mm", 1010, 1020)
        assert values(read_profile(line.json())["dispatches"]) == {"aten::mm in Net": 0.5}

    def test_copies_between_host_and_gpu_are_by_kind(self, line: Timeline) -> None:
        kinds = [
            "Memcpy HtoD (Pageable -> Device)",
            "Memcpy HtoD (Pinned -> Device)",
            "Memcpy DtoH (Device -> Pinned)",
        ]
        for start in (0, 1000):
            for at, kind in enumerate([*kinds, kinds[0], "Memcpy DtoD (Device -> Device)"]):
                number = line.cuda("cudaMemcpyAsync", start + 10 * at, start + 10 * at + 5)
                line.work(kind, start + 10 * at, start + 10 * at + 5, number, cat="gpu_memcpy")
            number = line.cuda("cudaMemsetAsync", start + 90, start + 91)
            line.work("Memset (Device)", start + 90, start + 93, number, cat="gpu_memset")
        profile = read_profile(line.json())
        assert values(profile["host_copies"]) == {
            f"{kinds[0]} in Net": 2,
            f"{kinds[1]} in Net": 1,
            f"{kinds[2]} in Net": 1,
        }
        assert values(profile["kernels"]) == {}
        assert micro(profile["device_time"]) == {
            "Memcpy DtoD (Device -> Device) in Net": 5,
            "Memset (Device) in Net": 3,
        }


class TestPeaks:
    """Of the last of two calls, from 1000 to 1100 µs."""

    @pytest.fixture
    def line(self) -> Timeline:
        line = Timeline()
        for start in (0, 1000):
            line.named_call(start, start + 100, start + 120)
            line.module("Net", start, start + 90)
            line.span("aten::mm", start + 10, start + 30)
            line.span("aten::add", start + 40, start + 60)
        return line

    def peak(self, line: Timeline, name: str = "host_peak_memory") -> dict[str, float]:
        return values(read_profile(line.json())[name])

    def test_what_is_there_at_the_same_time(self, line: Timeline) -> None:
        line.memory(1015, 1, 100)
        line.memory(1045, 2, 50)
        line.memory(1065, 2, -50)
        assert self.peak(line) == {"aten::mm in Net": 100, "aten::add in Net": 50}

    def test_not_what_was_freed_before(self, line: Timeline) -> None:
        line.memory(1015, 1, 100)
        line.memory(1016, 2, 30)
        line.memory(1020, 1, -100)
        line.memory(1045, 3, 90)
        assert self.peak(line) == {"aten::mm in Net": 130}
        line.memory(1046, 4, 20)
        assert self.peak(line) == {"aten::mm in Net": 30, "aten::add in Net": 110}

    def test_an_operation_within_an_operation_is_the_one_that_allocates(
        self, line: Timeline
    ) -> None:
        line.span("aten::empty", 1014, 1016)
        line.cuda("cudaMalloc", 1014.5, 1015.5)
        line.memory(1015, 1, 100)
        line.memory(1017, 2, 10)
        assert self.peak(line) == {"aten::empty in Net": 100, "aten::mm in Net": 10}

    def test_outside_of_operations_it_is_python(self, line: Timeline) -> None:
        line.memory(1035, 1, 100)
        line.memory(1095, 2, 10)
        assert self.peak(line) == {"Python in Net": 100, "Python": 10}

    def test_what_was_there_before_and_is_freed_makes_room(self, line: Timeline) -> None:
        line.memory(15, 1, 100)  # by the call before
        line.memory(1020, 1, -100)
        line.memory(1045, 2, 160)
        assert self.peak(line) == {"aten::add in Net": 160, "aten::mm in Net": -100}

    def test_what_only_makes_room_has_no_peak(self, line: Timeline) -> None:
        line.memory(15, 1, 100)
        line.memory(1020, 1, -100)
        line.memory(1045, 2, 60)
        assert self.peak(line) == {}

    def test_a_free_of_an_unknown_address_is_nothing(self, line: Timeline) -> None:
        line.memory(1012, 9, -1000)
        line.memory(1015, 1, 100)
        assert self.peak(line) == {"aten::mm in Net": 100}

    def test_an_address_that_is_used_again_belongs_to_the_later_one(self, line: Timeline) -> None:
        line.memory(1015, 1, 100)
        line.memory(1018, 1, -100)
        line.memory(1045, 1, 70)
        line.memory(1046, 2, 80)
        line.memory(1050, 1, -70)
        line.memory(1055, 3, 10)
        assert self.peak(line) == {"aten::add in Net": 150}

    def test_at_the_same_time_their_numbers_say_the_order(self, line: Timeline) -> None:
        line.memory(1015, 1, 100)
        line.memory(1020, 1, -100)
        line.memory(1020, 2, 90)
        line.events = [*line.events[:-2], *reversed(line.events[-2:])]
        assert sum(self.peak(line).values()) == 100

    def test_what_comes_after_the_call_is_none_of_it(self, line: Timeline) -> None:
        line.memory(1015, 1, 100)
        line.memory(1130, 2, 900)
        assert self.peak(line) == {"aten::mm in Net": 100}

    def test_each_type_of_device_has_its_own(self, line: Timeline) -> None:
        line.memory(1015, 1, 100, device=1)
        line.memory(1016, 1, 30)
        line.memory(1017, 2, 5, device=9)
        assert self.peak(line, "peak_memory") == {"aten::mm in Net": 100}
        assert self.peak(line) == {"aten::mm in Net": 30}

    def test_without_allocations_there_is_none(self, line: Timeline) -> None:
        assert not {"peak_memory", "host_peak_memory"} & read_profile(line.json()).keys()


@pytest.fixture(params=["attention_fused", "attention_in_parts"], scope="module")
def recording(request: pytest.FixtureRequest) -> tuple[str, dict[str, Breakdown]]:
    trace = gzip.decompress((RECORDINGS / f"{request.param}.json.gz").read_bytes())
    return request.param, read_profile(trace)


class TestRecordings:
    """Of an H200: attention by one kernel, and in parts; 20 named calls each."""

    def test_counts_and_the_peak_are_those_that_were_measured(
        self, recording: tuple[str, dict[str, Breakdown]]
    ) -> None:
        name, profile = recording
        fused = name == "attention_fused"
        truth: dict[str, float] = {
            "kernels": 3 if fused else 10,
            "launches": 3 if fused else 10,
            "dispatches": 35 if fused else 71,
            "host_copies": 0,
            "host_waits": 0,
            "allocations": 0,
            "peak_memory": 20_971_520 if fused else 79_691_776,
        }
        assert {metric: profile[metric].total for metric in truth} == truth

    def test_every_part_of_the_work_has_its_module(
        self, recording: tuple[str, dict[str, Breakdown]]
    ) -> None:
        name, profile = recording
        places = {part.name.rpartition(" in ")[2] for part in profile["kernels"].parts}
        assert places == {"Attention", "Attention.qkv", "Attention.out"}
        kernels = {part.name.partition(" in ")[0] for part in profile["kernels"].parts}
        if name == "attention_fused":
            assert any(kernel.startswith("cudnn") for kernel in kernels)
        else:
            assert {
                "softmax_warp_forward",
                "vectorized_elementwise_kernel<MulFunctor>",
            } <= kernels

    def test_what_the_peak_holds(self, recording: tuple[str, dict[str, Breakdown]]) -> None:
        name, profile = recording
        tensors = values(profile["peak_memory"])
        assert tensors["aten::addmm in Attention.qkv"] == 12 * 2**20
        if name == "attention_in_parts":
            assert tensors["aten::bmm in Attention"] == 32 * 2**20

    def test_the_latency_is_about_the_time_of_the_calls(
        self, recording: tuple[str, dict[str, Breakdown]]
    ) -> None:
        name, profile = recording
        assert profile["latency"].total == pytest.approx(
            2.5e-4 if name == "attention_fused" else 3.5e-4, rel=0.15
        )


ELEMENTWISE = "void at::native::vectorized_elementwise_kernel<4, at::native::"
DIRECT_COPY = (
    "at::native::direct_copy_kernel_cuda(at::TensorIteratorBase&)::{lambda()#3}::operator()"
)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("gemm", "gemm"),
        ("void gemm<float>(float*)", "gemm"),
        ("reduce(float const*, int)", "reduce"),
        (
            "void (anonymous namespace)::softmax_warp_forward<float, 9>(float*)",
            "softmax_warp_forward",
        ),
        (
            "void at::native::(anonymous namespace)::CatArrayBatchedCopy<float, 4>(float*)",
            "CatArrayBatchedCopy",
        ),
        (
            f"{ELEMENTWISE}CUDAFunctor_add<float>, std::array<char*, 3ul> >(int)",
            "vectorized_elementwise_kernel<CUDAFunctor_add>",
        ),
        (
            f"{ELEMENTWISE}BUnaryFunctor<float, float, float, at::native::binary_internal::"
            "MulFunctor<float> >, std::array<char*, 2ul> >(int)",
            "vectorized_elementwise_kernel<MulFunctor>",
        ),
        (
            f"void at::native::elementwise_kernel<128, 4, at::native::gpu_kernel_impl<{DIRECT_COPY}"
            "() const::{lambda(float)#1}>(at::TensorIteratorBase&)::{lambda(int)#1}>(int)",
            "elementwise_kernel<direct_copy_kernel_cuda>",
        ),
        (
            "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, "
            "at::native::MeanOps<float, float, float, float>, unsigned int, float, 4, 4> >"
            "(at::native::ReduceOp<float, at::native::MeanOps<float, float, float, float> >)",
            "reduce_kernel<MeanOps>",
        ),
        (
            "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, "
            "at::native::func_wrapper_t<float, at::native::sum_functor<float, float, float>"
            "::operator()(at::TensorIterator&)::{lambda(float, float)#1}>, unsigned int> >(int)",
            "reduce_kernel<sum_functor>",
        ),
        (
            "void cutlass::Kernel2<cutlass_80_tensorop_f16_s16816gemm_relu_f16_64x64_tn_align8>"
            "(cutlass_80_tensorop_f16_s16816gemm_relu_f16_64x64_tn_align8::Params)",
            "Kernel2<cutlass_80_tensorop_f16_s16816gemm_relu_f16_64x64_tn_align8>",
        ),
        (
            "void flash_fwd_kernel<Flash_fwd_kernel_traits<64, 128, 128, 4, cutlass::half_t>,"
            " false>(flash::Flash_fwd_params)",
            "flash_fwd_kernel",
        ),
        ("nvjet_sm90_hsh_64x256_64x5_1x2_h_bz_NNN", "nvjet_sm90_hsh_64x256_64x5_1x2_h_bz_NNN"),
        ("triton_poi_fused_add_relu_0", "triton_poi_fused_add_relu_0"),
        ("Memcpy HtoD (Pinned -> Device)", "Memcpy HtoD (Pinned -> Device)"),
        ("Memset (Device)", "Memset (Device)"),
    ],
)
def test_the_name_of_a_kernel_is_short(name: str, short: str) -> None:
    assert kernel_name(name) == short
