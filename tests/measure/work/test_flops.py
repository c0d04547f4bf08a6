import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_pareto.measure.meter import Calls
from pytest_pareto.measure.work.flops import Work, WorkMeter, count_work, measure_work
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import COUNTED_WITHOUT_DATA, FLOPS, OPERATIONS

CallsOf = Callable[..., Calls]


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


def _flops(calls: Calls) -> float:
    (found,) = WorkMeter().measure(calls)
    assert found.absent is None
    return found.values[0]


def test_a_matrix_product_is_two_m_n_k(torch: Any, calls_of: CallsOf) -> None:
    a, b = torch.ones(4, 8), torch.ones(8, 16)
    calls = calls_of(lambda: a @ b)
    assert _flops(calls) == 2 * 4 * 16 * 8
    assert calls.count == 1


def test_one_product_more_is_seen(torch: Any, calls_of: CallsOf) -> None:
    a = torch.ones(8, 8)
    assert _flops(calls_of(lambda: a @ a @ a)) == 2 * _flops(calls_of(lambda: a @ a))


def test_inference_mode_is_counted(torch: Any, calls_of: CallsOf) -> None:
    layer, x = torch.nn.Linear(8, 16), torch.ones(4, 8)

    def function() -> Any:
        with torch.inference_mode():
            return layer(x)

    assert _flops(calls_of(function)) == 2 * 4 * 16 * 8


def test_compiled_code_is_counted_as_it_was_written(torch: Any, calls_of: CallsOf) -> None:
    compiled_graphs: list[object] = []

    def backend(graph: Any, inputs: object) -> Any:
        compiled_graphs.append(graph)
        return graph.forward

    a, b = torch.ones(4, 8), torch.ones(8, 16)
    compiled = torch.compile(lambda: torch.relu(a @ b), backend=backend)
    compiled()
    assert _flops(calls_of(compiled)) == 2 * 4 * 16 * 8
    compiled()
    assert len(compiled_graphs) == 1  # counting does not make it compile again


def test_compilers_are_disabled_for_the_counted_call_alone(
    torch: Any, calls_of: CallsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The behaviour of compiled functions under a counter differs between versions of torch.
    journal: list[str] = []

    @contextmanager
    def set_stance(stance: str) -> Iterator[None]:
        journal.append(stance)
        yield
        journal.append("default")

    monkeypatch.setattr(torch.compiler, "set_stance", set_stance)
    monkeypatch.setitem(sys.modules, "torch._dynamo", torch._dynamo)
    WorkMeter().measure(calls_of(lambda: journal.append("call")))
    assert journal == ["force_eager", "call", "default"]


def test_attention_on_the_processor_is_counted_as_on_a_gpu(torch: Any, calls_of: CallsOf) -> None:
    heads, tokens, width = 2, 32, 16
    q = torch.ones(1, heads, tokens, width)
    attention = torch.nn.functional.scaled_dot_product_attention
    assert _flops(calls_of(lambda: attention(q, q, q))) == 2 * 2 * heads * tokens**2 * width


def test_attention_backward_on_the_processor_is_counted(torch: Any, calls_of: CallsOf) -> None:
    q = torch.ones(1, 2, 32, 16, requires_grad=True)
    attention = torch.nn.functional.scaled_dot_product_attention
    forward = _flops(calls_of(lambda: attention(q, q, q)))
    both = _flops(calls_of(lambda: attention(q, q, q).sum().backward()))
    # Backward makes five products where forward makes two.
    assert both == 3.5 * forward


def test_nothing_counted_is_absent_and_never_zero(torch: Any, calls_of: CallsOf) -> None:
    x = torch.ones(8)
    (found,) = WorkMeter().measure(calls_of(lambda: x + x))
    assert found.values == ()
    assert found.absent == "0 FLOPs counted: the call dispatched no operation that torch can count"


def test_code_that_only_the_counter_breaks_is_absent(torch: Any, calls_of: CallsOf) -> None:
    def function() -> Any:
        if torch.utils._python_dispatch._get_current_dispatch_mode() is not None:
            raise TypeError("no dispatch modes here\nsecond line")
        return torch.ones(1)

    calls = calls_of(function)
    (found,) = WorkMeter().measure(calls)
    assert found.absent == "counting raised TypeError: no dispatch modes here"
    assert calls.count == 2


def test_code_that_breaks_without_the_counter_too_is_the_functions_fault(
    torch: Any, calls_of: CallsOf
) -> None:
    def function() -> None:
        raise TypeError("always")

    calls = calls_of(function)
    with pytest.raises(TypeError, match="always") as raised:
        WorkMeter().measure(calls)
    assert raised.value is calls.raised


def test_the_counter_leaves_nothing_behind(torch: Any, calls_of: CallsOf) -> None:
    modes = torch.utils._python_dispatch._get_current_dispatch_mode_stack
    seen: list[bool] = []
    calls = calls_of(lambda: seen.append(bool(modes())))
    WorkMeter().measure(calls)
    calls.prepare()()
    assert seen == [True, False]


@pytest.mark.usefixtures("without_torch")
def test_without_torch_there_is_nothing_to_count() -> None:
    assert WorkMeter().absence() == "torch is not imported, and only its operations are counted"


def test_with_torch_there_is(monkeypatch: pytest.MonkeyPatch, fake_torch: SimpleNamespace) -> None:
    assert WorkMeter().absence() is None


def test_a_count_that_leaves_something_out_is_a_lower_bound(torch: Any, calls_of: CallsOf) -> None:
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no recurrent layer in one kernel on the processor")
    layer, x = torch.nn.LSTM(8, 8), torch.ones(5, 2, 8)
    (found,) = WorkMeter().measure(calls_of(lambda: layer(x)[0] @ torch.ones(8, 4)))
    assert found.values[0] == 5 * 2 * 8 * 4 * 2
    assert found.lower_bound == (
        "without the FLOPs of aten.mkldnn_rnn_layer, for which torch has no formula "
        "(torch.utils.flop_counter.register_flop_formula adds one)"
    )
    (alone,) = WorkMeter().measure(calls_of(lambda: layer(x)))
    assert str(alone.absent).endswith("can count, and aten.mkldnn_rnn_layer, which it cannot")


STABLE_DIFFUSION = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
ON_A_GPU = 15_366_893_993_984
"""FLOPs that torch's counter returned on an H200 for the pipeline in half precision: eight steps
of the UNet with guidance and the decoder, as its operations were dispatched there."""


def test_a_full_size_model_is_counted_as_on_a_gpu(torch: Any) -> None:
    diffusers = pytest.importorskip("diffusers")
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel(**STABLE_DIFFUSION)
        decoder = diffusers.AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
        )
        inputs = torch.empty(2, 4, 64, 64), torch.tensor(500), torch.empty(2, 77, 768)
        latents = torch.empty(1, 4, 64, 64)
    step = count_work(unet, *inputs)
    assert step == Work(flops=1_606_546_882_560, operations=727)
    assert 8 * step.flops + count_work(decoder.decode, latents).flops == ON_A_GPU


def small_model(torch: Any, device: str) -> tuple[Any, Any]:
    with torch.device(device):
        model = torch.nn.Sequential(
            torch.nn.Conv2d(3, 32, 3),
            torch.nn.GroupNorm(4, 32),
            torch.nn.SiLU(),
            torch.nn.Flatten(2),
            torch.nn.TransformerEncoderLayer(36, 4, 64, batch_first=True, dropout=0.0),
        )
        return model, torch.ones(2, 3, 8, 8)


@pytest.mark.parametrize("step", ["grad", "no_grad", "inference_mode", "training"])
def test_real_meta_and_fake_models_are_counted_alike(torch: Any, step: str) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    def call(model: Any, x: Any) -> None:
        if step == "training":
            model(x).sum().backward()
        else:
            with torch.enable_grad() if step == "grad" else getattr(torch, step)():
                model(x)

    with FakeTensorMode():
        fake = small_model(torch, "cpu")
    models = small_model(torch, "cpu"), small_model(torch, "meta"), fake
    first, *others = (count_work(call, *each) for each in models)
    assert others == [first, first]
    # The meter makes a real call and counts the same with the same counter.
    (found,) = WorkMeter().measure(Calls(call, lambda: (models[0], {}), clock=int))
    assert found.values == (first.flops,)


def test_what_a_function_closes_over_is_not_computed_with(torch: Any) -> None:
    a, b = torch.ones(10**5, 1), torch.ones(1, 10**5)
    assert count_work(lambda: (a + b) @ (a @ b)).flops == 2 * 10**10 + 2 * 10**15


def test_every_argument_goes_to_the_function(torch: Any) -> None:
    def function(function: Any, *, fn: Any) -> Any:
        return function @ fn

    assert count_work(function, torch.ones(2, 2), fn=torch.ones(2, 2)).flops == 16


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x + 1, "^0 FLOPs counted: the call dispatched no operation that torch can"),
        (lambda x: 1 if (x @ x).sum() > 0 else 0, "asks for numbers"),
        (lambda x: (y for y in x), "returned a generator"),
        (3, "of a function to call, not of 3"),
    ],
)
def test_what_cannot_be_counted_is_an_error(torch: Any, function: Any, message: str) -> None:
    with pytest.raises(ParetoError, match=message):
        count_work(function, torch.ones(2, 2))


def test_an_error_of_the_function_is_its_own_with_a_note(torch: Any) -> None:
    model, x = torch.nn.Linear(3, 3, device="meta"), torch.ones(2, 3)
    with pytest.raises(RuntimeError, match="device") as raised:
        count_work(model, x)
    (note,) = raised.value.__notes__
    assert "a model on the meta device needs its arguments there" in note


def test_without_torch_the_way_to_get_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ParetoError, match=r"install it: pip install '?torch"):
        count_work(len, [])


def test_importing_it_imports_no_torch() -> None:
    code = "from pytest_pareto import count_work; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_test_of_work_alone_gets_result_and_both_metrics(torch: Any) -> None:
    a = torch.ones(2, 4)
    result, found = measure_work(lambda x: (x @ x.t()) * 2, [a], {})
    assert result.shape == (2, 2)
    assert [(m.metric, m.values) for m in found] == [(FLOPS, (32.0,)), (OPERATIONS, (2.0,))]


def test_what_is_counted_without_data_alone_is_measured_there(torch: Any) -> None:
    a = torch.ones(2, 4)
    _, found = measure_work(lambda x: x @ x.t(), [a], {})
    assert {m.metric.name for m in found} == COUNTED_WITHOUT_DATA | {FLOPS.name}


def test_setup_makes_its_arguments_and_is_not_counted(torch: Any) -> None:
    def setup() -> tuple[Any]:
        return (torch.ones(4, 4) @ torch.ones(4, 4),)

    _, (flops, _) = measure_work(lambda x: x @ x, [], {}, setup=setup)
    assert flops.values == (2 * 4**3,)


def test_operations_can_be_counted_where_there_are_no_flops(torch: Any) -> None:
    x = torch.ones(4)
    with pytest.raises(ParetoError, match=r"0 FLOPs counted.*skip_metrics=\['flops'\]"):
        measure_work(lambda: x + x, [], {})
    _, found = measure_work(lambda: x + x, [], {}, skip=frozenset({"flops"}))
    assert [(m.metric, m.values) for m in found] == [(OPERATIONS, (1.0,))]


def test_a_test_of_work_alone_measures_some(torch: Any) -> None:
    with pytest.raises(ParetoError, match="both are left out"):
        measure_work(lambda: None, [], {}, skip=frozenset({"flops", "operations"}))
