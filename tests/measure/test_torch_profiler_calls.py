import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")

from pytest_pareto.measure import torch_profiler  # noqa: E402
from pytest_pareto.measure.measurement import measure_call  # noqa: E402
from pytest_pareto.measure.meter import Calls, Meter  # noqa: E402
from pytest_pareto.measure.meters.host_work import HostWorkMeter  # noqa: E402
from pytest_pareto.measure.meters.latency import SteadyMeter, StreamMeter  # noqa: E402
from pytest_pareto.measure.meters.memory import MemoryMeter  # noqa: E402
from pytest_pareto.measure.plan import LoopPlan  # noqa: E402
from pytest_pareto.measure.streams import Stream  # noqa: E402
from pytest_pareto.measure.torch_profiler import (  # noqa: E402
    CallProfiler,
    _explained,
    _planned_calls,
    scaled_to,
    trace_name,
)
from pytest_pareto.measure.trace import CALL, trace_events  # noqa: E402
from pytest_pareto.measure.work.flops import WorkMeter  # noqa: E402
from pytest_pareto.model.attribution import Breakdown, Part, breakdown_of  # noqa: E402
from pytest_pareto.model.metric import FLOPS, LATENCY  # noqa: E402
from pytest_pareto.model.run import Measurement  # noqa: E402
from pytest_pareto.stats.scale import summarise_run  # noqa: E402

nn = torch.nn
PLAN = LoopPlan(rounds=4, warmup=1)


class Net(torch.nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(32, 64)
        self.down = nn.Linear(64, 8)

    def forward(self, x: Any) -> Any:
        return self.down(torch.relu(self.up(x)))


def meters() -> tuple[Meter, ...]:
    return SteadyMeter(), StreamMeter(), MemoryMeter(), HostWorkMeter(lambda: None), WorkMeter()


def measured(
    function: Callable[..., Any], used: tuple[Meter, ...] | None = None, **other: Any
) -> dict[str, Measurement]:
    """Measure with a profile, in the meters that are ``used``; without, in all of them."""
    options = {"plan": PLAN, "profiler": CallProfiler(), **other}
    _, found = measure_call(function, (), {}, meters=used or meters(), **options)
    return {each.metric.name: each for each in found}


def explained(found: dict[str, Measurement]) -> set[str]:
    return {name for name, each in found.items() if each.breakdown is not None}


def parts(found: Measurement) -> dict[str, float]:
    assert found.breakdown is not None
    return {part.name: part.value for part in found.breakdown.parts}


@pytest.fixture
def function() -> Callable[[], Any]:
    net, x = Net(), torch.ones(16, 32)
    return torch.no_grad()(lambda: net(x))  # type: ignore[no-any-return]


class TestACall:
    def test_parts_add_up_to_what_was_measured(self, function: Callable[[], Any]) -> None:
        found = measured(function)
        exact = ("resident_memory", "host_peak_memory", "python_calls", "dispatches", "flops")
        for name in exact:
            assert sum(parts(found[name]).values()) == found[name].values[0], name
        latency = found["latency"]
        level = summarise_run(latency.values, relative=True)
        assert sum(parts(latency).values()) == pytest.approx(level)

    def test_they_are_named_by_operation_and_module(self, function: Callable[[], Any]) -> None:
        found = measured(function)
        assert parts(found["flops"]) == {
            "aten::addmm in Net.up": 2 * 16 * 32 * 64,
            "aten::addmm in Net.down": 2 * 16 * 64 * 8,
        }
        assert parts(found["dispatches"])["aten::addmm in Net.up"] == 1
        assert parts(found["host_peak_memory"])["aten::addmm in Net.up"] == 16 * 64 * 4
        named = {"aten::addmm in Net.up", "aten::addmm in Net.down", "Python in Net", "Python"}
        assert named <= parts(found["latency"]).keys()

    def test_backward_too(self) -> None:
        net, x = Net(), torch.ones(16, 32)
        found = measured(lambda: net(x).sum().backward())
        for name in ("dispatches", "flops", "host_peak_memory"):
            assert sum(parts(found[name]).values()) == found[name].values[0], name
        assert parts(found["dispatches"])["aten::addmm in Net.up"] == 1
        assert parts(found["dispatches"])["aten::mm"] == 3

    def test_without_a_profile_times_have_no_parts(self, function: Callable[[], Any]) -> None:
        found = measured(function, profiler=None)
        assert not {"latency", "host_peak_memory"} & explained(found)
        assert parts(found["dispatches"])["aten::addmm"] == 2  # by operation alone

    def test_the_measurements_stay_what_they_were(self, function: Callable[[], Any]) -> None:
        calls = Calls(function, lambda: ((), {}), clock=int)
        before = [Measurement(LATENCY, (1.0, 1.1), notes=("n",)), Measurement(FLOPS, (7.0,))]
        after = CallProfiler().explain(calls, before)
        assert [replace(each, breakdown=None) for each in after] == before
        assert after[0].breakdown is not None

    def test_a_count_that_the_trace_has_otherwise_has_no_parts(
        self, function: Callable[[], Any]
    ) -> None:
        counted = measured(function)["dispatches"]
        for wrong in (0, 1):
            found = Measurement(counted.metric, (counted.values[0] + wrong,))
            calls = Calls(function, lambda: ((), {}), clock=int)
            (after,) = CallProfiler().explain(calls, [found])
            assert (after.breakdown is None) == bool(wrong)

    def test_on_the_meta_device(self) -> None:
        net, x = Net().to("meta"), torch.ones(16, 32, device="meta")
        found = measured(lambda: net(x))
        assert sum(parts(found["dispatches"]).values()) == found["dispatches"].values[0]
        assert "aten::addmm in Net.up" in parts(found["latency"])

    def test_a_stream(self) -> None:
        net, x = Net(), torch.ones(16, 32)

        def items() -> Iterator[Any]:
            for _ in range(4):
                with torch.no_grad():
                    yield net(x)

        found = measured(Stream(items))
        for name in ("latency", "time_to_first_item", "time_per_item"):
            level = summarise_run(found[name].values, relative=True)
            assert sum(parts(found[name]).values()) == pytest.approx(level), name
            assert "aten::addmm in Net.up" in parts(found[name])
        (up,) = (
            part
            for part in (found["time_per_item"].breakdown or Breakdown(())).parts
            if part.name == "aten::addmm in Net.up"
        )
        assert up.count == 1


class TestWhereNothingIsProfiled:
    @pytest.fixture(autouse=True)
    def traced(self, monkeypatch: pytest.MonkeyPatch) -> list[object]:
        traced: list[object] = []
        trace_calls = torch_profiler.trace_calls

        def noting(torch: Any, calls: Calls) -> bytes:
            traced.append(calls)
            return trace_calls(torch, calls)

        monkeypatch.setattr(torch_profiler, "trace_calls", noting)
        return traced

    def test_the_control(self, traced: list[object], function: Callable[[], Any]) -> None:
        measured(function)
        assert len(traced) == 1

    @pytest.mark.usefixtures("without_torch")
    def test_without_torch(self, traced: list[object]) -> None:
        assert "latency" not in explained(measured(lambda: sum(range(99)), (SteadyMeter(),)))
        assert traced == []

    def test_a_call_that_shows_no_work_of_torch(self, traced: list[object]) -> None:
        assert "latency" not in explained(measured(lambda: sum(range(99))))
        assert traced == []

    def test_within_an_active_profiler(
        self, traced: list[object], function: Callable[[], Any]
    ) -> None:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
            found = measured(function, (SteadyMeter(), WorkMeter()))
        assert "latency" not in explained(found)
        assert traced == []

    @pytest.mark.parametrize("known", [False, True])
    def test_a_function_with_a_profiler_of_its_own(
        self, traced: list[object], function: Callable[[], Any], known: bool
    ) -> None:
        def profiled() -> None:
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
                function()

        # What counts dispatches finds it; without, nothing has looked for it before.
        used: tuple[Meter, ...] = SteadyMeter(), WorkMeter()
        if known:
            used = *used, HostWorkMeter(lambda: None)
        assert "latency" not in explained(measured(profiled, used))
        assert traced == []


class TestExceptions:
    def failing(self, function: Callable[[], Any], at: int) -> Calls:
        """Return calls of which one raises."""

        def call() -> Any:
            if calls.count == at:
                raise KeyError("mine")
            return function()

        calls = Calls(call, lambda: ((), {}), clock=int)
        calls.profiles_itself, calls.count = False, 1
        return calls

    @pytest.mark.parametrize("at", [2, 4])
    def test_of_the_function_reach_the_test_and_end_the_profile(
        self, function: Callable[[], Any], at: int
    ) -> None:
        calls = self.failing(function, at)
        call_impl = nn.Module._call_impl
        with pytest.raises(KeyError, match="mine") as caught:
            CallProfiler().explain(calls, [Measurement(FLOPS, (7.0,))])
        assert caught.value.__notes__ == [f"pytest-pareto: raised on call {at} (profiling)"]
        assert not torch.autograd._profiler_enabled()
        assert nn.Module._call_impl is call_impl

    def test_one_of_the_call_that_looks_for_a_profiler_too(
        self, function: Callable[[], Any]
    ) -> None:
        calls = self.failing(function, 2)
        calls.profiles_itself = None
        with pytest.raises(KeyError, match="mine") as caught:
            CallProfiler().explain(calls, [Measurement(FLOPS, (7.0,))])
        assert caught.value.__notes__ == ["pytest-pareto: raised on call 2 (profiling)"]

    @pytest.mark.parametrize("trace", [b"{", b"", b'{"traceEvents": {}}'])
    def test_a_trace_that_cannot_be_read_leaves_the_measurements(
        self, function: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, trace: bytes
    ) -> None:
        monkeypatch.setattr(torch_profiler, "trace_calls", lambda *_: trace)
        calls = Calls(function, lambda: ((), {}), clock=int)
        calls.raised = ValueError("of an earlier pass")
        before = Measurement(FLOPS, (7.0,))
        assert CallProfiler().explain(calls, [before]) == (before,)


class TestWhatIsLeftBehind:
    def test_the_random_state_is_that_after_the_first_call(self) -> None:
        dropout, x = nn.Dropout(), torch.ones(64)

        def drawing() -> Any:
            random.random()
            return dropout(x)

        def following(**other: Any) -> tuple[float, float]:
            torch.manual_seed(5)
            random.seed(5)
            measured(drawing, (SteadyMeter(), HostWorkMeter(lambda: None)), **other)
            return random.random(), torch.rand(1).item()

        assert following() == following(profiler=None)

    def test_no_profiler_and_no_file(
        self, function: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        measured(function)
        assert not torch.autograd._profiler_enabled()
        assert list(tmp_path.glob("pytest-pareto-*")) == []

    def test_a_compiled_function_is_not_compiled_again(self) -> None:
        graphs: list[object] = []

        def backend(graph: Any, _: object) -> Any:
            graphs.append(graph)
            return graph.forward

        net, x = torch.compile(Net(), backend=backend), torch.ones(16, 32)
        calls = Calls(torch.no_grad()(lambda: net(x)), lambda: ((), {}), clock=int)
        calls.prepare()()
        before = len(graphs), dict(torch._dynamo.utils.counters["frames"])
        CallProfiler().explain(calls, [Measurement(FLOPS, (7.0,))])
        calls.prepare()()
        assert (len(graphs), dict(torch._dynamo.utils.counters["frames"])) == before
        assert before[0] == 1

    def test_the_trace_of_each_case_where_a_folder_is_given(
        self, function: Callable[[], Any], tmp_path: Path
    ) -> None:
        folder = tmp_path / "new" / "traces"
        measured(function, profiler=CallProfiler(folder), case_id="tests/test_net.py::test_it[a/b]")
        (file,) = folder.iterdir()
        assert file.name == trace_name("tests/test_net.py::test_it[a/b]")
        assert json.loads(file.read_bytes())["traceEvents"]
        names = {each.name for each in trace_events(file.read_bytes())}
        assert {CALL, "module Net", "module Net.up", "aten::addmm"} <= names


class TestNamesOfTraces:
    def test_they_are_readable_and_those_of_files(self) -> None:
        name = trace_name("tests/test_net.py::test_it[a b:c]")
        assert name.startswith("test_net.py__test_it_a_b_c_-")
        assert name.endswith(".json")
        assert "/" not in trace_name("../../etc/passwd::x[a/b\\c]\n\0")

    def test_each_case_has_its_own(self) -> None:
        cases = [*(f"tests/{a}/test.py::test[{b}]" for a in "xy" for b in ("/", ":")), "a" * 300]
        names = {trace_name(case) for case in [*cases, "a" * 299]}
        assert len(names) == 6
        assert max(map(len, names)) < 100


class TestPlannedCalls:
    @pytest.mark.parametrize(
        ("call_s", "named"), [(0.0, 20), (1e-5, 20), (0.001, 10), (0.004, 3), (0.5, 3)]
    )
    def test_one_call_ahead_of_so_many(self, call_s: float, named: int) -> None:
        assert _planned_calls(call_s) == [False] + [True] * named

    def test_a_long_one_is_called_once(self) -> None:
        assert _planned_calls(0.51) == [True]


class TestScaling:
    TIME = Breakdown((Part("gemm", 3.0, 1.0), Part("Python", 2.0), Part("aten::mm", 1.0, 4.0)))
    DEVICE = Breakdown((Part("gemm", 9.0, 1.0), Part("hidden", 1.0)))

    def scaled(self, level: float) -> dict[str, float]:
        found = scaled_to(level, self.TIME, self.DEVICE)
        assert found.total == pytest.approx(level)
        assert {part.name: part.count for part in found.parts if part.value} == {
            part.name: part.count for part in self.TIME.parts if part.name in names(found)
        }
        return {part.name: part.value for part in found.parts}

    def test_kernels_keep_their_time(self) -> None:
        assert self.scaled(4.5) == {"gemm": 3.0, "Python": 1.0, "aten::mm": 0.5}
        assert self.scaled(9.0) == {"gemm": 3.0, "Python": 4.0, "aten::mm": 2.0}

    def test_unless_the_level_has_no_room_for_them(self) -> None:
        assert self.scaled(1.5) == {"gemm": 0.75, "Python": 0.5, "aten::mm": 0.25}

    def test_where_there_are_only_kernels_they_are_the_level(self) -> None:
        only = breakdown_of([Part("gemm", 3.0)])
        assert scaled_to(4.0, only, self.DEVICE) == breakdown_of([Part("gemm", 4.0)])

    def test_copies_between_host_and_gpu_are_work_of_a_gpu_too(self) -> None:
        copy = Part("Memcpy HtoD (Pinned -> Device)", 2.0)
        profile = {
            "latency": breakdown_of([copy, Part("gemm", 1.0), Part("Python", 4.0)]),
            "device_time": breakdown_of([Part("gemm", 1.0)]),
            "host_copies": breakdown_of([copy]),
        }
        found = _explained(Measurement(LATENCY, (5.0, 5.0)), profile)
        assert parts(found) == pytest.approx({copy.name: 2.0, "gemm": 1.0, "Python": 2.0})


def names(found: Breakdown) -> set[str]:
    return {part.name for part in found.parts}
