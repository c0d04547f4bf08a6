"""A causal language model (random weights), streamed and judged against its own baseline.

With `PLANTED=decode` every second token costs one more pass of the model, with `PLANTED=prefill`
the prompt is read twice. `DEVICE` is where it runs: cuda unless it says otherwise.
"""

import os
from typing import Any

import pytest
from stream import TOKENS, language_model


@pytest.mark.pareto(tolerance={"items_per_second": 0.05})
def test_tokens(pareto: Any) -> None:
    generate, prompt = language_model(
        os.environ.get("DEVICE", "cuda"), planted=os.environ.get("PLANTED", "")
    )
    tokens = pareto.stream(generate, prompt)
    assert len(tokens) == TOKENS
