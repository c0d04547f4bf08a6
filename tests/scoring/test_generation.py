"""The accepted forms of outputs, and the errors for all others."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pytest_pareto.scoring.generation import OutputError, is_image, read_outputs

IMAGES = [Image.new("RGB", (4, 4)), Image.new("RGB", (4, 4), "white")]


@pytest.mark.parametrize(
    "returned",
    [
        IMAGES,
        SimpleNamespace(images=IMAGES),
        SimpleNamespace(frames=[IMAGES, IMAGES]),
        SimpleNamespace(images=np.zeros((2, 4, 4, 3))),
        torch.zeros(2, 3, 4, 4),
        np.zeros(2),
        ("a", "b"),
    ],
)
def test_one_output_per_sample_is_found(returned: Any) -> None:
    assert len(read_outputs(returned, ["a", "b"])) == 2


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (
            torch.zeros(3, 8, 8),
            r"Tensor of shape \(3, 8, 8\) for a batch of 2 \(samples 'a', 'b'\)",
        ),
        (torch.tensor(1.0), r"Tensor of shape \(\) for samples 'a', 'b'; expected"),
        (SimpleNamespace(images=IMAGES[:1]), r"list of length 1 in \.images for a batch of 2"),
        ({"a": 1, "b": 2}, "dict of length 2"),
        ("ab", "str 'ab'"),
        (None, "NoneType None"),
        ((n for n in "ab"), "generator"),
        ((IMAGES, [False, False]), r"a tuple of 2 .*return a list, .*return_dict=True"),
        ((np.zeros((2, 8, 8)), np.zeros(2)), "a tuple of 2"),
    ],
)
def test_any_other_value_is_described_in_the_error(returned: Any, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        read_outputs(returned, ["a", "b"])


@pytest.mark.parametrize(
    ("output", "image"),
    [
        (IMAGES[0], True),
        (torch.zeros(3, 8, 8), True),
        (np.zeros((8, 8, 4)), True),
        (np.zeros((8, 8)), True),
        (np.zeros((5, 8, 8)), False),
        (np.zeros(8), False),
        (1.5, False),
        ("text", False),
        (SimpleNamespace(shape=None), False),
        (SimpleNamespace(shape=lambda: (8, 8)), False),
    ],
)
def test_images_are_recognized(output: Any, image: bool) -> None:
    assert is_image(output) == image
