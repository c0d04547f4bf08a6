"""Which operations without a formula may have FLOPs: a later torch has names that nobody knows."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from pytest_pareto.measure.work.flops import Work, call_and_count

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("aten._scaled_mm_v9", True),
        ("aten.addmm_", True),
        ("aten.slow_conv_dilated2d", True),
        ("aten._fused_attention_of_tomorrow", True),
        ("aten.quantized_lstm", True),
        ("quantized.conv2d_relu", True),
        ("mylib.rotate", True),
        ("aten._thnn_fused_lstm_cell", False),
        ("aten.upsample_linear1d", False),
        ("aten.upsample_bilinear2d", False),
        ("aten.lgamma", False),
        ("aten._cummax_helper", False),
        ("aten.mkldnn_reorder_conv2d_weight", False),
        ("quantized.linear_prepack", False),
        ("quantized.add_relu", False),
        ("c10d.allreduce_", False),
        ("torchvision.nms", False),
    ],
)
def test_names_of_torch_say_what_may_be_a_product(name: str, named: bool) -> None:
    from pytest_pareto.measure.work.operations import _may_be_a_product

    operation = SimpleNamespace(namespace=name.partition(".")[0])
    assert _may_be_a_product(operation, name) is named


def test_an_operation_of_higher_order_is_counted_by_its_larger_branch() -> None:
    x = torch.ones(4, 4)

    def call() -> object:
        cond = torch.ops.higher_order.cond
        return cond(torch.tensor(True), lambda y: y @ y, lambda y: y @ y @ y, (x,))

    try:
        _, work = call_and_count(call)
    except NotImplementedError:
        pytest.skip("this torch runs no such operation under a counter")
    assert work == Work(flops=2 * 2 * 4**3, operations=1)


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch moves them to another package
def test_a_quantized_recurrent_layer_is_named() -> None:
    """It was missed in silence: it is an operation of ATen."""
    if torch.backends.quantized.engine == "none":
        pytest.skip("this torch has no quantized layers")
    layer = torch.ao.nn.quantized.dynamic.LSTM(8, 8)
    _, work = call_and_count(lambda: (layer(torch.ones(5, 2, 8)), torch.ones(2, 2) @ torch.ones(2)))
    assert work == Work(0, work.operations, ("aten.quantized_lstm",))


class TestParts:
    """FLOPs by operation and module, by the names that a profile has too."""

    def parts(self, call: Callable[[], object]) -> dict[str, float]:
        _, work = call_and_count(call)
        assert work.breakdown.total == work.flops
        return {part.name: part.value for part in work.breakdown.parts}

    def test_they_are_named_by_operation_and_module(self) -> None:
        layers = torch.nn.Sequential(
            torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)
        )
        x = torch.ones(2, 8)
        assert self.parts(lambda: layers(x) @ torch.ones(4, 4)) == {
            "aten::addmm in Sequential.0": 2 * 2 * 8 * 16,
            "aten::addmm in Sequential.2": 2 * 2 * 16 * 4,
            "aten::mm": 2 * 2 * 4 * 4,
        }

    def test_what_backward_does_is_in_no_module(self) -> None:
        layer, x = torch.nn.Linear(8, 16), torch.ones(2, 8)
        forward = 2 * 2 * 8 * 16
        found = self.parts(lambda: layer(x).sum().backward())
        assert found == {"aten::addmm in Linear": forward, "aten::mm": forward}

    def test_a_layer_that_is_called_twice_is_one_part(self) -> None:
        layer, x = torch.nn.Linear(8, 8), torch.ones(2, 8)
        assert self.parts(lambda: layer(layer(x))) == {"aten::addmm in Linear": 2 * 2 * 2 * 8 * 8}

    def test_of_a_call_without_products_there_is_none(self) -> None:
        assert self.parts(lambda: torch.ones(2) + 1) == {}
