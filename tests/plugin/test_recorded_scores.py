"""``stop="decided"``: an evaluation that ends when its baseline decides about it."""

from typing import TYPE_CHECKING

import pytest

from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.verdict import MetricResult

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Session

PROJECT = """
import random
import pytest
from pytest_pareto import Score

PROMPTS = [f"p{n}" for n in range(200)]
FALL = 0.0
GENERATED = []

def draw(prompts, seeds):
    GENERATED.extend(prompts)
    return [random.Random(seed).gauss(0.7, 0.05) for seed in seeds]

def quality(output, target):
    return output - FALL * random.Random(target).gauss(1, 0.5)

METRICS = {"quality": Score(quality, better="higher", tolerance=0.01)}

@pytest.fixture(autouse=True, scope="session")
def told():
    yield
    with open("generated", "a") as file:
        print(len(GENERATED), file=file)

MARK
def test_draw(pareto):
    pareto.evaluate(draw, PROMPTS, batch_size=10, metrics=METRICS, stop="decided")
"""
CASE = "test_it.py::test_draw"


def project(pytester: pytest.Pytester, fall: float = 0.0, mark: str = "", more: str = "") -> None:
    text = PROJECT.replace("FALL = 0.0", f"FALL = {fall}").replace("MARK", mark)
    pytester.makepyfile(test_it=text + more)


def generated(pytester: pytest.Pytester) -> list[int]:
    """How many samples each process generated, oldest first."""
    return [int(line) for line in (pytester.path / "generated").read_text().split()]


def result_of(session: "Session", metric: str = "quality") -> MetricResult:
    result = session.case(CASE).comparison.metric(metric)
    assert result is not None, session.text
    return result


def change_of(session: "Session") -> Change:
    change = result_of(session).change
    assert change is not None
    return change


@pytest.fixture
def recorded(pytester: pytest.Pytester, run: "Run") -> "Run":
    project(pytester)
    assert run("--pareto", "--pareto-update", "--pareto-runs=1").exit_code == 0
    return run


@pytest.mark.usefixtures("recorded")
def test_what_is_recorded_is_all_of_it(pytester: pytest.Pytester) -> None:
    assert generated(pytester) == [200]


def test_unchanged_quality_needs_a_part(pytester: pytest.Pytester, recorded: "Run") -> None:
    session = recorded("--pareto", "-v")
    assert generated(pytester) == [200, 80]
    assert session.exit_code == 0
    assert change_of(session).outcome is Outcome.UNCHANGED
    assert "120 of 200 samples saved by stopping early" in session.text
    assert "decided with 80 of 200 samples, at look 2 of 5 (120 saved" in " ".join(
        session.text.split()
    )


def test_a_fall_needs_a_part(pytester: pytest.Pytester, recorded: "Run") -> None:
    project(pytester, fall=0.05)
    session = recorded("--pareto")
    assert session.exit_code == 1
    assert change_of(session).outcome is Outcome.WORSE
    assert generated(pytester) == [200, 80]


def test_what_stays_undecided_goes_to_the_end(pytester: pytest.Pytester, recorded: "Run") -> None:
    project(pytester, fall=0.01)
    session = recorded("--pareto")
    assert generated(pytester) == [200, 200]
    looks = result_of(session).looks
    assert looks is not None
    assert looks.complete
    assert "saved" not in session.text


def test_a_test_in_a_fresh_process_stops_too(pytester: pytest.Pytester, recorded: "Run") -> None:
    session = recorded("--pareto", "--pareto-runs=2")
    assert generated(pytester)[1:] == [80, 80]
    assert change_of(session).outcome is Outcome.UNCHANGED


def test_a_budget_keeps_it_going(pytester: pytest.Pytester, recorded: "Run") -> None:
    project(pytester, mark="@pytest.mark.pareto(budget={'quality': '>= 0.7'})")
    recorded("--pareto")
    assert generated(pytester) == [200, 200]


@pytest.mark.parametrize("args", [(), ("--pareto", "--pareto-update=all", "--pareto-runs=1")])
def test_without_a_verdict_nothing_stops(
    pytester: pytest.Pytester, recorded: "Run", args: tuple[str, ...]
) -> None:
    assert recorded(*args).exit_code == 0
    assert generated(pytester) == [200, 200]


def test_a_new_metric_keeps_it_going(pytester: pytest.Pytester, recorded: "Run") -> None:
    text = PROJECT.replace("MARK", "").replace("METRICS = {", "METRICS = {'other': METRIC, ")
    metric = "METRIC = Score(quality, better='higher')\nMETRICS"
    pytester.makepyfile(test_it=text.replace("METRICS", metric, 1))
    recorded("--pareto")
    assert generated(pytester) == [200, 200]
