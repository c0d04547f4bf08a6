"""The order of samples: as given, or shuffled by a seed from their ids, with five looks."""

from pytest_pareto.scoring.samples import stages

IDS = [f"p{n}" for n in range(103)]


def test_without_looks_the_order_is_the_given_one() -> None:
    (stage,) = stages(IDS, sequential=False)
    assert stage.positions == tuple(range(103))
    assert stage.looks is None


def test_looks_are_equally_far_apart_and_visit_each_sample_once() -> None:
    parts = list(stages(IDS, sequential=True))
    assert [len(part.positions) for part in parts] == [21, 21, 20, 21, 20]
    assert sorted(at for part in parts for at in part.positions) == list(range(103))
    assert [part.looks.at for part in parts if part.looks] == [1, 2, 3, 4, 5]
    assert {part.looks.seed for part in parts if part.looks} == {parts[0].looks.seed}  # type: ignore[union-attr]  # a look


def test_the_order_is_shuffled_and_depends_on_the_ids_alone() -> None:
    visited = [IDS[at] for part in stages(IDS, sequential=True) for at in part.positions]
    assert visited != IDS
    reversed_ids = IDS[::-1]
    assert [
        reversed_ids[at] for part in stages(reversed_ids, sequential=True) for at in part.positions
    ] == visited
    first = next(stages(IDS, sequential=True)).positions
    assert 30 < sum(first) / len(first) < 72  # expected mean 51


def test_few_samples_have_fewer_looks() -> None:
    assert [len(part.positions) for part in stages(["a", "b"], sequential=True)] == [1, 1]
