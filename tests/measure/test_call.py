import gc
import weakref
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from itertools import count

import pytest

from pytest_pareto.measure import measurement
from pytest_pareto.measure.call import argument_source, frozen_heap
from pytest_pareto.measure.measurement import measure_call
from pytest_pareto.measure.meters.latency import SteadyMeter
from pytest_pareto.measure.plan import LoopPlan
from pytest_pareto.model.errors import ParetoError


def test_without_setup_every_call_gets_the_same_objects() -> None:
    prompt, options = ["a cat"], {"seed": [1]}
    source = argument_source((prompt,), options, None)
    (args, kwargs), (again, _) = source(), source()
    assert args[0] is prompt is again[0]
    assert kwargs == options


@pytest.mark.parametrize(
    ("made", "args", "kwargs"),
    [
        ((), (), {}),
        ((1,), (1,), {}),
        ((1, 2), (1, 2), {}),
        (((1,), {"a": 2}), (1,), {"a": 2}),
        (((), {}), (), {}),
        (([1], {"a": 2}), ([1], {"a": 2}), {}),  # a list is an argument, not the arguments
        (((1,), {"a": 2}, 3), ((1,), {"a": 2}, 3), {}),
        ((((1,), {"a": 2}), {}), ((1,), {"a": 2}), {}),
    ],
)
def test_setup_returns_positional_arguments_or_a_pair(
    made: tuple[object, ...], args: tuple[object, ...], kwargs: dict[str, object]
) -> None:
    assert argument_source((), {}, lambda: made)() == (args, kwargs)


def test_setup_is_called_for_each_call() -> None:
    numbers = count()
    source = argument_source((), {}, lambda: (next(numbers),))
    assert [source()[0] for _ in range(3)] == [(0,), (1,), (2,)]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (None, r"setup returned None; return a tuple of positional arguments"),
        ([1, 2], r"setup returned a list; return a tuple"),
        ("prompt", r"setup returned a str; return a tuple"),
        ({"a": 1}, r"setup returned a dict; return a tuple"),
        (((1, 2), {0: "cat"}), r"keyword 0, which is not a string.*\(\(a_tuple, a_dict\), \{\}\)"),
    ],
)
def test_another_form_is_refused_with_the_right_one(made: object, message: str) -> None:
    with pytest.raises(ParetoError, match=message):
        argument_source((), {}, lambda: made)()


@pytest.mark.parametrize(("args", "kwargs"), [((1,), {}), ((), {"a": 1})])
def test_setup_beside_arguments_is_refused(args: tuple[int, ...], kwargs: dict[str, int]) -> None:
    with pytest.raises(ParetoError, match=r"measure\(\) takes the function alone"):
        argument_source(args, kwargs, lambda: ())


# The heap


class Cycle:
    """Garbage that only a collection frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def _thawed() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_thawed")
class TestFrozenHeap:
    def test_what_exists_is_out_of_collections_and_what_is_made_is_not(self) -> None:
        old = Cycle()
        before, gone = weakref.ref(old), weakref.ref(Cycle())
        assert gone() is not None
        with frozen_heap():
            assert gone() is None
            del old
            made = weakref.ref(Cycle())
            gc.collect()
            assert made() is None
            assert before() is not None
        gc.collect()
        assert before() is None

    def test_it_thaws_after_an_exception(self) -> None:
        with suppress(ValueError), frozen_heap():
            assert gc.get_freeze_count()
            raise ValueError
        assert not gc.get_freeze_count()

    def test_what_the_user_has_frozen_stays_frozen(self) -> None:
        gc.freeze()
        frozen = gc.get_freeze_count()
        with frozen_heap():
            pass
        assert gc.get_freeze_count() == frozen

    def test_a_measurement_collects_a_large_heap_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        heap = [Cycle() for _ in range(20_000)]

        def collected() -> list[int]:
            """Return how many objects each full collection of a measurement looks at."""
            seen: list[int] = []

            def record(phase: str, about: dict[str, int]) -> None:
                if phase == "start" and about["generation"] == 2:
                    seen.append(len(gc.get_objects()))

            gc.callbacks.append(record)
            try:
                plan = LoopPlan(rounds=3, warmup=1)
                measure_call(int, (), {}, meters=[SteadyMeter(), SteadyMeter()], plan=plan)
            finally:
                gc.callbacks.remove(record)
            return [count for count in seen if count > len(heap)]

        assert len(collected()) == 1
        monkeypatch.setattr(measurement, "frozen_heap", nullcontext)
        assert len(collected()) == 2
