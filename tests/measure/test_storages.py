import gc
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")

from pytest_pareto.measure.measurement import measure_call  # noqa: E402
from pytest_pareto.measure.meter import Calls  # noqa: E402
from pytest_pareto.measure.module_scopes import parameter_names  # noqa: E402
from pytest_pareto.measure.storages import (  # noqa: E402
    Storages,
    UsedStorages,
    call_storages,
    variable_storages,
)
from pytest_pareto.measure.streams import Stream  # noqa: E402
from pytest_pareto.model.attribution import breakdown_of  # noqa: E402

KiB = 1024


def tensor(size: int = KiB) -> Any:
    return torch.zeros(size, dtype=torch.uint8)


def size_of(storages: Storages) -> int:
    return storages.sizes()["cpu"]


def called(function: Any, *args: object) -> int:
    return size_of(call_storages(function, args))


class Model(torch.nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    """A kibibyte of each kind: a parameter, a buffer, an attribute, a submodule's parameter."""

    def __init__(self, *, nested: bool = True) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(tensor(), requires_grad=False)
        self.register_buffer("table", tensor())
        self.scratch = tensor()
        self.inner = Model(nested=False) if nested else None

    def forward(self, x: Any) -> Any:
        return x + self.weight


GLOBAL_MODEL = Model(nested=False)
GLOBAL_CACHE = {"model": GLOBAL_MODEL}


class TestWhatACallRefersTo:
    def test_the_function_and_its_arguments(self) -> None:
        model = Model()
        assert called(model) == 6 * KiB
        assert called(model.forward, tensor()) == 7 * KiB
        assert called(sum, [tensor(), {"x": (tensor(), 5)}]) == 2 * KiB

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda model: lambda: model,
            lambda model: partial(len, model),
            lambda model: partial(lambda model: model, model=model),
            lambda model: lambda held=model: held,
            lambda model: Stream(lambda: model),
            lambda model: torch.no_grad()(lambda: model),
            lambda model: (each for each in [model]),
        ],
    )
    def test_beneath_what_wraps_it(self, wrap: Callable[[Any], Any]) -> None:
        assert called(wrap(Model())) == 6 * KiB

    def test_a_global_that_it_names(self) -> None:
        assert called(lambda: GLOBAL_MODEL) == 3 * KiB
        assert called(lambda: [GLOBAL_MODEL for _ in range(3)]) == 3 * KiB
        assert called(partial(lambda: GLOBAL_MODEL)) == 3 * KiB
        assert called(Stream(lambda: GLOBAL_MODEL)) == 3 * KiB

    def test_no_attribute_that_is_called_like_a_global(self) -> None:
        assert called(lambda x: x.GLOBAL_MODEL) == 0

    def test_nothing_that_tests_share(self) -> None:
        @lru_cache
        def load() -> Any:
            return Model()

        load()

        def names_a_function() -> Any:
            return called_by_others()

        assert called(lambda: GLOBAL_CACHE["model"]) == 0
        assert called(load) == 0
        assert called(lambda: [load()]) == 0
        assert called(names_a_function) == 0
        assert called(type("Shared", (), {"model": Model()})()) == 0

    def test_nothing_that_only_pytest_refers_to(self, request: pytest.FixtureRequest) -> None:
        request.node.held = tensor()
        assert called(lambda: request) == 0

        class Holder:
            held = None

        holder: Any = Holder()
        holder.held = tensor()  # the negative control
        assert called(lambda: holder) == KiB

    def test_no_more_of_the_meters_calls_than_their_function(self) -> None:
        calls = Calls(lambda: None, lambda: ((tensor(),), {}), clock=int)
        calls.rounds = [tensor()]
        assert called(calls.function, calls.prepare()) == KiB

    def test_an_object_with_every_attribute_ends(self) -> None:
        class Endless:
            def __getattr__(self, name: str) -> "Endless":
                return Endless()

            def __call__(self) -> None: ...

        assert called(Endless(), tensor()) == KiB


def called_by_others() -> Any:
    return GLOBAL_MODEL


class TestWhatVariablesHold:
    def test_tensors_and_those_in_containers(self) -> None:
        values = [tensor(), [tensor(), (tensor(),)], {"x": {tensor()}}, 5, None, "text"]
        assert size_of(variable_storages(values)) == 4 * KiB

    def test_of_modules_parameters_and_buffers(self) -> None:
        # An attribute may be a cache, which other tests' calls have filled.
        assert size_of(variable_storages([Model()])) == 4 * KiB

    def test_no_other_object_and_no_function(self) -> None:
        class Registry:
            def __init__(self) -> None:
                self.models = [Model()]

        model = Model()
        assert size_of(variable_storages([Registry(), lambda: model, Registry])) == 0

    def test_nothing_apart(self) -> None:
        model, rest = Model(), tensor()
        assert size_of(variable_storages([[model], rest], apart={id(model)})) == KiB


class TestStorages:
    def test_one_storage_counts_once(self) -> None:
        whole = tensor(4 * KiB)
        assert called(None, whole, whole[:5], whole.view(4, KiB)) == 4 * KiB
        # A part keeps all of it in memory.
        assert called(None, whole[:5]) == 4 * KiB

    def test_what_is_freed_no_longer_counts(self) -> None:
        kept, freed = tensor(), tensor()
        found = call_storages(None, (kept, freed))
        assert size_of(found) == 2 * KiB
        del freed
        assert size_of(found) == KiB

    def test_the_address_of_what_is_freed_is_not_taken_for_another(self) -> None:
        found = call_storages(None, [tensor()])
        others = [tensor() for _ in range(100)]
        assert size_of(found) == 0
        found.merge(call_storages(None, others))
        assert size_of(found) == 100 * KiB

    def test_they_can_be_taken_from_others(self) -> None:
        first, second = tensor(), tensor(2 * KiB)
        both = call_storages(None, (first, second))
        assert size_of(both.without(call_storages(None, (first,)))) == 2 * KiB
        assert size_of(both) == 3 * KiB

    @pytest.mark.parametrize(
        "find", [lambda x: call_storages(None, x), lambda x: variable_storages([x])]
    )
    def test_gradients_count_and_those_of_results_do_not_warn(
        self, find: Callable[[Any], Storages]
    ) -> None:
        weight = torch.ones(256, requires_grad=True)
        result = weight * 2
        result.sum().backward()
        assert size_of(find(weight)) == 2 * KiB
        assert size_of(find(result)) == KiB

    @pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
    @pytest.mark.parametrize("layout", ["coo", "csr", "csc"])
    def test_the_parts_of_a_sparse_tensor_count(self, layout: str) -> None:
        numbers, values = torch.arange(4), torch.ones(4)
        indices = (
            [torch.stack([numbers, numbers])] if layout == "coo" else [torch.arange(5), numbers]
        )
        parts = [*indices, values]
        made = getattr(torch, f"sparse_{layout}_tensor")(*parts, (4, 4), check_invariants=True)
        assert called(None, made) == called(None, *parts) > 16

    def test_the_parts_of_a_composed_tensor_count(self) -> None:
        from torch.testing._internal.two_tensor import TwoTensor

        assert called(None, TwoTensor(tensor(), tensor())) == 2 * KiB

    def test_tensors_without_data_and_opaque_ones_have_no_bytes_on_the_processor(self) -> None:
        lazy = torch.nn.LazyLinear(4)
        mkldnn = torch.ones(4, 4).to_mkldnn() if torch.backends.mkldnn.is_available() else None
        assert called(None, torch.empty(5, device="meta"), lazy, mkldnn) == 0


class TestGraphs:
    @pytest.fixture
    def found(self, monkeypatch: pytest.MonkeyPatch) -> Storages:
        """A tensor within the memory of a graph, and one beside it."""
        free, used = "inactive", "active_allocated"
        workspace = {"size": 9 * KiB, "state": used}
        first = [{"size": 3 * KiB, "state": free}, {"size": 2 * KiB, "state": used}]
        segments = [
            {"address": 0x1000, "segment_pool_id": [0, 1], "blocks": first},
            {"address": 0x8000, "segment_pool_id": (0, 1), "blocks": [workspace]},
            {"address": 0x20000, "segment_pool_id": (0, 2), "blocks": first},
        ]
        self.segments: list[dict[str, Any]] = [
            {"segment_type": "large", **segment} for segment in segments
        ]
        monkeypatch.setattr(torch.cuda, "memory_snapshot", lambda: self.segments)
        self.tensors = [tensor(), tensor()]
        found = call_storages(None, self.tensors)
        places = iter([0x1000 + 3 * KiB, 0x7000])
        found.by_address = {
            key: (reference, "cuda", size, next(places))
            for key, (reference, _, size, _) in found.by_address.items()
        }
        return found

    def test_a_graph_counts_with_its_free_memory_and_the_tensors_there(
        self, found: Storages
    ) -> None:
        class Captured:
            def pool(self) -> tuple[int, int]:
                return (0, 1)

        assert found.sizes() == {"cuda": 2 * KiB}
        found.add_graph(Captured())
        assert found.sizes() == {"cuda": (3 + 2) * KiB + KiB}
        other = Storages()
        other.merge(found)
        assert other.sizes() == found.sizes()
        assert found.without(other).sizes() == {}
        self.tensors.clear()
        assert found.sizes() == {"cuda": 3 * KiB}

    def test_of_small_segments_only_the_tensors_count(self, found: Storages) -> None:
        class Captured:
            def pool(self) -> tuple[int, int]:
                return (0, 1)

        self.segments[0]["segment_type"] = "small"
        found.add_graph(Captured())
        assert found.sizes() == {"cuda": KiB + KiB}

    def test_one_that_was_never_captured_has_none(self, found: Storages) -> None:
        class Empty:
            def pool(self) -> None:
                raise RuntimeError("Called CUDAGraph::pool() without a successful capture")

        found.add_graph(Empty())
        assert found.sizes() == {"cuda": 2 * KiB}


class TestWhatACallUses:
    def used(self, function: Callable[[], object]) -> int:
        with UsedStorages() as used:
            function()
        gc.collect()
        assert used.operated
        return size_of(used.storages)

    def test_its_weights_wherever_they_are_kept(self) -> None:
        x = tensor()
        # 1 KiB of weights and 1 KiB of input; not the table and the scratch, which it does not use.
        assert self.used(lambda: GLOBAL_CACHE["model"](x)) == 2 * KiB

    def test_what_it_makes_is_its_own_unless_it_keeps_it(self) -> None:
        x, kept = tensor(), []
        assert self.used(lambda: (x + 1) * 2) == KiB
        assert self.used(lambda: kept.append((x + 1).add_(1))) == 2 * KiB

    def test_a_call_without_operations_is_known(self) -> None:
        with UsedStorages() as used:
            sum(range(10))
        assert not used.operated


class TestParts:
    def parts(self, storages: Storages, names: dict[int, str], device: str = "cpu") -> Any:
        found = breakdown_of(storages.parts(device, names))
        assert found.total == storages.sizes()[device]
        return {part.name: (part.value, part.count) for part in found.parts}

    def test_parameters_have_names_and_the_rest_has_one(self) -> None:
        model, x = Model(), tensor(3 * KiB)
        found = call_storages(model, (x,))
        assert self.parts(found, parameter_names([model])) == {
            "weight in Model": (KiB, 1),
            "table in Model": (KiB, 1),
            "weight in Model.inner": (KiB, 1),
            "table in Model.inner": (KiB, 1),
            # The input, and what the modules hold beside parameters and buffers.
            "tensors outside of modules": (5 * KiB, 3),
        }
        assert self.parts(found, {}) == {"tensors outside of modules": (9 * KiB, 7)}

    def test_what_is_freed_is_no_part(self) -> None:
        model, kept = Model(nested=False), tensor()
        found = call_storages(lambda: None, (model, kept))
        names = parameter_names([model])
        del model
        gc.collect()
        assert self.parts(found, names) == {"tensors outside of modules": (KiB, 1)}

    def test_of_another_device_there_is_none(self) -> None:
        assert self.parts(call_storages(Model(), ()), {}, "cuda") == {}

    def test_a_composed_parameter_is_named_in_all_of_its_parts(self) -> None:
        model = torch.nn.Module()
        model.register_buffer("mask", torch.eye(4).to_sparse())
        found = self.parts(call_storages(lambda: model, ()), parameter_names([model]))
        assert list(found) == ["mask in Module"]


def test_what_the_test_held_is_that_of_the_meter() -> None:
    from pytest_pareto.measure.meters.memory import MemoryMeter

    pad, model, x = tensor(8 * KiB), Model(), tensor()
    held = call_storages(model, (x,))
    held.merge(variable_storages([pad]))
    _, found = measure_call(model, (x,), {}, meters=[MemoryMeter()], held=held)
    values = {each.metric.name: each.values for each in found if each.values}
    assert values == {
        "resident_memory": ((8 + 6 + 1) * KiB,),
        "host_peak_memory": (KiB,),
    }
