"""What the counts of the host's work consist of: functions by file, and operations."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_pareto.measure.meter import Calls, meter_pass
from pytest_pareto.measure.meters.host_work import HostWorkMeter
from pytest_pareto.model.run import Measurement

CallsOf = Callable[..., Calls]
SOURCE = """
def leaf():
    return len("leaf")

class Model:
    def forward(self):
        return [leaf() for _ in range(3)] and (lambda: leaf())()
"""


@pytest.fixture(autouse=True)
def _untraced() -> Iterator[None]:
    """Run without a tracer, even where these tests are run under coverage."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


def measured(calls: Calls) -> dict[str, Measurement]:
    found = meter_pass(HostWorkMeter(lambda: None), calls, frozenset())
    return {each.metric.name: each for each in found}


def parts(found: Measurement) -> dict[str, float]:
    assert found.breakdown is not None
    assert found.breakdown.total == found.values[0]
    return {part.name: part.value for part in found.breakdown.parts}


@pytest.fixture
def calls_of_source(calls_of: CallsOf, tmp_path: Path) -> Callable[[str], Calls]:
    """Make the calls of ``Model().forward`` of a source in ``model.py``."""

    def make(source: str) -> Calls:
        path = tmp_path / "model.py"
        module = ModuleType("model")
        exec(compile(source, str(path), "exec"), module.__dict__)
        return calls_of(module.Model().forward, warmup=1)

    return make


@pytest.mark.usefixtures("without_torch")
class TestFunctions:
    def test_they_are_named_by_file(self, calls_of_source: Callable[[str], Calls]) -> None:
        found = measured(calls_of_source(SOURCE))
        entered = parts(found["python_calls"])
        assert entered["leaf in model.py"] == 4
        assert entered["Model.forward in model.py"] == 1
        assert entered["Model.forward.<locals>.<lambda> in model.py"] == 1
        assert parts(found["c_calls"])["leaf in model.py"] == 4

    def test_an_edit_that_moves_lines_renames_none(
        self, calls_of_source: Callable[[str], Calls]
    ) -> None:
        before, after = (
            measured(calls_of_source(source)) for source in (SOURCE, "# a line\n" * 3 + SOURCE)
        )
        for name in ("python_calls", "c_calls"):
            assert parts(before[name]) == parts(after[name])

    def test_functions_of_one_name_in_a_file_are_added_up(
        self, calls_of_source: Callable[[str], Calls]
    ) -> None:
        source = """
        class Model:
            def forward(self):
                return [each() for each in (lambda: 1, lambda: 2, lambda: 3)]
        """
        entered = parts(measured(calls_of_source("if True:" + source))["python_calls"])
        assert entered["Model.forward.<locals>.<lambda> in model.py"] == 3

    def test_counts_that_never_agree_have_none(self, calls_of: CallsOf) -> None:
        times = iter(range(99))
        calls = calls_of(lambda: [str.upper("a") for _ in range(next(times))], warmup=1)
        assert measured(calls)["c_calls"].breakdown is None


def test_dispatches_are_named_by_operation(calls_of: CallsOf) -> None:
    torch: Any = pytest.importorskip("torch")
    x = torch.ones(4, 4)
    found = measured(calls_of(lambda: (x @ x) @ x, warmup=1))["dispatches"]
    assert parts(found) | {"aten::mm": 2, "aten::matmul": 2} == parts(found)
