"""Samples, ids, targets and seeds: checked against each other before anything is generated."""

from typing import Any

import numpy as np
import pytest
import torch

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring.samples import Samples, read_samples, read_seeds, seed_of


def read(samples: Any, **given: Any) -> Samples:
    return read_samples(samples, **({"ids": None, "targets": None, "seeds": None} | given))


@pytest.mark.parametrize(
    ("samples", "ids"),
    [
        (["a cat", "a dog"], ("a cat", "a dog")),
        (range(3), ("0", "1", "2")),
        (torch.tensor([4, 2]), ("4", "2")),
        (np.array([4, 2]), ("4", "2")),
        ((True, False), ("True", "False")),
    ],
)
def test_samples_that_name_themselves_are_their_own_ids(samples: Any, ids: Any) -> None:
    assert read(samples).ids == ids


@pytest.mark.parametrize(
    ("samples", "given", "message"),
    [
        ([], {}, "no samples at all"),
        ("a cat", {}, "takes a sequence, such as a list, not str"),
        (iter("ab"), {}, "takes a sequence"),
        ([0.5], {}, "pass ids="),
        (torch.ones(2, 3), {}, "pass ids="),
        (["a", "b", "a"], {}, "the sample 'a' is there more than once"),
        ([1, "1"], {}, "the sample '1' is there more than once"),
        (["a", "b"], {"ids": ["x"]}, "2 samples and 1 ids"),
        (["a", "b"], {"ids": ["x", "x"]}, "the id 'x' stands for more than one sample"),
        (["a", "b"], {"ids": "xy"}, "an id for each sample, not 'xy'"),
        (["a", "b"], {"targets": [1]}, "2 samples and 1 targets"),
        (["a", "b"], {"seeds": [1]}, "2 samples and seeds for 1"),
        (["a", "b"], {"seeds": 0}, "at least one seed"),
        (["a", "b"], {"seeds": True}, "seeds takes None"),
        (["a", "b"], {"seeds": [(1, 2), (3,)]}, "1 to 2 seeds"),
        (["a", "b"], {"seeds": [(), ()]}, "0 to 0 seeds"),
        (["a", "b"], {"seeds": [1, 0.5]}, "the seed of sample 'b' is 0.5"),
    ],
)
def test_arguments_that_do_not_match_are_rejected(samples: Any, given: Any, message: str) -> None:
    with pytest.raises(ParetoError, match=message):
        read(samples, **given)


def test_an_array_is_batched_as_an_array() -> None:
    samples = read(torch.arange(5) * 10)
    batch = samples.inputs_of(samples.jobs([3, 1]))
    assert torch.equal(batch, torch.tensor([30, 10]))
    assert read(["a", "b", "c"]).inputs_of(samples.jobs([2, 0])) == ["c", "a"]


def test_a_seed_depends_on_the_id_alone() -> None:
    before = read_seeds(None, ["a", "b"])
    assert read_seeds(None, ["new", "a", "b"])[1:] == before
    assert before == ((seed_of("a"),), (seed_of("b"),))
    assert seed_of("a") == 2968051341  # fixed: recorded pairs must stay comparable
    assert len({seed_of(str(n)) for n in range(1000)}) == 1000
    assert [three[0] for three in read_seeds(3, ["a", "b"])] == [one[0] for one in before]


def test_labels_contain_the_seed_where_there_are_several() -> None:
    samples = read(["a", "b"], seeds=[(1, 2), (3, 4)])
    assert [(job.position, job.seed) for job in samples.jobs([1])] == [(1, 3), (1, 4)]
    assert samples.jobs([1])[0].label == "b (seed 3)"
    assert read(["a"], seeds=[7]).jobs([0])[0].label == "a"
    assert read(["a", "b"], seeds=np.array([5, 6])).seeds == ((5,), (6,))
