"""The fixture, with and without ``--pareto``."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Run


def passes(pytester: pytest.Pytester, run: "Run", source: str, *args: str) -> None:
    pytester.makepyfile(test_it=source)
    session = run(*args)
    assert session.exit_code == 0, session.text


@pytest.mark.parametrize("args", [(), ("--pareto",)])
def test_the_first_result_comes_back(
    pytester: pytest.Pytester, run: "Run", args: tuple[str, ...]
) -> None:
    passes(
        pytester,
        run,
        """
results = []
def fn(a, *, b):
    results.append(object())
    assert (a, b) == (1, 2)
    return results[-1]
def test_it(pareto):
    assert pareto(fn, 1, b=2) is results[0]
""",
        *args,
    )


def test_without_pareto_a_function_is_called_once(pytester: pytest.Pytester, run: "Run") -> None:
    passes(
        pytester,
        run,
        """
calls = []
def test_it(pareto):
    pareto.configure(setup=lambda: (4,)).measure(calls.append)
    pareto.record("x", [1, 2], ids="ab", better="lower")
    assert calls == [4]
""",
    )
    assert not (pytester.path / "pareto_baselines").exists()


def test_random_numbers_do_not_depend_on_the_rounds(pytester: pytest.Pytester, run: "Run") -> None:
    source = """
import random
def test_it(pareto):
    random.seed(0)
    expected = [random.random(), random.random()]
    random.seed(0)
    drawn = [pareto.configure(rounds={rounds}).measure(random.random), random.random()]
    assert drawn == expected
"""
    for rounds in (1, 7):
        passes(pytester, run, source.format(rounds=rounds), "--pareto")


def test_named_measurements_are_cases_of_their_own(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile(
        test_it="""
def test_it(pareto):
    pareto.configure(name="encode", items=3).measure(len, "abc")
    decode = pareto.configure(name="decode")
    decode.measure(len, "abc")
    decode.record("score", 1.0, better="higher", unit="dB")
"""
    )
    session = run("--pareto")
    assert session.exit_code == 0
    cases = {c.case_id: c.comparison for c in session.cases}
    assert set(cases) == {"test_it.py::test_it#encode", "test_it.py::test_it#decode"}
    assert cases["test_it.py::test_it#decode"].metric("score") is not None
    assert cases["test_it.py::test_it#encode"].metric("score") is None
    assert cases["test_it.py::test_it#encode"].front == "test_it.py::test_it#encode"


def test_rounds_are_exact_and_metrics_can_be_chosen(pytester: pytest.Pytester, run: "Run") -> None:
    passes(
        pytester,
        run,
        """
import pytest
calls = []
@pytest.mark.pareto(rounds=3, warmup=2)
def test_it(pareto):
    pareto.configure(metrics=["latency"]).measure(calls.append, 1)
    assert len(calls) == 1 + 2 + 3
""",
        "--pareto",
    )


def test_fronts_are_functions_unless_named(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile(
        test_it="""
import pytest
class TestIt:
    @pytest.mark.parametrize("p", [1, 2])
    def test_a(self, pareto, p): pareto.record("s", 1.0, better="higher")
@pytest.mark.pareto(front="digits")
def test_b(pareto): pareto.record("s", 1.0, better="higher")
"""
    )
    session = run("--pareto")
    fronts = {c.case_id: c.comparison.front for c in session.cases}
    assert fronts == {
        "test_it.py::TestIt::test_a[1]": "test_it.py::TestIt::test_a",
        "test_it.py::TestIt::test_a[2]": "test_it.py::TestIt::test_a",
        "test_it.py::test_b": "digits",
    }


def test_a_tolerance_asks_a_diagnostic_to_gate(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile(
        test_it="""
import pytest, torch
@pytest.mark.pareto(tolerance={"flops": 0.0}, skip_metrics=["latency"])
def test_it(pareto):
    a = torch.ones(4, 4)
    pareto(torch.mm, a, a)
"""
    )
    session = run("--pareto")
    result = session.case("test_it.py::test_it").comparison.metric("flops")
    assert result is not None
    assert result.candidate == 2 * 4**3
    assert result.metric.gates
    assert session.case("test_it.py::test_it").comparison.metric("latency") is None


def test_other_meters_join_by_the_hook(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makeconftest(
        """
from pytest_pareto.model.metric import Better, Kind, Metric, Scope
from pytest_pareto.testing import ScriptedMeter
FUEL = Metric("fuel", "l", Better.LOWER, Kind.EXACT, Scope.ANYWHERE, 0.0, relative=True)
def pytest_pareto_meters(config):
    return [ScriptedMeter(FUEL, [[3.0]])]
"""
    )
    pytester.makepyfile(test_it="def test_it(pareto): pareto(len, [])")
    session = run("--pareto")
    result = session.case("test_it.py::test_it").comparison.metric("fuel")
    assert result is not None
    assert result.candidate == 3.0
