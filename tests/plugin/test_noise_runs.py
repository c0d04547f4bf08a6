"""`pytest-pareto doctor --noise` as a session: unchanged code in fresh processes."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Toy


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_it_says_how_far_this_machine_can_be_believed(fresh_toy: "Toy") -> None:
    tests = fresh_toy.path / "test_toy.py"
    edit(
        tests,
        'pareto.record("accuracy", ',
        'import random\n    pareto.record("drawn", {"seed 1": 0.5, "seed 2": random.random()}, '
        'better="higher")\n    pareto.record("accuracy", ',
    )
    edit(tests, "    assert True", "    assert False, 'always'")
    session = fresh_toy.run("--pareto-noise=4")
    assert session.exit_code == pytest.ExitCode.TESTS_FAILED
    session.result.assert_outcomes(passed=3, failed=1)
    told = " ".join(session.text.split())
    assert "FAIL  " not in session.text  # what fails in each run is shown by pytest
    assert "measuring in 4 fresh processes took" in told
    assert "4 runs of unchanged code (3 cases) in" in told
    assert "latency: its tolerance of 5 % holds with --pareto-against only" in told
    assert "runs scatter by 0." in told
    assert "the same in every run: python_calls, accuracy" in told
    assert "drawn: scores are drawn anew in each run: 1 of 2 in test_toy.py" in told
    assert "(sample 'seed 2' from" in told
    assert fresh_toy.baseline_files == {}


def test_the_projects_own_settings_hold(fresh_toy: "Toy") -> None:
    (fresh_toy.path / "pytest.ini").write_text(
        "[pytest]\naddopts = --pareto\npareto_session_spread = host = 0\n"
    )
    session = fresh_toy.run("--pareto-noise=4", "-q", "-k", "small")
    assert session.exit_code == 0
    lines = session.text.splitlines()
    at = lines.index("latency: its tolerance of 5 % holds on this machine")
    assert "passed" in lines[at + 1]
    assert "runs scatter" not in session.text


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_runs_are_refused(fresh_toy: "Toy", count: int) -> None:
    session = fresh_toy.run(f"--pareto-noise={count}")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert f"{count} runs show nothing of their spread; take at least 4" in session.text


def test_tests_that_measure_nothing_are_an_error(fresh_toy: "Toy") -> None:
    session = fresh_toy.run("--pareto-noise=4", "-k", "other")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "nothing was measured: none of the selected tests" in session.text
    assert "INTERNALERROR" not in session.text


def test_a_test_that_fails_now_and_then_is_told(fresh_toy: "Toy") -> None:
    edit(
        fresh_toy.path / "test_toy.py",
        "    world = WORLD[variant]",
        "    world = WORLD[variant]\n"
        "    with open(f'{variant}.runs', 'a') as runs:\n"
        "        runs.write('x')\n"
        "    if variant == 'large':\n"
        "        assert pathlib.Path('large.runs').stat().st_size != 3, 'the third time'",
    )
    session = fresh_toy.run("--pareto-noise=4")
    assert session.exit_code == pytest.ExitCode.TESTS_FAILED
    told = " ".join(session.text.split())
    assert "FAIL test_toy.py::test_generate[large] failed in 1 of 4 runs: AssertionError" in told
    assert "test_toy.py::test_generate[large] was measured in 3 of 4 runs" in told
    assert "[medium]" in session.text


def test_a_process_that_dies_is_told(fresh_toy: "Toy") -> None:
    with (fresh_toy.path / "conftest.py").open("a") as conftest:
        conftest.write(
            "\nimport os, pathlib\n"
            "def pytest_sessionfinish():\n"
            "    starts = pathlib.Path('starts')\n"
            "    starts.write_text((starts.read_text() if starts.exists() else '') + 'x')\n"
            "    if starts.read_text() == 'xx': os._exit(7)\n"
        )
    session = fresh_toy.run("--pareto-noise=4", "-k", "small")
    assert session.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "run 2 of 4 failed: it ended with exit code 7" in " ".join(session.text.split())
    assert "latency:" not in session.text


def test_what_is_stopped_has_no_verdict(fresh_toy: "Toy") -> None:
    edit(fresh_toy.path / "test_toy.py", "    assert True", "    assert False, 'always'")
    session = fresh_toy.run("--pareto-noise=4", "-x")
    assert session.exit_code == pytest.ExitCode.TESTS_FAILED
    assert "latency: its tolerance" not in session.text
    assert "INTERNALERROR" not in session.text


def test_collecting_measures_nothing(fresh_toy: "Toy") -> None:
    session = fresh_toy.run("--pareto-noise=4", "--collect-only")
    assert session.exit_code == 0
    assert "run 1 of 4" not in session.text


def test_tests_side_by_side_are_refused(fresh_toy: "Toy") -> None:
    session = fresh_toy.run("--pareto-noise=4", "-pxdist.plugin", "-n2")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "pytest-xdist" in session.text
