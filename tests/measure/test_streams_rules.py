import weakref
from collections.abc import Iterator

import pytest

from pytest_pareto.measure.streams import Stream
from pytest_pareto.model.errors import ParetoError


def test_a_shared_iterator_that_was_cut_is_a_mistake() -> None:
    shared = iter(range(100))  # nothing closes it, so that each call would have five of it
    stream = Stream(lambda: shared, most=5)
    assert stream() == [0, 1, 2, 3, 4]
    with pytest.raises(ParetoError, match=r"the same range_iterator.*new one for each call"):
        stream()


def test_iterators_of_their_own_may_be_of_any_kind() -> None:
    for make in (lambda: iter([1, 2]), lambda: map(abs, [1, 2]), lambda: (item for item in (1, 2))):
        stream = Stream(make)
        assert [len(stream()) for _ in range(3)] == [2, 0, 0]


def test_the_first_calls_iterator_is_not_kept_alive() -> None:
    held: list[weakref.ref[object]] = []

    class Items:
        def __iter__(self) -> Iterator[int]:
            return self

        def __next__(self) -> int:
            raise StopIteration

    def items() -> Items:
        made = Items()
        held.append(weakref.ref(made))
        return made

    Stream(items)()
    assert held[0]() is None
