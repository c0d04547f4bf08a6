import gc
import sys
import threading
import weakref
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")

from pytest_pareto.measure.module_scopes import (  # noqa: E402
    ModuleScopes,
    named_modules,
    parameter_names,
)

nn = torch.nn
X = torch.ones(2, 4)


class Journal:
    """Scopes that write down which modules begin and end, and what tests ask them to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scopes = ModuleScopes(self._enter, lambda path: self.lines.append(f"/{path}"))

    def _enter(self, path: str) -> str:
        self.lines.append(path)
        return path

    @property
    def begun(self) -> list[str]:
        return [line for line in self.lines if not line.startswith("/")]

    def of(self, *calls: Callable[[], object]) -> list[str]:
        """Return the paths of the modules that begin in these calls."""
        with self.scopes:
            for call in calls:
                call()
        return self.begun


class Block(torch.nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(4, 4)
        self.down = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return self.down(self.up(x))


class Net(torch.nn.Module):  # type: ignore[misc]
    def __init__(self, layers: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(Block() for _ in range(layers)))

    def forward(self, x: Any) -> Any:
        return self.layers(x)


class Calling(torch.nn.Module):  # type: ignore[misc]
    """Calls a function with what it is called with."""

    def __init__(self, function: Callable[[Any], Any], **held: Any) -> None:
        super().__init__()
        self.function = function
        for name, module in held.items():
            self.add_module(name, module)

    def forward(self, x: Any) -> Any:
        return self.function(x)


@pytest.fixture
def journal() -> Journal:
    return Journal()


class TestFollowing:
    """By the way of this version of Python: monitoring from 3.12 on, replacement before."""

    def test_modules_begin_and_end_in_the_order_of_their_calls(self, journal: Journal) -> None:
        block = Block()
        journal.of(lambda: block(X))
        assert journal.lines == [
            *("Block", "Block.up", "/Block.up", "Block.down", "/Block.down", "/Block")
        ]

    def test_the_path_is_that_of_the_innermost_module(self) -> None:
        paths = []

        def note(x: Any) -> Any:
            paths.append(scopes.path)
            return x

        inner = Calling(note)
        outer = Calling(lambda x: note(inner(x)), inner=inner)
        with (scopes := ModuleScopes()):
            outer(X)
            paths.append(scopes.path)
        assert paths == ["Calling.inner", "Calling", ""]

    def test_a_module_that_raises_ends_with_its_caller(self, journal: Journal) -> None:
        def fail(_: Any) -> None:
            raise KeyError("mine")

        def catch(x: Any) -> Any:
            with pytest.raises(KeyError, match="mine"):
                failing(x)
            return after(x)

        failing, after = Calling(fail), nn.ReLU()
        outer = Calling(catch, failing=failing, after=after)
        assert journal.of(lambda: outer(X), lambda: after(X)) == [
            *("Calling", "Calling.failing", "Calling.after", "ReLU")
        ]
        assert len(journal.lines) == 2 * len(journal.begun)
        assert journal.lines.index("/Calling.failing") < journal.lines.index("/Calling")

    def test_an_outermost_module_that_raises_is_left(self, journal: Journal) -> None:
        def fail(_: Any) -> None:
            raise KeyError("mine")

        def call() -> None:
            with pytest.raises(KeyError, match="mine"):
                failing(X)

        failing, block = Calling(fail), Block()
        assert journal.of(call, lambda: block(X)) == ["Calling", "Block", "Block.up", "Block.down"]
        assert journal.lines[:3] == ["Calling", "/Calling", "Block"]

    def test_recursion(self, journal: Journal) -> None:
        depths = iter((1, 2, 3))
        module: Any = Calling(lambda x: module(x) if next(depths) < 3 else x)
        journal.of(lambda: module(X))
        assert journal.lines == ["Calling"] * 3 + ["/Calling"] * 3

    def test_other_threads_are_others(self, journal: Journal) -> None:
        block = Block()

        def call() -> None:
            thread = threading.Thread(target=block, args=(X,))
            thread.start()
            thread.join()

        assert journal.of(call) == []
        assert journal.of(call, lambda: block(X)) == ["Block", "Block.up", "Block.down"]

    def test_what_comes_after_the_block_is_not_followed(self, journal: Journal) -> None:
        block = Block()
        journal.of(lambda: block(X))
        before = list(journal.lines)
        block(X)
        assert journal.lines == before

    def test_nothing_is_left_behind(self, journal: Journal) -> None:
        call = nn.Module._call_impl
        with pytest.raises(ValueError, match="mine"), journal.scopes:
            raise ValueError("mine")
        assert nn.Module._call_impl is call
        monitoring = getattr(sys, "monitoring", None)
        if monitoring is not None:
            assert [monitoring.get_tool(each) for each in (3, 4)] == [None, None]

    def test_what_is_still_open_ends_with_the_block(self, journal: Journal) -> None:
        with journal.scopes as scopes:
            scopes.begin(nn.ReLU(), object())
        assert journal.lines == ["ReLU", "/ReLU"]
        assert scopes.path == ""

    def test_arguments_and_results_pass(self) -> None:
        module = Calling(lambda x: x + 1)
        with ModuleScopes():
            assert module(x=X).sum() == 2 * X.sum()


class TestCompiled:
    @pytest.fixture
    def graphs(self) -> list[object]:
        return []

    @pytest.fixture
    def backend(self, graphs: list[object]) -> Callable[..., Any]:
        def compile_graph(graph: Any, _: object) -> Any:
            graphs.append(graph)
            return graph.forward

        return compile_graph

    def with_break(self) -> Any:
        def call(x: Any) -> Any:
            x = outer.up(x)
            torch._dynamo.graph_break()
            return outer.down(x)

        outer = Calling(call, up=nn.Linear(4, 4), down=nn.Linear(4, 4))
        return outer

    @pytest.mark.parametrize("broken", [False, True])
    @torch.no_grad()  # type: ignore[untyped-decorator]
    def test_nothing_is_compiled_for_the_scopes(
        self, journal: Journal, graphs: list[object], backend: Any, broken: bool
    ) -> None:
        compiled = torch.compile(self.with_break() if broken else Net(), backend=backend)
        for _ in range(2):
            compiled(X)
        made, frames = len(graphs), dict(torch._dynamo.utils.counters["frames"])
        begun = journal.of(lambda: compiled(X), lambda: compiled(X))
        compiled(X)
        assert begun[0] == ("Calling" if broken else "Net")
        assert len(graphs) == made == (2 if broken else 1)
        assert dict(torch._dynamo.utils.counters["frames"]) == frames

    def test_what_is_compiled_has_the_names_of_the_original(self) -> None:
        net = Net()
        compiled = torch.compile(net, backend="eager")
        assert list(dict(named_modules(compiled))) == list(dict(named_modules(net)))
        assert parameter_names([compiled]) == parameter_names([net])


class TestPaths:
    def test_a_stack_of_more_than_2_layers_of_one_class_is_one_name(self, journal: Journal) -> None:
        few, many = Net(2), Net(3)
        assert "Net.layers.1.up" in journal.of(lambda: few(X))
        begun = Journal().of(lambda: many(X))
        assert begun[:5] == [
            *("Net", "Net.layers", "Net.layers.*", "Net.layers.*.up", "Net.layers.*.down")
        ]
        assert len(set(begun)) == 5

    def test_a_sequence_of_several_classes_has_numbers_up_to_8(self) -> None:
        few = nn.Sequential(*(kind() for kind in (nn.ReLU, nn.Tanh) * 4))
        assert "Sequential.7" in dict(named_modules(few))
        assert dict(named_modules(nn.Sequential(*few, nn.ReLU()))).keys() == {
            "Sequential",
            "Sequential.*",
        }

    def test_modules_with_names_of_their_own_keep_them(self) -> None:
        module = nn.ModuleDict({f"part {i}": nn.ReLU() for i in range(20)})
        assert "ModuleDict.part 19" in dict(named_modules(module))

    def test_a_module_from_elsewhere_stands_below_its_caller(self, journal: Journal) -> None:
        outer = Calling(lambda x: nn.Softmax(1)(Block()(x)))
        assert journal.of(lambda: outer(X)) == [
            *("Calling", "Calling/Block", "Calling/Block/Linear", "Calling/Block/Linear"),
            "Calling/Softmax",
        ]

    def test_a_module_in_the_place_of_a_freed_one_has_its_own_name(self, journal: Journal) -> None:
        def call(x: Any) -> Any:
            for kind in (nn.ReLU, nn.Sigmoid, nn.Tanh) * 5:
                x = kind()(x)
            return x

        outer = Calling(call)
        names = [f"Calling/{name}" for name in ("ReLU", "Sigmoid", "Tanh")]
        assert journal.of(lambda: outer(X)) == ["Calling", *names * 5]
        roots = Journal().of(lambda: call(X))
        assert roots == ["ReLU", "Sigmoid", "Tanh"] * 5

    def test_several_roots(self, journal: Journal) -> None:
        first, second = Block(), nn.ReLU()
        assert journal.of(lambda: first(X), lambda: second(X), lambda: first(X)) == [
            *("Block", "Block.up", "Block.down", "ReLU", "Block", "Block.up", "Block.down")
        ]
        assert journal.scopes.roots == [first, second]

    def test_a_module_is_named_from_the_root_that_is_called(self, journal: Journal) -> None:
        net = Net()
        block = net.layers[0]
        for _ in range(2):
            journal.lines.clear()
            assert journal.of(lambda: block(X), lambda: net(X), lambda: block(X)) == [
                *("Block", "Block.up", "Block.down"),
                *("Net", "Net.layers", "Net.layers.0", "Net.layers.0.up", "Net.layers.0.down"),
                *("Net.layers.1", "Net.layers.1.up", "Net.layers.1.down"),
                *("Block", "Block.up", "Block.down"),
            ]

    def test_a_shared_module_has_its_first_name(self) -> None:
        shared = nn.Linear(4, 4)
        module = nn.Sequential(shared, nn.Sequential(shared))
        assert list(dict(named_modules(module))) == ["Sequential", "Sequential.0", "Sequential.1"]

    def test_a_module_that_holds_itself_ends(self) -> None:
        module = nn.Sequential(nn.ReLU())
        module[0].add_module("back", module)
        assert list(dict(named_modules(module))) == ["Sequential", "Sequential.0"]

    def test_modules_that_a_call_makes_are_not_kept(self, journal: Journal) -> None:
        made: list[weakref.ref[Any]] = []

        def call() -> None:
            block = Block()
            made.append(weakref.ref(block))
            block(X)

        with journal.scopes:
            call()
            gc.collect()
            assert [reference() for reference in made] == [None]
        assert journal.scopes.roots == []


def begin_in(scopes: ModuleScopes, module: Any, then: Callable[[], object]) -> FrameType:
    """Begin a module as monitoring does: by the frame of its call, which ends if none raises."""
    frame = sys._getframe()
    scopes.begin(module, frame)
    then()
    scopes.end(frame)
    return frame


class TestFrames:
    """What monitoring reports, of which exceptions are no part."""

    def test_an_outermost_module_that_raised_is_left_when_the_next_begins(
        self, journal: Journal
    ) -> None:
        scopes, block = journal.scopes, Block()
        with pytest.raises(KeyError):
            begin_in(scopes, nn.ReLU(), {}.popitem)
        begin_in(scopes, block, lambda: begin_in(scopes, block.up, int))
        assert journal.lines == [*("ReLU", "/ReLU", "Block", "Block.up", "/Block.up", "/Block")]

    def test_one_within_others_too(self, journal: Journal) -> None:
        scopes, block = journal.scopes, Block()

        def call() -> None:
            with pytest.raises(KeyError):
                begin_in(scopes, block.up, {}.popitem)
            begin_in(scopes, block.down, int)

        begin_in(scopes, block, call)
        assert journal.lines == [
            *("Block", "Block.up", "/Block.up", "Block.down", "/Block.down", "/Block")
        ]


class TestParameterNames:
    def names(self, *roots: Any) -> dict[str, int]:
        return {name: address for address, name in parameter_names(list(roots)).items()}

    def test_parameters_and_buffers_by_module(self) -> None:
        module = nn.Sequential(nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4))
        assert self.names(module).keys() == {
            *("weight in Sequential.0", "weight in Sequential.1", "bias in Sequential.1"),
            *("running_mean in Sequential.1", "running_var in Sequential.1"),
            "num_batches_tracked in Sequential.1",
        }

    def test_they_are_of_the_storage(self) -> None:
        layer = nn.Linear(4, 4)
        address = layer.weight.detach()[1:].untyped_storage()._cdata
        assert parameter_names([layer])[address] == "weight in Linear"

    def test_tied_weights_have_the_first_name(self) -> None:
        module = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
        module[1].weight = module[0].weight
        assert self.names(module).keys() == {"weight in Sequential.0"}

    def test_the_same_layer_of_a_stack_has_one_name(self) -> None:
        names = parameter_names([nn.Sequential(*(nn.Linear(4, 4) for _ in range(9)))])
        assert len(names) == 18
        assert set(names.values()) == {"weight in Sequential.*", "bias in Sequential.*"}

    def test_of_a_sparse_one_each_storage_has_the_name(self) -> None:
        module = nn.Module()
        module.register_buffer("mask", torch.eye(4).to_sparse())
        names = parameter_names([module])
        assert names[module.mask._values().untyped_storage()._cdata] == "mask in Module"
        assert set(names.values()) == {"mask in Module"}

    def test_what_has_no_storage_has_no_name(self) -> None:
        module = nn.Module()
        module.register_parameter("bias", None)
        module.register_parameter("late", nn.parameter.UninitializedParameter())
        if torch.backends.mkldnn.is_available():
            module.register_buffer("opaque", torch.ones(4).to_mkldnn())
        module.register_buffer("table", torch.ones(4))
        assert list(self.names(module)) == ["table in Module"]

    def test_of_several_roots(self) -> None:
        assert self.names(nn.Linear(4, 4), nn.PReLU()).keys() == {
            *("weight in Linear", "bias in Linear", "weight in PReLU")
        }
