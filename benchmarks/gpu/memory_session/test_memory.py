"""A language model of 1.1 billion parameters (random weights) beside neighbours of every kind.

With `PLANTED` 48 MiB lie beside the model or in its calls: "attribute", "generator", "local" or
"call". `DEVICE` is where it runs: cuda unless it says otherwise.
"""

import functools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from memory import DEVICE, DTYPE, METRICS, SIZES, Llama, planted

LEAKED: list[Any] = []
LOADED: dict[int, Any] = {}
pytestmark = pytest.mark.pareto(rounds=1, warmup=1)


@pytest.fixture
def measure(pareto: Any) -> Any:
    return pareto.configure(metrics=METRICS).measure


@pytest.fixture(scope="module", autouse=True)
def without_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def llama() -> Iterator[Llama]:
    model = Llama(**SIZES["model"])
    beside = planted("generator")
    yield model
    del beside


@functools.cache
def layers(width: int) -> Any:
    """Return a small model, kept for the tests that follow."""
    with torch.device(DEVICE):
        parts = [torch.nn.Linear(width, width, dtype=DTYPE) for _ in range(8)]
    return torch.nn.Sequential(*parts)


def layers_by_hand(width: int) -> Any:
    if width not in LOADED:
        LOADED[width] = layers.__wrapped__(width)
    return LOADED[width]


def inputs(width: int) -> torch.Tensor:
    return torch.ones(SIZES["batch"], width, device=DEVICE, dtype=DTYPE)


def test_prefill(measure: Any, llama: Llama) -> None:
    tokens = torch.arange(SIZES["prompt"], device=DEVICE)[None] % SIZES["words"]
    beside = planted("local")
    measure(llama, tokens)
    del beside


def test_decode(measure: Any, llama: Llama) -> None:
    tokens = torch.arange(16, device=DEVICE)[None] % SIZES["words"]
    measure(llama.generate, tokens, steps=8)


@pytest.mark.parametrize("width", SIZES["widths"])
def test_eager(measure: Any, width: int) -> None:
    measure(layers(width), inputs(width))


@pytest.mark.parametrize("width", SIZES["widths"])
def test_graph(measure: Any, width: int) -> None:
    model, x = layers(width), inputs(width)
    if DEVICE != "cuda":
        pytest.skip("CUDA graphs need a CUDA device")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        model(x)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = model(x)
    measure(graph.replay)
    del result


def test_beside_a_reference(measure: Any) -> None:
    width, wider = SIZES["widths"]
    x = inputs(width)
    reference = layers_by_hand(wider)(inputs(wider))
    measure(lambda: layers_by_hand(width)(x))
    del reference


def test_leaks_and_garbage(measure: Any) -> None:
    size = SIZES["batch"] * 1_000_001
    LEAKED.append(torch.empty(size, dtype=torch.uint8, device=DEVICE))
    garbage: list[Any] = [torch.empty(3 * size, dtype=torch.uint8, device=DEVICE)]
    garbage.append(garbage)
    del garbage
    x = inputs(SIZES["widths"][0])
    measure(lambda: (x + 1) * 2)
