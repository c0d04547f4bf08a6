"""The judges, made once for all tests."""

import os

import pytest
import torch

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before diffusers is imported: nothing is fetched

from digits_diffusion.scores import Reader, Similarity

# So small a model gains nothing from a second thread, and loses its even pace: on two shared
# cores, latency over three seconds varied by 10 % with two threads, and by 3 % with one.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def reader() -> Reader:
    """Read the digit that an image shows."""
    return Reader()


@pytest.fixture(scope="session")
def references() -> Similarity:
    """Compare an image with real ones of its kind."""
    return Similarity()
