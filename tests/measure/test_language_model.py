"""A small causal language model with random weights, streamed on the processor."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_pareto.measure.measurement import built_in_meters, measure_call
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.measure.streams import Stream
from pytest_pareto.model.run import Measurement

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")

TOKENS = 8


@pytest.fixture(scope="module")
def generate() -> Callable[[Any, int], Iterator[int]]:
    config = transformers.GPT2Config(
        n_layer=2,
        n_embd=64,
        n_head=2,
        vocab_size=256,
        n_positions=64,
        bos_token_id=None,
        eos_token_id=None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.GPT2LMHeadModel(config).eval()

    @torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not read by mypy
    def greedy(prompt: Any, tokens: int) -> Iterator[int]:
        given, past = prompt, None
        for _ in range(tokens):
            out = model(given, past_key_values=past)
            given, past = out.logits[:, -1:].argmax(-1), out.past_key_values
            yield int(given)

    return greedy  # type: ignore[no-any-return]  # the same


def test_time_to_first_token_and_tokens_per_second(
    generate: Callable[[Any, int], Iterator[int]],
) -> None:
    prompt = torch.arange(16)[None]
    tokens, measured = measure_call(
        Stream(generate),
        (prompt, TOKENS),
        {},
        meters=built_in_meters(),
        plan=LoopPlan(rounds=5, warmup=1),
    )
    assert tokens == list(generate(prompt, TOKENS))
    found: dict[str, Measurement] = {each.metric.name: each for each in measured}
    reason = found["latency"].absent
    if reason is not None:
        pytest.skip(reason)  # under coverage no time is measured
    assert found["items"].values == (8.0,)
    for latency_s, first_s, each_s, rate in zip(
        *(
            found[name].values
            for name in ("latency", "time_to_first_item", "time_per_item", "items_per_second")
        ),
        strict=True,
    ):
        assert first_s > 0
        assert each_s > 0
        assert first_s + (TOKENS - 1) * each_s == pytest.approx(latency_s)
        assert rate == pytest.approx(TOKENS / latency_s)
    # Counted over the whole stream: more than for the prompt alone.
    (flops,) = found["flops"].values
    (_, (alone, *_)) = measure_call(
        Stream(generate), (prompt, 1), {}, meters=built_in_meters()[-1:], plan=LoopPlan(rounds=1)
    )
    assert flops > alone.values[0] > 0
