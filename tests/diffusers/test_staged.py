"""Stages of diffusers pipelines, mostly in virtual time, in which only the parts take time."""

import subprocess
import sys
from typing import Any

import pytest
import torch

from pytest_pareto.diffusers import StagedPipeline, by_stage
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.stages import HostClock, stage_measurements, stages_of
from tests.diffusers.tiny import (
    DECODE_NS,
    ENCODE_NS,
    FORWARD_NS,
    PROMPT,
    Part,
    TinyPipeline,
    VirtualTime,
    absence_reason,
    hooks,
    nanoseconds,
    tiny,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.mark.parametrize("steps", [1, 5])
def test_a_step_is_as_long_whatever_the_number_of_steps(
    virtual: VirtualTime, pipeline: Any, steps: int
) -> None:
    staged = virtual.of(pipeline)
    staged(PROMPT, num_inference_steps=steps)
    expected = {"encode": ENCODE_NS, "step": FORWARD_NS, "decode": DECODE_NS}
    assert nanoseconds(staged) == expected
    assert virtual.now_ns == ENCODE_NS + steps * FORWARD_NS + DECODE_NS


def test_guidance_in_two_calls_is_one_step(virtual: VirtualTime, pipeline: Any) -> None:
    pipeline.forwards = 2
    staged = virtual.of(pipeline)
    staged(PROMPT)
    assert nanoseconds(staged) == {
        "encode": ENCODE_NS,
        "step": 2 * FORWARD_NS,
        "decode": DECODE_NS,
    }


def test_the_call_is_the_pipelines_own() -> None:
    pipeline = tiny()
    expected = pipeline(PROMPT, 3)
    assert torch.equal(by_stage(pipeline)(PROMPT, 3), expected)
    result, other = object(), type("Other", (), {"__call__": lambda *_, **__: result})()
    assert by_stage(other)(1, two=2) is result


@pytest.mark.parametrize("where", ["text_encoder", "unet", "vae"])
def test_a_call_that_raises_is_its_own_and_leaves_nothing(where: str) -> None:
    pipeline = tiny()
    staged = by_stage(pipeline)
    staged(PROMPT)
    handle = getattr(pipeline, where).register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        staged(PROMPT)
    assert hooks(pipeline) == 0
    assert absence_reason(staged) == "the latest call did not end"
    handle.remove()
    staged(PROMPT)
    assert [*staged.stages()] == ["encode", "step", "decode"]


def test_a_call_within_a_call_leaves_nothing(virtual: VirtualTime, pipeline: Any) -> None:
    staged = virtual.of(pipeline)
    inner: list[Any] = []

    def callback(_pipeline: Any, step: int, _timestep: Any, tensors: Any) -> Any:
        staged(PROMPT)
        inner.append(nanoseconds(staged))
        return tensors

    staged(PROMPT, 2, callback)
    one_call = ENCODE_NS + 2 * FORWARD_NS + DECODE_NS
    assert inner == [{"encode": ENCODE_NS, "step": FORWARD_NS, "decode": DECODE_NS}] * 2
    assert nanoseconds(staged) == {
        "encode": ENCODE_NS,
        "step": FORWARD_NS + one_call,
        "decode": DECODE_NS,
    }
    assert hooks(pipeline) == 0


def test_the_measuring_loop_gets_a_reading_of_each_call() -> None:
    staged = by_stage(tiny())
    result, _ = measure_call(staged, (PROMPT,), {}, meters=())
    rounds = []
    for _ in range(3):
        staged(PROMPT)
        rounds.append(stages_of(staged))
    found = stage_measurements(rounds)
    assert torch.equal(result, tiny()(PROMPT))
    assert [each.metric.name for each in found] == ["encode_time", "step_time", "decode_time"]
    assert {len(each.values) for each in found} == {3}


# Where the stages cannot be distinguished, the call works and the stages have a reason.


def test_before_the_first_call_there_are_none() -> None:
    assert absence_reason(by_stage(tiny())) == "the pipeline was not called yet"


def test_a_device_whose_work_no_clock_sees_is_not_timed_by_the_hosts() -> None:
    staged = StagedPipeline(tiny(), clock_for=lambda _: None)
    staged(PROMPT)
    assert absence_reason(staged) == (
        "stages are timed on CUDA and on the processor; TinyPipeline works on cpu"
    )


def test_a_pipeline_over_several_devices_has_no_one_clock() -> None:
    pipeline = tiny()
    pipeline.hf_device_map = {"unet": 0, "vae": 1}
    staged = by_stage(pipeline)
    staged(PROMPT)
    assert absence_reason(staged) == "TinyPipeline is spread over several devices (0, 1)"


@pytest.mark.parametrize("offloaded_to", ["cuda", "cuda:0"])
def test_a_pipeline_that_moved_is_noticed_and_followed(offloaded_to: str) -> None:
    class Moving(TinyPipeline):
        _execution_device = offloaded_to

    requested: list[object] = []

    def clock_for(device: object) -> HostClock:
        requested.append(device)
        return HostClock()

    staged = StagedPipeline(Moving(Part(), Part(), Part()), clock_for=clock_for)
    staged(PROMPT)
    assert absence_reason(staged) == (
        f"the denoiser ran on cpu and not on {offloaded_to}, where it was expected"
    )
    staged(PROMPT)
    assert [*staged.stages()] == ["encode", "step", "decode"]
    assert requested == [offloaded_to, torch.device("cpu")]


def test_stable_diffusion_has_its_stages(stable_diffusion: Any, virtual: VirtualTime) -> None:
    pipeline = stable_diffusion
    virtual.takes(pipeline.text_encoder, ENCODE_NS)
    virtual.takes(pipeline.unet, FORWARD_NS)
    virtual.takes(pipeline.vae.decoder, DECODE_NS)
    staged = virtual.of(pipeline)
    seed = torch.Generator().manual_seed(0)
    images = staged("a a", num_inference_steps=3, generator=seed, output_type="np").images
    # The empty prompt, for guidance, is a second call of the text encoder.
    expected = {"encode": 2 * ENCODE_NS, "step": FORWARD_NS, "decode": DECODE_NS}
    assert nanoseconds(staged) == expected
    seed.manual_seed(0)
    again = pipeline("a a", num_inference_steps=3, generator=seed, output_type="np").images
    assert (images == again).all()


def test_the_module_imports_neither_torch_nor_diffusers() -> None:
    program = (
        "import sys, pytest_pareto.diffusers as here\n"
        "print(here.__name__, {'torch', 'diffusers', 'numpy'} & set(sys.modules))\n"
        "import importlib.util as util\n"
        "print(util.find_spec('diffusers').origin != here.__file__)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["pytest_pareto.diffusers set()", "True"]
