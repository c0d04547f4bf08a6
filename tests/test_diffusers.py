"""Stages of diffusers pipelines: mostly in virtual time, in which only the parts take any."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import transformers
from diffusers import callbacks

from pytest_pareto import diffusers as staging
from pytest_pareto.diffusers import StagedPipeline, by_stage
from pytest_pareto.measure.measuring import measure_call
from pytest_pareto.measure.stage_clocks import CudaClock, HostClock
from pytest_pareto.measure.stages import NoStagesError, stage_measurements, stages_of

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

ENCODE_NS, FORWARD_NS, DECODE_NS, CALLBACK_NS = 100, 10, 1000, 3


class Part(diffusers.ModelMixin):  # type: ignore[misc]  # diffusers is untyped
    """A part of a pipeline, whatever its work: it hands on what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, x: Any, *_: Any) -> Any:
        return x * self.weight


class TinyPipeline(diffusers.DiffusionPipeline):  # type: ignore[misc]  # diffusers is untyped
    """Encodes, steps and decodes, and calls back in the way of diffusers' own pipelines."""

    def __init__(self, text_encoder: Any, unet: Any, vae: Any) -> None:
        super().__init__()
        self.register_modules(text_encoder=text_encoder, unet=unet, vae=vae)
        self.forwards = 1

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not read by mypy
    def __call__(
        self,
        prompt: Any,
        num_inference_steps: int = 2,
        callback_on_step_end: Any = None,
        callback_on_step_end_tensor_inputs: Any = ("latents",),
    ) -> Any:
        kinds = (callbacks.PipelineCallback, callbacks.MultiPipelineCallbacks)
        if isinstance(callback_on_step_end, kinds):
            callback_on_step_end_tensor_inputs = callback_on_step_end.tensor_inputs
        embeds = self.text_encoder(prompt)
        latents = torch.ones_like(embeds)
        for i in range(num_inference_steps):
            for _ in range(self.forwards):
                latents = self.unet(latents, i) + embeds
            if callback_on_step_end is not None:
                here = {"latents": latents, "embeds": embeds}
                asked = {name: here[name] for name in callback_on_step_end_tensor_inputs}
                latents = callback_on_step_end(self, i, i, asked).pop("latents", latents)
        return self.vae(latents)


def tiny() -> Any:
    return TinyPipeline(Part(), Part(), Part())


class VirtualTime:
    """A clock that only the parts of a pipeline move on."""

    def __init__(self) -> None:
        self.now_ns = 0

    def takes(self, module: Any, nanoseconds: int) -> None:
        module.register_forward_hook(lambda *_: self.passes(nanoseconds))

    def passes(self, nanoseconds: int) -> None:
        self.now_ns += nanoseconds

    def of(self, pipeline: Any) -> StagedPipeline:
        return StagedPipeline(pipeline, clock_for=lambda _: HostClock(lambda: self.now_ns))


@pytest.fixture
def virtual() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
def pipeline(virtual: VirtualTime) -> Any:
    made = tiny()
    virtual.takes(made.text_encoder, ENCODE_NS)
    virtual.takes(made.unet, FORWARD_NS)
    virtual.takes(made.vae, DECODE_NS)
    return made


PROMPT = torch.full((1, 4), 0.5)


def nanoseconds(staged: StagedPipeline) -> dict[str, float]:
    return {name: round(1e9 * seconds, 3) for name, seconds in staged.stages().items()}


def why_not(staged: StagedPipeline) -> str:
    with pytest.raises(NoStagesError) as caught:
        staged.stages()
    assert caught.value.names == ("encode", "step", "decode")
    return caught.value.reason


def hooks(pipeline: Any) -> int:
    return sum(len(module._forward_pre_hooks) for module in pipeline.unet.modules())


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


@pytest.mark.parametrize("positional", [True, False])
def test_the_callback_of_the_user_is_heard_and_obeyed(
    virtual: VirtualTime, pipeline: Any, positional: bool
) -> None:
    heard: list[Any] = []

    def callback(*told: Any) -> dict[str, Any]:
        virtual.passes(CALLBACK_NS)
        heard.append(told)
        return {"latents": told[3]["latents"] + 1}

    staged = virtual.of(pipeline)
    expected = pipeline(PROMPT, 3, callback, ("latents", "embeds"))
    once, heard[:] = list(heard), []
    if positional:
        found = staged(PROMPT, 3, callback, ("latents", "embeds"))
    else:
        names = {"callback_on_step_end_tensor_inputs": ("latents", "embeds")}
        found = staged(PROMPT, 3, callback_on_step_end=callback, **names)
    assert torch.equal(found, expected)
    assert [(told[:3], [*told[3]]) for told in heard] == [
        ((pipeline, i, i), ["latents", "embeds"]) for i in range(3)
    ]
    assert len(once) == len(heard)
    # What it does is part of its step, also of the last one.
    assert nanoseconds(staged)["step"] == FORWARD_NS + CALLBACK_NS
    assert nanoseconds(staged)["decode"] == DECODE_NS


def test_a_callback_of_diffusers_own_kind_gets_the_tensors_that_it_asks_for() -> None:
    class Adding(callbacks.PipelineCallback):  # type: ignore[misc]  # diffusers is untyped
        tensor_inputs = ("embeds", "latents")

        def callback_fn(self, _pipeline: Any, _step: Any, _timestep: Any, tensors: Any) -> Any:
            return {"latents": tensors["latents"] + tensors["embeds"]}

    pipeline = tiny()
    staged = by_stage(pipeline)
    for callback in (Adding(), callbacks.MultiPipelineCallbacks([Adding()])):
        expected = pipeline(PROMPT, callback_on_step_end=callback)
        assert torch.equal(staged(PROMPT, callback_on_step_end=callback), expected)
        assert not torch.equal(staged(PROMPT), expected)


@pytest.mark.parametrize("where", ["text_encoder", "unet", "vae"])
def test_a_call_that_raises_is_its_own_and_leaves_nothing(where: str) -> None:
    pipeline = tiny()
    staged = by_stage(pipeline)
    staged(PROMPT)
    handle = getattr(pipeline, where).register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        staged(PROMPT)
    assert hooks(pipeline) == 0
    assert why_not(staged) == "the latest call did not end"
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


@pytest.mark.parametrize("how", ["torch.compile(unet)", "unet.compile()"])
def test_a_compiled_denoiser_is_timed(virtual: VirtualTime, how: str) -> None:
    pipeline = tiny()
    virtual.takes(pipeline.vae, DECODE_NS)
    virtual.takes(pipeline.text_encoder, ENCODE_NS)
    if how == "unet.compile()":
        pipeline.unet.compile(backend="eager")
    else:
        pipeline.unet = torch.compile(pipeline.unet, backend="eager")
    staged = virtual.of(pipeline)
    staged(PROMPT)
    assert nanoseconds(staged) == {"encode": ENCODE_NS, "step": 0, "decode": DECODE_NS}


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


# Nothing is guessed: where the stages cannot be told apart, the call works and the reason is told.


def test_before_the_first_call_there_are_none() -> None:
    assert why_not(by_stage(tiny())) == "the pipeline was not called yet"


def test_a_pipeline_without_callbacks_is_measured_as_it_is() -> None:
    unet = diffusers.UNet2DModel(
        sample_size=8,
        block_out_channels=(8,),
        down_block_types=("DownBlock2D",),
        up_block_types=("UpBlock2D",),
        norm_num_groups=4,
        layers_per_block=1,
    )
    pipeline = diffusers.DDIMPipeline(unet, diffusers.DDIMScheduler())
    pipeline.set_progress_bar_config(disable=True)
    staged = by_stage(pipeline)
    assert staged(num_inference_steps=1, output_type="np").images.shape == (1, 8, 8, 3)
    assert why_not(staged) == (
        "DDIMPipeline takes no callback_on_step_end, so its steps cannot be told apart"
    )


def test_the_example_draws_digits_without_callbacks() -> None:
    from digits_diffusion.pipeline import load_pipeline

    staged = by_stage(load_pipeline())
    assert staged([3], [0], num_inference_steps=1).shape == (1, 1, 8, 8)
    assert why_not(staged).startswith("DigitPipeline takes no callback_on_step_end")


def test_a_pipeline_whose_denoiser_is_no_module_is_measured_as_it_is() -> None:
    pipeline = tiny()
    pipeline.unet = lambda latents, _: latents  # as engines are that replace a module
    staged = by_stage(pipeline)
    assert staged(PROMPT).shape == (1, 4)
    assert why_not(staged) == (
        "TinyPipeline has no denoiser that is a torch module; looked for unet, transformer, "
        "transformer_2, controlnet, prior, decoder, model"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"num_inference_steps": 0}, "the pipeline never called its callback_on_step_end"),
        ({"forwards": 0}, "the pipeline ran its steps without calling its denoiser"),
    ],
)
def test_steps_that_were_not_seen_are_not_guessed(change: dict[str, int], reason: str) -> None:
    pipeline = tiny()
    pipeline.forwards = change.pop("forwards", 1)
    staged = by_stage(pipeline)
    assert staged(PROMPT, **change).shape == (1, 4)
    assert why_not(staged) == reason
    assert hooks(pipeline) == 0


def test_a_device_whose_work_no_clock_sees_is_not_timed_by_the_hosts() -> None:
    staged = StagedPipeline(tiny(), clock_for=lambda _: None)
    staged(PROMPT)
    assert why_not(staged) == (
        "stages are timed on CUDA and on the processor; TinyPipeline works on cpu"
    )


def test_a_pipeline_over_several_devices_has_no_one_clock() -> None:
    pipeline = tiny()
    pipeline.hf_device_map = {"unet": 0, "vae": 1}
    staged = by_stage(pipeline)
    staged(PROMPT)
    assert why_not(staged) == "TinyPipeline is spread over several devices (0, 1)"


@pytest.mark.parametrize("offloaded_to", ["cuda", "cuda:0"])
def test_a_pipeline_that_moved_is_noticed_and_followed(offloaded_to: str) -> None:
    class Moving(TinyPipeline):
        _execution_device = offloaded_to

    asked: list[object] = []

    def clock_for(device: object) -> HostClock:
        asked.append(device)
        return HostClock()

    staged = StagedPipeline(Moving(Part(), Part(), Part()), clock_for=clock_for)
    staged(PROMPT)
    assert why_not(staged) == (
        f"the denoiser ran on cpu and not on {offloaded_to}, where it was expected"
    )
    staged(PROMPT)
    assert [*staged.stages()] == ["encode", "step", "decode"]
    assert asked == [offloaded_to, torch.device("cpu")]


def test_parts_that_do_not_say_where_they_are_are_where_their_weights_are() -> None:
    asked: list[object] = []
    # torch's own modules have no `device`, so the pipeline has none either.
    parts = [torch.nn.PReLU(device="meta") for _ in range(3)]
    staged = StagedPipeline(TinyPipeline(*parts), clock_for=asked.append)
    staged(PROMPT.to("meta"), num_inference_steps=0)
    assert asked == [torch.device("meta")]
    assert why_not(staged).endswith("TinyPipeline works on meta")


def test_a_device_without_an_index_is_the_current_one() -> None:
    assert staging._is_within(torch.device("cuda:1"), torch.device("cuda"))
    assert not staging._is_within(torch.device("cuda:1"), torch.device("cuda:0"))


# In real time: a slower part shows in its own stage.


def slow_decoder_shows() -> bool:
    """Whether 20 ms more in the decoder show in `decode` and nowhere else."""
    pipeline = tiny()
    staged = by_stage(pipeline)
    before = fastest(staged)
    pipeline.vae.register_forward_hook(lambda *_: time.sleep(0.02))
    more = {name: seconds - before[name] for name, seconds in fastest(staged).items()}
    return more["decode"] >= 0.019 and more["step"] < 0.005 and more["encode"] < 0.005


def fastest(staged: StagedPipeline) -> dict[str, float]:
    """Each stage at its fastest of three calls: the machine may be busy during some."""
    calls = []
    for _ in range(3):
        staged(PROMPT)
        calls.append(staged.stages())
    return {name: min(call[name] for call in calls) for name in calls[0]}


def test_a_slower_decoder_shows_in_decode_alone() -> None:
    assert slow_decoder_shows()


@pytest.mark.parametrize("swapped", [("stepped", "end"), ("end", "stepped")])
def test_marks_in_the_wrong_place_would_not_show_it(
    monkeypatch: pytest.MonkeyPatch, swapped: tuple[str, str]
) -> None:
    """The negative control: steps that end with the call, or a call that ends with its steps."""
    wrong, meant = swapped

    class Misplaced(staging._Marks):
        def seconds(self) -> dict[str, float]:
            setattr(self, wrong, getattr(self, meant))
            return super().seconds()

    monkeypatch.setattr(staging, "_Marks", Misplaced)
    assert not slow_decoder_shows()


# Real pipelines, from configurations.


def tiny_vae(**more: Any) -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(8,), latent_channels=4, norm_num_groups=4, sample_size=8, **more
    )


@pytest.fixture
def stable_diffusion(tmp_path: Path) -> Any:
    words = ("<|startoftext|>", "<|endoftext|>", "a</w>")
    (tmp_path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(tmp_path, model_max_length=8)
    text = transformers.CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=8,
        bos_token_id=0,
        eos_token_id=1,
    )
    unet = diffusers.UNet2DConditionModel(
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        block_out_channels=(8,),
        layers_per_block=1,
        cross_attention_dim=8,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    pipeline = diffusers.StableDiffusionPipeline(
        tiny_vae(),
        transformers.CLIPTextModel(text),
        tokenizer,
        unet,
        diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),
        None,
        None,
        None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


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


def test_its_own_callbacks_work_beside_ours(stable_diffusion: Any) -> None:
    cutoff = callbacks.SDCFGCutoffCallback(cutoff_step_ratio=None, cutoff_step_index=0)
    widths: list[int] = []
    unet = stable_diffusion.unet
    unet.register_forward_pre_hook(lambda _, args: widths.append(len(args[0])))
    staged = by_stage(stable_diffusion)
    staged("a", num_inference_steps=3, output_type="latent", callback_on_step_end=cutoff)
    assert widths == [2, 1, 1]  # guidance ends after the first step
    assert [*staged.stages()] == ["encode", "step", "decode"]


def test_a_transformer_is_a_denoiser_too(virtual: VirtualTime) -> None:
    transformer = diffusers.FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=8,
        pooled_projection_dim=8,
        axes_dims_rope=(2, 2, 4),
    )
    vae = tiny_vae(shift_factor=0.0, use_quant_conv=False, use_post_quant_conv=False)
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    pipeline = diffusers.FluxPipeline(scheduler, vae, None, None, None, None, transformer)
    pipeline.set_progress_bar_config(disable=True)
    virtual.takes(transformer, FORWARD_NS)
    virtual.takes(vae.decoder, DECODE_NS)
    staged = virtual.of(pipeline)
    staged(
        prompt_embeds=torch.zeros(1, 4, 8),
        pooled_prompt_embeds=torch.zeros(1, 8),
        height=16,
        width=16,
        num_inference_steps=2,
        output_type="np",
    )
    assert nanoseconds(staged) == {"encode": 0, "step": FORWARD_NS, "decode": DECODE_NS}


# On a CUDA device.

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
    """Seconds of one call by its launch and by events, and whether it left work to wait for."""
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
