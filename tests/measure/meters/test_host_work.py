import asyncio
import gc
import io
import itertools
import os
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_pareto.measure.asynchronous import AwaitedFunction, Wait, run_in_greenlet
from pytest_pareto.measure.meter import Calls, meter_pass
from pytest_pareto.measure.meters import host_work
from pytest_pareto.measure.meters.host_work import (
    HostWorkMeter,
    Listener,
    count_calls,
    count_dispatches,
)
from pytest_pareto.model.run import Measurement
from pytest_pareto.testing import check_meter

CallsOf = Callable[..., Calls]
NAMES = ["python_calls", "c_calls", "dispatches"]


@pytest.fixture(autouse=True)
def _untraced() -> Iterator[None]:
    """Run without a tracer, even where these tests are run under coverage."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


def leaf() -> int:
    return len("leaf")


def branch(times: int) -> None:
    for _ in range(times):
        leaf()


def totals(function: Callable[[], object]) -> tuple[int, int]:
    work = count_calls(function)
    return work["python_calls"].total(), work["c_calls"].total()


def measured(calls: Calls, meter: HostWorkMeter | None = None) -> dict[str, Measurement]:
    found = meter_pass(meter or HostWorkMeter(lambda: None), calls, frozenset())
    assert [each.metric.name for each in found] == NAMES
    return {each.metric.name: each for each in found}


class TestCalls:
    def test_an_empty_function_is_one_call(self) -> None:
        assert totals(lambda: None) == (1, 0)

    def test_each_call_counts_for_the_function_that_is_entered(self) -> None:
        entered = count_calls(lambda: branch(7))["python_calls"]
        assert {name.split(" ")[0].rpartition(".")[2]: n for name, n in entered.items()} == {
            "<lambda>": 1,
            "branch": 1,
            "leaf": 7,
        }
        assert all("(test_host_work.py:" in name for name in entered)

    def test_c_functions_count_for_the_function_that_calls_them(self) -> None:
        calling = count_calls(lambda: branch(7))["c_calls"]
        assert sum(n for name, n in calling.items() if name.startswith("leaf ")) == 7

    def test_one_call_more_is_one_more(self) -> None:
        (before, in_c), (after, more_in_c) = totals(lambda: branch(99)), totals(lambda: branch(100))
        assert (after - before, more_in_c - in_c) == (1, 1)

    def test_a_generator_is_entered_for_each_item(self) -> None:
        def items() -> Iterator[int]:
            yield from range(5)

        def consume() -> None:
            for _ in items():
                pass

        assert totals(consume)[0] == 1 + 5 + 1

    def test_code_of_the_package_itself_does_not_count(self, calls_of: CallsOf) -> None:
        calls = calls_of(lambda: branch(3))
        assert totals(calls.prepare()) == totals(lambda: branch(3))

    def test_an_awaited_function_is_counted_in_its_own_task(self) -> None:
        pytest.importorskip("greenlet")
        counted = []

        async def function() -> None:
            branch(20)

        def work(wait: Wait) -> None:
            counted.append(count_calls(AwaitedFunction(function, wait))["python_calls"])

        asyncio.run(run_in_greenlet(work))
        assert sum(n for name, n in counted[0].items() if name.startswith("leaf ")) == 20

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_nothing_is_left_behind(self, error: type[BaseException]) -> None:
        def function() -> None:
            raise error("mine")

        callbacks = list(gc.callbacks)
        with pytest.raises(error, match="mine"):
            count_calls(function)
        assert sys.getprofile() is None
        assert gc.callbacks == callbacks
        monitoring = getattr(sys, "monitoring", None)
        if monitoring is not None:
            assert [monitoring.get_tool(each) for each in (3, 4)] == [None, None]
        assert totals(lambda: None) == (1, 0)

    @pytest.mark.skipif(sys.version_info >= (3, 12), reason="monitoring does not share a profiler")
    def test_a_function_that_replaces_the_profiler_is_not_half_counted(self) -> None:
        with pytest.raises(RuntimeError, match="sets a profiler of its own"):
            count_calls(lambda: sys.setprofile(None))


class Cyclic:
    """Garbage that only a collection frees, and whose end calls a Python function."""

    def __init__(self, ended: Callable[[Any], object]) -> None:
        self.own = self
        self.reference = weakref.ref(self, ended)


def with_garbage() -> None:
    references = []
    for _ in range(50):
        references.append(Cyclic(lambda _: leaf()).reference)
        nested: list[object] = []
        for _ in range(40):  # objects from a loop without calls, so that garbage is collected here
            nested = [nested]
        branch(5)


def with_bar(mininterval: float) -> Callable[[], None]:
    tqdm: Any = pytest.importorskip("tqdm")

    def function() -> None:
        for _ in tqdm.tqdm(range(20), file=io.StringIO(), mininterval=mininterval, miniters=1):
            branch(5)

    function()  # imports what it needs
    return function


class TestWhatDoesNotRepeat:
    """Garbage collection, progress bars and other threads, each with a counter that counts it."""

    @pytest.fixture
    def collections(self) -> Iterator[Callable[[int], tuple[int, int]]]:
        """Count a call with garbage, after so many objects of earlier code."""
        threshold = gc.get_threshold()
        gc.unfreeze()

        def counted(earlier: int) -> tuple[int, int]:
            gc.set_threshold(0)
            gc.collect()
            before = [[] for _ in range(earlier)]  # type: ignore[var-annotated]
            gc.set_threshold(60, 1000, 1000)
            found = totals(with_garbage)
            gc.set_threshold(0)
            del before
            return found

        yield counted
        gc.set_threshold(*threshold)

    def test_garbage_collection(self, collections: Callable[[int], tuple[int, int]]) -> None:
        assert len({collections(earlier) for earlier in range(0, 60, 7)}) == 1

    def test_a_counter_that_counts_what_it_runs_fails(
        self, collections: Callable[[int], tuple[int, int]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Listener, "before_collection", lambda *_: None)
        assert len({collections(earlier) for earlier in range(0, 60, 7)}) > 1

    def test_a_progress_bar_may_be_drawn_at_any_time(self) -> None:
        always, never = with_bar(0.0), with_bar(1e9)
        assert totals(always) == totals(never)
        assert totals(always)[0] > 20 * 6

    def test_a_counter_that_counts_the_drawing_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(host_work, "_UNCOUNTED", ("pytest_pareto",))
        assert totals(with_bar(0.0))[0] > totals(with_bar(1e9))[0] + 20

    def test_other_threads(self) -> None:
        asked: queue.SimpleQueue[int] = queue.SimpleQueue()
        done: queue.SimpleQueue[None] = queue.SimpleQueue()

        def serve() -> None:
            while (times := asked.get()) >= 0:
                branch(times)
                done.put(None)

        def function(times: int) -> None:
            asked.put(times)
            done.get()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            assert totals(lambda: function(1)) == totals(lambda: function(1000))
        finally:
            asked.put(-1)
            thread.join()

    def test_neither_hash_seeds_nor_processes(self) -> None:
        code = (
            "from pytest_pareto.measure.measurement import measure_call\n"
            "from pytest_pareto.measure.meters.host_work import HostWorkMeter\n"
            "from pytest_pareto.measure.plan import LoopPlan\n"
            "import json\n"
            "def function():\n"
            "    names = {f'name {i}' for i in range(200)}\n"
            "    return json.loads(json.dumps({name: [len(name)] for name in names}))\n"
            "_, found = measure_call(function, (), {}, meters=[HostWorkMeter(lambda: None)],\n"
            "                        plan=LoopPlan(rounds=1, warmup=2))\n"
            "print([each.values for each in found[:2]])\n"
        )
        printed = {
            subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for seed in ("0", "1", "random")
        }
        assert len(printed) == 1
        assert "()" not in printed.pop()


class TestSteadyCalls:
    def test_two_calls_that_agree_are_enough(self, calls_of: CallsOf, without_torch: None) -> None:
        calls = calls_of(lambda: branch(4), warmup=3)
        found = measured(calls)
        assert found["python_calls"].values == (6.0,)
        assert found["dispatches"].absent == (
            "torch is not imported, and only its operations are counted"
        )
        assert calls.warm
        assert calls.count == 3 + 2

    def test_dispatches_need_no_further_call(self, calls_of: CallsOf, torch: Any) -> None:
        calls = calls_of(lambda: torch.ones(2) + 1, warmup=3)
        assert all(each.values for each in measured(calls).values())
        assert calls.count == 3 + 2

    def test_dispatches_alone_are_counted_twice(self, calls_of: CallsOf, torch: Any) -> None:
        times = itertools.chain([1] * 3, [2, 3, 4, 4])
        calls = calls_of(lambda: [torch.ones(2) for _ in range(next(times))], warmup=2)
        found = measured(calls, HostWorkMeter(lambda: "traced"))["dispatches"]
        (value,) = found.values
        assert value == 4 * count_dispatches(lambda: torch.ones(2)).total()
        assert calls.count == 2 + 5

    def test_dispatches_that_never_agree_are_absent(self, calls_of: CallsOf, torch: Any) -> None:
        times = itertools.count(1)
        calls = calls_of(lambda: [torch.ones(2).sin_() for _ in range(next(times))], warmup=1)
        absent = measured(calls)["dispatches"].absent
        assert absent is not None
        assert absent.startswith("it differs from call to call (")
        assert absent.endswith("most of it in aten::empty)")

    def test_caches_may_settle_late(self, calls_of: CallsOf, without_torch: None) -> None:
        times = iter([9, 8, 7, 4, 4])
        calls = calls_of(lambda: branch(next(times)), warmup=1)
        assert measured(calls)["python_calls"].values == (6.0,)

    def test_counts_that_never_agree_are_absent_and_the_reason_names_where(
        self, calls_of: CallsOf, without_torch: None
    ) -> None:
        times = itertools.count(1)
        calls = calls_of(lambda: branch(next(times)), warmup=1)
        found = measured(calls)
        assert calls.count == 1 + 5
        where = f"most of it in leaf (test_host_work.py:{leaf.__code__.co_firstlineno})"
        assert found["python_calls"].absent == f"it differs from call to call (7 and 8, {where})"
        assert where in (found["c_calls"].absent or "")

    def test_only_what_is_asked_for_is_counted(
        self, calls_of: CallsOf, torch: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(host_work, "count_calls", lambda call: pytest.fail("counted calls"))
        calls = calls_of(lambda: torch.ones(2) + 1, warmup=1)
        (found,) = meter_pass(HostWorkMeter(lambda: None), calls, frozenset(NAMES[:2]))
        assert found.values == (count_dispatches(lambda: torch.ones(2) + 1).total(),)

    def test_a_tracer_leaves_the_dispatches(self, calls_of: CallsOf, torch: Any) -> None:
        calls = calls_of(lambda: torch.ones(2) + 1, warmup=1)
        found = measured(calls, HostWorkMeter(lambda: "a tracer is active"))
        assert [found[name].absent for name in NAMES] == ["a tracer is active"] * 2 + [None]

    def test_nothing_is_called_where_nothing_can_be_counted(self, calls_of: CallsOf) -> None:
        calls = calls_of(lambda: branch(4))
        meter = HostWorkMeter(lambda: "traced", lambda: "no torch")
        assert {each.absent for each in measured(calls, meter).values()} == {"traced", "no torch"}
        assert calls.count == 0

    def test_the_default_reason_is_the_active_tracer(
        self, calls_of: CallsOf, without_torch: None
    ) -> None:
        sys.setprofile(lambda *_: None)
        try:
            found = measured(calls_of(lambda: None), HostWorkMeter())
        finally:
            sys.setprofile(None)
        assert found["python_calls"].absent == (
            "a profiler is active (sys.setprofile); run without it"
        )

    def test_an_exception_of_the_function_is_its_own(self, calls_of: CallsOf) -> None:
        def function() -> None:
            if calls.count > 2:
                raise ValueError("mine")

        calls = calls_of(function, warmup=1)
        with pytest.raises(ValueError, match="mine"):
            meter_pass(HostWorkMeter(lambda: None), calls, frozenset())

    def test_a_function_that_only_counting_breaks_is_not_at_fault(
        self, calls_of: CallsOf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(call: Callable[[], object]) -> Any:
            raise RuntimeError("of the counter")

        monkeypatch.setattr(host_work, "count_calls", broken)
        found = measured(calls_of(lambda: None, warmup=1))
        assert {each.absent for each in found.values()} == {
            "counting raised RuntimeError: of the counter"
        }

    def test_it_keeps_to_the_protocol_of_meters(self) -> None:
        check_meter(
            HostWorkMeter(lambda: None),
            work=lambda units: lambda: branch(units * 1000),
            expected={"python_calls": (1002, 1002)},
            skip=["dispatches"],
        )


class TestDispatches:
    def test_they_are_what_the_other_profiler_of_torch_counts(self, torch: Any) -> None:
        layer, x = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), torch.ones(1, 3, 8)

        def function() -> None:
            layer(x).sum().backward()

        function()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            function()
        names = [event.name() for event in profile.profiler.kineto_results.events()]
        counted = count_dispatches(function)
        assert counted.total() == sum(name.startswith("aten::") for name in names) > 100
        assert {name.partition("::")[0] for name in counted} == {"aten"}

    def test_one_operation_more_is_one_more(self, torch: Any) -> None:
        x = torch.ones(3)

        def times(number: int) -> int:
            return count_dispatches(lambda: [x.sin() for _ in range(number)]).total()

        assert times(101) - times(100) == 1

    def test_the_profiler_is_off_afterwards(self, torch: Any) -> None:
        with pytest.raises(ValueError, match="mine"):
            count_dispatches(lambda: int("mine"))
        assert not torch.autograd._profiler_enabled()
        assert count_dispatches(lambda: torch.ones(1)).total()

    def test_a_function_with_a_profiler_of_its_own_keeps_it(
        self, calls_of: CallsOf, torch: Any
    ) -> None:
        seen = []

        def function() -> None:
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as own:
                torch.ones(2)
            seen.append(len(own.events()))

        found = measured(calls_of(function, warmup=1))
        assert found["dispatches"].absent == "the function runs a torch profiler of its own"
        assert all(seen)

    def test_an_active_profiler_is_left_alone(self, calls_of: CallsOf, torch: Any) -> None:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
            found = measured(calls_of(lambda: torch.ones(2), warmup=1))
        assert found["dispatches"].absent == "a torch profiler is active already; run without it"

    def test_a_torch_without_it_has_a_reason(
        self, torch: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr(torch.autograd, "_enable_profiler_legacy")
        assert host_work.dispatch_counting_absence() == (
            "this torch no longer has a profiler that works without CUPTI"
        )

    def test_a_compiled_function_stays_compiled(self, calls_of: CallsOf, torch: Any) -> None:
        compiled_runs = []

        def backend(graph: Any, inputs: object) -> Any:
            def run(*args: Any) -> Any:
                compiled_runs.append(1)
                return graph.forward(*args)

            return run

        compiled = torch.compile(lambda x: torch.relu(x) + 1, backend=backend)
        x = torch.ones(3)
        calls = calls_of(lambda: compiled(x), warmup=2)
        compiled(x)
        from torch._dynamo.utils import counters

        frames = dict(counters["frames"])
        found = measured(calls)
        assert dict(counters["frames"]) == frames
        assert len(compiled_runs) == 1 + calls.count
        assert found["python_calls"].absent is None
        assert found["dispatches"].values[0] >= 2


class Layers:
    """A model of layers, each of which calls a module ``extra`` times more than it must."""

    def __init__(self, torch: Any, extra: int) -> None:
        self._linear = torch.nn.ModuleList(torch.nn.Linear(4, 4) for _ in range(6))
        self._extra = [torch.nn.ReLU() for _ in range(extra)]
        self._x = torch.ones(2, 4)

    def __call__(self) -> Any:
        out = self._x
        for layer in self._linear:
            out = layer(out)
            for module in self._extra:
                out = module(out)
        return out


def test_one_more_module_call_per_layer_is_seen_to_the_unit(torch: Any, calls_of: CallsOf) -> None:
    def counts(extra: int) -> list[float]:
        return [m.values[0] for m in measured(calls_of(Layers(torch, extra), warmup=2)).values()]

    none, one, two = (counts(extra) for extra in (0, 1, 2))
    (entered, in_c, dispatched) = (b - a for a, b in zip(none, one, strict=True))
    # The module's __call__, its implementation, its forward, and relu.
    assert entered == 6 * 4
    assert dispatched % 6 == 0 < dispatched
    assert [b - a for a, b in zip(one, two, strict=True)] == [entered, in_c, dispatched]
