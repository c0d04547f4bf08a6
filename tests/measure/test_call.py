from itertools import count

import pytest

from pytest_pareto.measure.call import argument_source
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
