"""``pareto.evaluate`` in a test: recorded under --pareto, raising where nothing is recorded."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
import torchmetrics

from pytest_pareto.model.change import Outcome
from pytest_pareto.model.run import CaseRun
from pytest_pareto.plugin.process_hooks import cases_of
from pytest_pareto.plugin.progress import ProgressLine
from pytest_pareto.testing.scripted_meter import ScriptedClock

if TYPE_CHECKING:
    from tests.plugin.conftest import Run

KEPT_LOADED = (torch, torchmetrics)
"""pytester forgets what a session imported, and these cannot be imported twice."""

PAGE = Path(__file__).parents[2] / "docs" / "evaluating.md"

PROJECT = """
import random
import pytest
from pytest_pareto import Evaluation, Pareto, Score

PROMPTS = [f"p{n}" for n in range(40)]
DARKER = 0.0

def draw(prompts, seeds):
    return [random.Random(seed).random() for seed in seeds]

def brightness(output, target):
    return output - DARKER

def fails(output, target):
    if target == "p37":
        raise ValueError("no face found")
    return output

BRIGHTNESS = Score(brightness, better="higher", tolerance=0.01)

def test_draw(pareto: Pareto) -> None:
    result: Evaluation = pareto.evaluate(
        draw, PROMPTS, batch_size=16, metrics={"brightness": BRIGHTNESS}
    )
    assert result.mean("brightness") < 1
"""


class _Reports:
    """Keeps the cases that tests reported."""

    def __init__(self) -> None:
        self.cases: list[CaseRun] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.cases += cases_of(report)


@pytest.mark.parametrize("args", [(), ("--pareto",)])
def test_it_evaluates_and_returns(pytester: pytest.Pytester, run: "Run", args: tuple[str]) -> None:
    pytester.makepyfile(test_it=PROJECT)
    session = run(*args)
    assert session.exit_code == 0, session.text


def test_a_loss_of_quality_is_caught(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile(test_it=PROJECT)
    assert run("--pareto", "--pareto-update", "--pareto-runs=1").exit_code == 0
    same = run("--pareto")
    assert same.case("test_it.py::test_draw").comparison.metrics[0].outcome is Outcome.UNCHANGED
    pytester.makepyfile(test_it=PROJECT.replace("DARKER = 0.0", "DARKER = 0.1"))
    darker = run("--pareto")
    assert darker.exit_code == 1
    assert darker.case("test_it.py::test_draw").comparison.metrics[0].outcome is Outcome.WORSE


BROKEN = (
    PROJECT
    + """
@pytest.mark.pareto(tolerance={"brightness": 0.5})
def test_broken(pareto):
    pareto.configure(name="one").evaluate(draw, PROMPTS, metrics={
        "brightness": BRIGHTNESS, "faces": Score(fails, better="higher")})
"""
)


def measured(pytester: pytest.Pytester, *args: str) -> dict[str, CaseRun]:
    reports = _Reports()
    quiet = ("-p", "no:cov", "-p", "no:hypothesispytest", "-p", "no:xdist")
    pytester.runpytest_inprocess(*quiet, "--pareto", *args, plugins=[reports])
    return {case.case_id: case for case in reports.cases}


def test_each_metric_is_recorded_also_what_failed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=BROKEN)
    case = measured(pytester)["test_it.py::test_broken#one"]
    good, bad = case.measurements
    assert good.metric.tolerance == 0.5
    assert len(good.values) == 40
    assert bad.broken
    assert bad.absent == "'faces' raised ValueError (no face found) at sample 'p37'"


def test_without_pareto_what_failed_is_an_error(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile(test_it=BROKEN)
    session = run()
    assert session.exit_code == 1
    session.result.assert_outcomes(passed=1, failed=1)
    assert "ParetoError: 'faces' raised ValueError (no face found) at sample 'p37'" in session.text
    assert 'raise ValueError("no face found")' in session.text  # the user's own frame
    assert "pytest_pareto/scoring" not in session.text


def test_what_could_not_be_recorded_is_not_generated(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile(
        test_it=PROJECT
        + """
def test_twice(pareto):
    drawn = []
    pareto.record("brightness", 1.0, better="higher")
    with pytest.raises(Exception, match="'brightness' was recorded already"):
        pareto.evaluate(drawn.append, PROMPTS, metrics={"brightness": BRIGHTNESS})
    assert not drawn
"""
    )
    assert run("--pareto").exit_code == 0


@pytest.mark.parametrize(("raised", "outcome"), [("pytest.skip('no')", "skipped"),
                                                 ("pytest.xfail('no')", "xfailed"),
                                                 ("pytest.fail('no')", "failed")])  # fmt: skip
def test_pytests_outcomes_pass_through(
    pytester: pytest.Pytester, run: "Run", raised: str, outcome: str
) -> None:
    pytester.makepyfile(test_it=PROJECT.replace("return output - DARKER", raised))
    run().result.assert_outcomes(**{outcome: 1})


SLOW = PROJECT.replace("return [", "import time; time.sleep(0.7)\n    return [")


def test_a_fresh_process_tells_its_parent_where_it_stands(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
import pytest
from pytest_pareto.plugin import fresh_processes

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    def update(self, text):
        with open("heard.txt", "a") as file:
            file.write(text + "\\n")
    fresh_processes.ProgressLine.update = update
"""
    )
    pytester.makepyfile(test_it=SLOW)
    command = ("-p", "no:xdist", "-p", "no:cov", "--pareto", "--pareto-runs=1")
    assert pytester.runpytest_subprocess(*command).ret == 0
    heard = (pytester.path / "heard.txt").read_text().splitlines()
    assert heard[0].startswith("test_draw: 32 of 40 samples, about ")
    assert heard[-1] == ""


class Reporter:
    def __init__(self, *, isatty: bool) -> None:
        self.isatty = isatty
        self.lines: list[str] = []

    def ensure_newline(self) -> None: ...

    def write_line(self, text: str) -> None:
        self.lines.append(text)

    def rewrite(self, text: str, **_: object) -> None:
        self.lines.append(text)


class Config:
    def __init__(self, reporter: Reporter, verbosity: int = 0) -> None:
        self.pluginmanager = self
        self._reporter = reporter
        self._verbosity = verbosity

    def get_plugin(self, name: str) -> Reporter | None:
        return self._reporter if name == "terminalreporter" else None

    def get_verbosity(self) -> int:
        return self._verbosity


def told(reporter: Reporter, verbosity: int = 0) -> list[str]:
    # A time for being made, and one for each thing told.
    clock = ScriptedClock([0, 0, 2, 2, 70, 75])
    config: object = Config(reporter, verbosity)
    line = ProgressLine(config, lambda: float(clock()))  # type: ignore[arg-type]  # as much of it as is used
    for text in ("a", "b", "c", "d", ""):
        line.update(text)
    return reporter.lines


def test_a_terminal_hears_of_it_once_a_second_and_a_log_once_a_minute() -> None:
    assert told(Reporter(isatty=True)) == ["pareto: b", "pareto: d", "", ""]
    assert told(Reporter(isatty=False)) == ["pareto: d"]
    assert told(Reporter(isatty=True), verbosity=-1) == []


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("args", [(), ("--pareto",)])
def test_the_pages_examples_pass(
    pytester: pytest.Pytester, run: "Run", args: tuple[str, ...]
) -> None:
    assert len(blocks()) == 3
    pytester.makepyfile(test_page="\n".join(blocks()))
    session = run(*args)
    session.result.assert_outcomes(passed=4)
    assert session.exit_code == 0, session.text


def test_a_diagnostic_that_breaks_leaves_a_confirmation_alone(
    pytester: pytest.Pytester, run: "Run", simulated_clock: str
) -> None:
    """In a confirming process the test only runs, and what broke was told by the first one."""
    text = """
import pytest
from pytest_pareto import Score

BROKEN = False
SECONDS = 0.02

def fails(output, target):
    if BROKEN and target == "p3":
        raise ValueError("no face found")
    return 1.0

def test_first(pareto):
    score = Score(fails, better="higher", gate=False)
    pareto.evaluate(lambda batch: list(batch), [f"p{n}" for n in range(9)], metrics={"m": score})
    pareto.record("other", [0.5, 0.6], ids="ab", better="higher")

@pytest.mark.pareto(rounds=3, warmup=1)
def test_slow(pareto, sleep):
    pareto.measure(sleep, SECONDS)
"""
    pytester.makeconftest(simulated_clock)
    pytester.makeini(
        "[pytest]\npareto_session_spread =\n    host = 0.01\n    host_adjusted = 0.01\n"
    )
    pytester.makepyfile(test_it=text)
    assert run("--pareto", "--pareto-update", "--pareto-runs=3").exit_code == 0
    text = text.replace("BROKEN = False", "BROKEN = True").replace("0.02", "0.06")
    pytester.makepyfile(test_it=text)
    session = run("--pareto", "--pareto-confirm=2")
    assert "confirming run" not in session.text
    assert "m, a diagnostic, broke: 'm' raised ValueError (no face found)" in " ".join(
        session.text.split()
    )
    assert session.case("test_it.py::test_slow").fails
    assert not session.case("test_it.py::test_first").fails
