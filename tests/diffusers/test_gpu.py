"""On a CUDA device the marks are events, and nothing waits."""

import time
from collections.abc import Callable
from typing import Any

import diffusers
import pytest
import torch

from pytest_pareto.diffusers import StagedPipeline, by_stage
from pytest_pareto.measure.stages import CudaClock, HostClock
from tests.diffusers.tiny import TinyPipeline

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


GPU_PARTS = {"text_encoder": 10, "unet": 20, "vae": 40}


class Products(diffusers.ModelMixin):  # type: ignore[misc]  # diffusers is untyped
    """Matrix products that take far longer than their launch."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.weight = torch.nn.Parameter(torch.eye(4096), requires_grad=False)

    def forward(self, x: Any, *_: Any) -> Any:
        for _again in range(self.count):
            x = x @ self.weight
        return x


@pytest.fixture
def on_gpu() -> Any:
    assert torch.cuda.is_available(), "these tests need a CUDA device"
    pipeline = TinyPipeline(**{name: Products(count) for name, count in GPU_PARTS.items()})
    pipeline.to("cuda")
    prompt = torch.ones(4096, 4096, device="cuda")
    pipeline(prompt)
    torch.cuda.synchronize()
    return by_stage(pipeline), prompt


def timed_on_gpu(
    function: Callable[..., Any], *args: Any, **kwargs: Any
) -> tuple[float, float, bool]:
    """Return seconds of one call by launch and by events, and whether it left work unfinished."""
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start = time.perf_counter()
    first.record()
    function(*args, **kwargs)
    last.record()
    launch, unfinished = time.perf_counter() - start, not last.query()
    torch.cuda.synchronize()
    return launch, first.elapsed_time(last) / 1e3, unfinished


def whole(staged: StagedPipeline, steps: int) -> float:
    stages = staged.stages()
    return stages["encode"] + steps * stages["step"] + stages["decode"]


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode:UserWarning")
def test_on_a_gpu_nothing_waits_and_the_stages_add_up(on_gpu: Any) -> None:
    staged, prompt = on_gpu

    def without_waiting() -> None:
        try:
            torch.cuda.set_sync_debug_mode("error")
            staged(prompt, num_inference_steps=3)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    launch, call, unfinished = timed_on_gpu(without_waiting)
    assert unfinished
    assert launch < 0.2 * call
    assert whole(staged, 3) == pytest.approx(call, rel=0.01)
    one = staged.stages()["step"] / GPU_PARTS["unet"]
    assert staged.stages()["encode"] == pytest.approx(GPU_PARTS["text_encoder"] * one, rel=0.2)
    assert staged.stages()["decode"] == pytest.approx(GPU_PARTS["vae"] * one, rel=0.2)


@pytest.mark.gpu
def test_on_a_gpu_a_clock_that_waits_would_be_seen(on_gpu: Any) -> None:
    class Waiting(CudaClock):
        def mark(self) -> Any:
            torch.cuda.synchronize()
            return super().mark()

    staged, prompt = on_gpu
    waiting = StagedPipeline(staged.pipeline, clock_for=lambda at: Waiting(torch.cuda, at))
    launch, call, unfinished = timed_on_gpu(waiting, prompt, num_inference_steps=3)
    assert not unfinished or launch > 0.5 * call


@pytest.mark.gpu
def test_on_a_gpu_the_hosts_clock_would_time_the_launches(on_gpu: Any) -> None:
    staged, prompt = on_gpu
    by_host = StagedPipeline(staged.pipeline, clock_for=lambda _: HostClock())
    _, call, _ = timed_on_gpu(by_host, prompt, num_inference_steps=3)
    assert whole(by_host, 3) < 0.2 * call


@pytest.mark.gpu
def test_on_a_gpu_stable_diffusion_adds_up(stable_diffusion: Any) -> None:
    staged = by_stage(stable_diffusion.to("cuda"))
    for _ in range(2):
        _, call, _ = timed_on_gpu(staged, "a", num_inference_steps=8, output_type="pt")
    assert whole(staged, 8) == pytest.approx(call, rel=0.01)
