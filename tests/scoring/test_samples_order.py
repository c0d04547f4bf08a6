"""Samples in the order given, or shuffled by a seed of theirs and looked at five times."""

from pytest_pareto.scoring.samples import stretches

IDS = [f"p{n}" for n in range(103)]


def test_without_looks_the_order_is_the_given_one() -> None:
    (all_of_it,) = stretches(IDS, looking=False)
    assert all_of_it.positions == tuple(range(103))
    assert all_of_it.looks is None


def test_looks_are_equally_far_apart_and_visit_each_sample_once() -> None:
    parts = list(stretches(IDS, looking=True))
    assert [len(part.positions) for part in parts] == [21, 21, 20, 21, 20]
    assert sorted(at for part in parts for at in part.positions) == list(range(103))
    assert [part.looks.at for part in parts if part.looks] == [1, 2, 3, 4, 5]
    assert {part.looks.seed for part in parts if part.looks} == {parts[0].looks.seed}  # type: ignore[union-attr]  # a look


def test_the_order_is_shuffled_and_of_the_samples_alone() -> None:
    visited = [IDS[at] for part in stretches(IDS, looking=True) for at in part.positions]
    assert visited != IDS
    turned = IDS[::-1]
    assert [
        turned[at] for part in stretches(turned, looking=True) for at in part.positions
    ] == visited
    first = next(stretches(IDS, looking=True)).positions
    assert 30 < sum(first) / len(first) < 72  # no early part of the set; 51 if it were even


def test_few_samples_have_fewer_looks() -> None:
    assert [len(part.positions) for part in stretches(["a", "b"], looking=True)] == [1, 1]
