import pytest

from pytest_pareto.measure.meter import Calls, absent, error_summary
from pytest_pareto.model.metric import FLOPS, LATENCY

pytestmark = pytest.mark.usefixtures("without_torch")


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


def test_a_call_passes_arguments_on_and_returns_the_result_itself() -> None:
    result = object()
    seen = []

    def function(*args: int, **kwargs: int) -> object:
        seen.append((args, kwargs))
        return result

    calls = Calls(function, lambda: ((1, 2), {"a": 3}), clock=int)
    assert calls.prepare()() is result
    assert seen == [((1, 2), {"a": 3})]
    assert calls.count == 1


def test_an_exception_of_a_later_call_is_noted_and_remembered() -> None:
    error = ValueError("no")

    def function() -> None:
        raise error

    calls = Calls(function, lambda: ((), {}), clock=int)
    with pytest.raises(ValueError, match="no"):
        calls.prepare()()
    assert _notes(error) == []  # the first call is the test's own
    assert calls.raised is error

    calls.stage = "warm-up"
    with pytest.raises(ValueError, match="no") as raised:
        calls.prepare()()
    assert raised.value is error is calls.raised
    assert _notes(error) == ["pytest-pareto: raised on call 2 (warm-up)"]


def test_a_new_pass_forgets_what_was_raised_before() -> None:
    calls = Calls(lambda: 1 / 0, lambda: ((), {}), clock=int)
    with pytest.raises(ZeroDivisionError):
        calls.prepare()()
    calls.begin((FLOPS,))
    assert calls.raised is None
    assert calls.stage == "measuring flops"
    assert calls.wanted == {"flops"}


def test_an_exception_of_setup_is_noted_as_such() -> None:
    def arguments() -> tuple[tuple[()], dict[str, object]]:
        if calls.count == 2:
            raise KeyError("images")
        return (), {}

    calls = Calls(lambda: None, arguments, clock=int)
    calls.prepare()()
    calls.stage = "steady state"
    with pytest.raises(KeyError) as raised:
        calls.prepare()
    assert calls.raised is raised.value
    assert _notes(raised.value) == ["pytest-pareto: raised by setup for call 2 (steady state)"]


def test_absent_gives_each_metric_the_reason() -> None:
    found = absent((LATENCY, FLOPS), "none here")
    assert [m.metric.name for m in found] == ["latency", "flops"]
    assert {m.absent for m in found} == {"none here"}


def test_an_exception_is_summarised_in_one_line() -> None:
    assert error_summary(RuntimeError("CUDA error\nCompile with ...")) == "RuntimeError: CUDA error"
    assert error_summary(RuntimeError()) == "RuntimeError"
