"""Memory of calls on the processor, with the real torch."""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")

from pytest_pareto.measure.measurement import measure_call  # noqa: E402
from pytest_pareto.measure.meters.memory import (  # noqa: E402
    MemoryMeter,
    read_host_peak,
    trace_host_peak,
)
from pytest_pareto.measure.plan import LoopPlan  # noqa: E402
from pytest_pareto.testing import check_meter  # noqa: E402

KiB = 1024


def tensor(size: int = KiB) -> Any:
    return torch.empty(size, dtype=torch.uint8)


def measured(function: Callable[[], object], **options: Any) -> Mapping[str, Any]:
    plan = LoopPlan(rounds=1, warmup=1)
    _, found = measure_call(function, (), {}, meters=[MemoryMeter()], plan=plan, **options)
    return {each.metric.name: each for each in found}


def peak(function: Callable[[], object]) -> float:
    found = measured(function)["host_peak_memory"]
    assert found.absent is None, found.absent
    (value,) = found.values
    assert isinstance(value, float)
    return value


class TestPeak:
    def test_it_is_what_the_call_holds_at_once(self) -> None:
        def function() -> Any:
            first = tensor(10 * KiB)
            del first
            second = tensor(4 * KiB)
            return second, tensor(3 * KiB)

        assert peak(function) == 10 * KiB
        assert peak(lambda: (tensor(4 * KiB), tensor(3 * KiB))) == 7 * KiB

    def test_temporaries_within_an_operation_count(self) -> None:
        x = torch.ones(64, 64)
        # A norm of columns makes more than its result; a matrix product does not.
        assert peak(lambda: x @ x) == 64 * 64 * 4
        assert peak(lambda: torch.linalg.svdvals(x)) > 64 * 64 * 4

    def test_a_planted_temporary_is_seen_to_the_byte(self) -> None:
        model, x = torch.nn.Linear(64, 64), torch.ones(8, 64)

        def planted() -> Any:
            temporary = tensor(48 * KiB + 1)
            result = model(x)
            del temporary
            return result

        before = peak(lambda: model(x))
        assert peak(lambda: model(x)) == before
        assert peak(planted) == before + 48 * KiB + 1

    def test_neighbours_do_not_change_it(self) -> None:
        model, x = torch.nn.Linear(64, 64), torch.ones(8, 64)
        before = peak(lambda: model(x))
        kept = tensor(1024 * KiB)
        garbage = [tensor(1024 * KiB)]
        garbage.append(garbage)
        del garbage
        assert peak(lambda: model(x)) == before
        del kept
        assert peak(lambda: model(x)) == before

    def test_state_that_a_call_replaces_is_freed_in_it(self) -> None:
        state = [tensor()]

        def function() -> None:
            state.clear()
            state.append(tensor())

        def after() -> None:
            state.append(tensor())
            del state[0]

        assert peak(function) == 0
        assert peak(after) == KiB

    @pytest.mark.parametrize("threshold", [1, 100_000])
    def test_garbage_counts_however_often_the_collector_runs(self, threshold: int) -> None:
        def function() -> None:
            for _ in range(20):
                cycle = [tensor()]
                cycle.append(cycle)

        before = gc.get_threshold()
        gc.set_threshold(threshold)
        try:
            assert peak(function) == 20 * KiB
        finally:
            gc.set_threshold(*before)
        assert gc.isenabled()

    def test_work_of_the_backward_pass_counts(self) -> None:
        weight = torch.ones(256, requires_grad=True)

        def function() -> None:
            (weight * weight).sum().backward()
            weight.grad = None

        forward = peak(lambda: torch.sum(weight * weight))
        assert peak(function) > forward == KiB + 4


class TestTrace:
    def read(self, *changes: tuple[float, int, int], start_us: float = 10.0) -> int:
        """Read a trace of changes: when, at which address, by how many bytes."""
        measured = {"ph": "X", "name": "pytest-pareto: the measured call", "ts": start_us, "dur": 9}
        events: list[dict[str, Any]] = [measured]
        for number, (time_us, address, size) in enumerate(changes):
            args = {"Addr": address, "Bytes": size, "Device Type": 0, "Ev Idx": number}
            events.append({"ph": "i", "name": "[memory]", "ts": time_us, "args": args})
        return read_host_peak(json.dumps({"traceEvents": events}).encode())

    def test_the_peak_of_the_measured_call_is_above_what_was_there(self) -> None:
        assert self.read((1, 1, 500), (11, 2, 70), (12, 3, 20), (13, 2, -70), (14, 4, 60)) == 90
        # The negative control: what went ahead has a peak of its own.
        assert self.read((1, 1, 500), (2, 1, -500), (11, 2, 70)) == 70

    def test_what_went_ahead_may_be_freed_first(self) -> None:
        assert self.read((1, 1, 500), (11, 1, -500), (12, 2, 70)) == 0
        assert self.read((1, 1, 50), (11, 1, -50), (12, 2, 70)) == 20

    def test_memory_of_which_only_the_end_was_seen_does_not_count(self) -> None:
        # The size is that of an earlier trace's tensor, which had the address before.
        assert self.read((11, 7, -9999), (12, 2, 70)) == 70
        assert self.read((1, 7, 30), (2, 7, -30), (11, 7, -9999), (12, 2, 70)) == 70

    def test_changes_at_the_same_time_have_their_order(self) -> None:
        assert self.read((11, 1, 70), (11, 1, -70), (11, 2, 60), (11, 2, -60)) == 70

    def test_memory_of_a_gpu_is_not_the_hosts(self) -> None:
        events = [
            {"ph": "X", "name": "pytest-pareto: the measured call", "ts": 1.0, "dur": 9},
            {"ph": "i", "name": "[memory]", "ts": 2.0, "args": {"Bytes": 5, "Device Type": 1}},
        ]
        assert read_host_peak(json.dumps({"traceEvents": events}).encode()) == 0


class TestResident:
    def test_it_is_the_same_however_the_function_is_given(self) -> None:
        model, x = torch.nn.Linear(64, 64), torch.ones(8, 64)
        size = 4 * (64 * 64 + 64 + 8 * 64)
        compiled = torch.compile(model, backend="eager")
        functions = [lambda: model(x), lambda: hidden(model, x), lambda: compiled(x)]
        found = [measured(function)["resident_memory"].values for function in functions]
        assert found == [(size,)] * 3

    def test_what_setup_makes_counts_once(self) -> None:
        model = torch.nn.Linear(64, 64)
        _, found = measure_call(
            model, (), {}, meters=[MemoryMeter()], setup=lambda: (torch.ones(8, 64),)
        )
        sizes: dict[str, Any] = {each.metric.name: each.values for each in found}
        assert sizes["resident_memory"] == (4 * (64 * 64 + 64 + 8 * 64),)
        assert sizes["host_peak_memory"] == (4 * 8 * 64,)

    def test_what_garbage_in_cycles_holds_does_not_count(self) -> None:
        x, kept = tensor(3 * KiB), list[Any]()

        def function() -> None:
            kept.append([x + 1])
            kept[-1].append(kept[-1])
            kept[0][0].sum()
            if len(kept) > 1:
                del kept[0]  # the state of the call before, which this one has used

        gc.disable()  # an automatic collection might hide the effect under test
        try:
            assert measured(function)["resident_memory"].values == (3 * KiB,)
        finally:
            gc.enable()

    def test_results_are_no_holdings(self) -> None:
        x = tensor()
        assert measured(lambda: [x + 1 for _ in range(5)])["resident_memory"].values == (KiB,)


MODELS: dict[str, Any] = {}


class TestPartsOfResident:
    def parts(self, function: Callable[[], object]) -> dict[str, float]:
        found = measured(function)["resident_memory"]
        assert found.breakdown.total == found.values[0]
        return {part.name: part.value for part in found.breakdown.parts}

    def test_they_are_the_tensors_by_module(self) -> None:
        model, x = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU()), torch.ones(8, 64)
        assert self.parts(lambda: model(x)) == {
            "weight in Sequential.0": 64 * 32 * 4,
            "bias in Sequential.0": 32 * 4,
            "tensors outside of modules": 8 * 64 * 4,
        }

    def test_weights_that_the_call_makes_itself_are_not_resident(self) -> None:
        x = torch.ones(8, 64)
        assert self.parts(lambda: torch.nn.Linear(64, 32)(x)) == {
            "tensors outside of modules": 8 * 64 * 4
        }

    def test_a_call_without_modules_has_tensors_all_the_same(self) -> None:
        x = torch.ones(8, 64)
        assert self.parts(lambda: x + x) == {"tensors outside of modules": 8 * 64 * 4}


def hidden(model: Any, x: Any) -> Any:
    """Call a model that only a global container holds."""
    MODELS["model"] = model
    return MODELS["model"](x)


class TestReasons:
    @pytest.fixture(autouse=True)
    def no_models(self) -> Iterator[None]:
        yield
        MODELS.clear()

    def test_a_call_without_torch_has_no_memory_of_torch(self) -> None:
        held = tensor()
        found = measured(lambda: (held, sum(range(10)))[1])
        reason = "the call ran no operation of torch, and only torch's memory is measured"
        assert found["resident_memory"].absent == found["host_peak_memory"].absent == reason
        assert found["peak_memory"].absent == "no CUDA device was used"

    def test_beside_another_profiler_nothing_is_traced(self) -> None:
        with torch.autograd.profiler.profile():
            found = measured(lambda: tensor() + 1)
        assert found["host_peak_memory"].absent == (
            "a torch profiler is active already; run without it"
        )
        assert found["resident_memory"].values == (0.0,)

    def test_nor_in_a_function_that_profiles_itself(self) -> None:
        def function() -> None:
            with torch.autograd.profiler.profile():
                tensor().add_(1)

        absent = measured(function)["host_peak_memory"].absent
        assert absent == "the function runs a torch profiler of its own"

    def test_what_cannot_be_watched_has_a_note(self) -> None:
        model, x = torch.nn.Linear(8, 8), torch.ones(8, 8)

        def function() -> Any:
            if torch.utils._python_dispatch._len_torch_dispatch_stack():
                raise TypeError("no modes here")
            return model(x)

        found = measured(function)
        assert found["resident_memory"].values == (4 * (8 * 8 + 8 + 8 * 8),)
        assert found["resident_memory"].notes == (
            "what the test refers to; watching the call raised TypeError: no modes here",
        )
        assert found["host_peak_memory"].values == (4 * 8 * 8,)

    @pytest.mark.filterwarnings("ignore")  # which parts of this torch gives up differs
    def test_weights_that_torch_packs_have_no_size(self) -> None:
        model = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(64, 64)))
        x = torch.ones(8, 64)
        found = measured(lambda: model(x))
        assert found["resident_memory"].absent == (
            "torch packs weights of this call, such as quantized ones, in objects of unknown size"
        )
        assert found["host_peak_memory"].values >= (8 * 64 * 4,)

    def test_a_step_of_training_holds_gradients_and_the_optimizers_state(self) -> None:
        weight = torch.nn.Parameter(torch.ones(256))
        optimizer = torch.optim.SGD([weight], momentum=0.9)

        def step() -> None:
            (weight * weight).sum().backward()
            optimizer.step()  # marks itself in a trace, by an object that holds no weights

        assert measured(step)["resident_memory"].values == (3 * KiB,)

    def test_an_exception_of_the_function_is_its_own(self) -> None:
        count = iter(range(10))

        def function() -> None:
            if next(count) >= 2:
                raise OSError("gone")

        with pytest.raises(OSError, match="gone"):
            measured(function)


def test_a_trace_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KINETO_LOG_LEVEL", raising=False)
    trace_host_peak(lambda: tensor)
    assert "KINETO_LOG_LEVEL" not in os.environ
    monkeypatch.setenv("KINETO_LOG_LEVEL", "2")
    trace_host_peak(lambda: tensor)
    assert os.environ["KINETO_LOG_LEVEL"] == "2"
    assert not torch.autograd._profiler_enabled()


def test_a_trace_writes_nothing() -> None:
    # In a process of its own: torch reads the level when it traces for the first time.
    code = (
        "import torch\n"
        "from pytest_pareto.measure.meters.memory import trace_host_peak\n"
        "print(trace_host_peak(lambda: lambda: torch.empty(5)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "20\n", done.stderr
    assert "profiler" not in done.stderr


def test_it_conforms_to_the_protocol() -> None:
    check_meter(
        MemoryMeter(),
        work=lambda units: lambda: tensor(units * KiB),
        unseen=lambda: sum(range(1000)),
        expected={"host_peak_memory": (KiB, KiB)},
        skip=["peak_memory", "resident_memory", "reserved_memory", "other_memory"],
        must_measure=True,
    )
