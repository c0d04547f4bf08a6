"""A failed gate as pytest shows it: counted once, red everywhere, no traceback from a hook."""

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Toy


@pytest.fixture
def harmed(toy: "Toy") -> "Toy":
    toy.change(large={"seconds": 0.08}, medium={"accuracy": 0.8})
    return toy


def failed_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("FAILED ")]


def test_counts_add_up(harmed: "Toy") -> None:
    session = harmed.run("--pareto")
    session.result.assert_outcomes(failed=2, passed=2)
    assert len(failed_lines(session.text)) == 2
    assert "Traceback" not in session.text
    assert "INTERNALERROR" not in session.text


def test_junit_counts_each_failing_case(harmed: "Toy") -> None:
    harmed.run("--pareto", "--junitxml=out.xml")
    root = ET.parse(harmed.path / "out.xml").getroot()
    suite = root.find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "2"
    cases = {case.get("name", ""): case for case in suite.iter("testcase")}
    failing = {name for name, case in cases.items() if case.find("failure") is not None}
    assert failing == {"test_generate[large] (pareto)", "test_generate[medium] (pareto)"}
    failure = cases["test_generate[large] (pareto)"].find("failure")
    assert failure is not None
    assert "latency" in failure.get("message", "")


def test_last_failed_reruns_the_failing_cases(harmed: "Toy") -> None:
    harmed.run("--pareto", "--lf")
    session = harmed.run("--pareto", "--lf")
    session.result.assert_outcomes(failed=2, deselected=0)
    session.result.stdout.fnmatch_lines(["*rerun previous 2 failures*"])
    harmed.change(large={"seconds": 0.04}, medium={"accuracy": 0.9})
    session = harmed.run("--pareto", "--lf")
    session.result.assert_outcomes(passed=2)
    assert session.exit_code == 0


def test_exitfirst_stops_at_a_failing_test_and_judges_what_there_is(harmed: "Toy") -> None:
    (harmed.path / "test_zz.py").write_text("def test_bad(): assert 0\ndef test_late(): pass\n")
    session = harmed.run("--pareto", "-x")
    assert session.exit_code == 1
    session.result.assert_outcomes(failed=3, passed=2)
    assert "incomplete" in session.text


def test_quiet_is_one_line(harmed: "Toy") -> None:
    session = harmed.run("--pareto", "-q")
    lines = [line for line in session.text.splitlines() if line.startswith("pareto:")]
    assert len(lines) == 1
    assert lines[0].startswith("pareto: FAIL")
    assert session.exit_code == 1


def test_verbose_shows_every_case(harmed: "Toy") -> None:
    session = harmed.run("--pareto", "-v")
    assert session.exit_code == 1
    for name in ("small", "medium", "large"):
        assert f"[{name}]" in session.text
    assert "flops" in session.text  # absent, with its reason


def test_collect_only_judges_nothing(harmed: "Toy") -> None:
    session = harmed.run("--pareto", "--co")
    assert session.exit_code == 0
    assert session.judgement is None
    assert "pareto:" not in session.text


def test_keyword_selects_and_nothing_is_missing(harmed: "Toy") -> None:
    session = harmed.run("--pareto", "-k", "small")
    assert session.exit_code == 0
    assert session.judgement is not None
    assert [case.case_id for case in session.cases] == ["test_toy.py::test_generate[small]"]
    assert "deselected" in session.text


def test_without_a_terminal_the_exit_code_still_tells(harmed: "Toy") -> None:
    session = harmed.run("--pareto", "-p", "no:terminal")
    assert session.exit_code == 1
    assert session.text.strip() == ""


def test_maxfail_does_not_swallow_a_case(harmed: "Toy") -> None:
    session = harmed.run("--pareto", "--maxfail=1")
    session.result.assert_outcomes(failed=2, passed=2)


def test_short_summary_has_the_message(harmed: "Toy") -> None:
    lines = failed_lines(harmed.run("--pareto").text)
    assert any("[large] - " in line and "latency" in line for line in lines)


def test_a_test_that_fails_by_itself_is_reported_once(toy: "Toy") -> None:
    source = (toy.path / "test_toy.py").read_text()
    (toy.path / "test_toy.py").write_text(
        source.replace("tolerance=0.01)", "tolerance=0.01)\n    assert variant != 'large', 'no'")
    )
    session = toy.run("--pareto")
    session.result.assert_outcomes(failed=1, passed=3)
    assert session.exit_code == 1
    assert session.case("large").verdict == "BROKEN"


def test_workers_are_refused(pytester: pytest.Pytester, toy: "Toy") -> None:
    session = toy.run("--pareto", "-pxdist.plugin", "-n2")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "--pareto does not work with pytest-xdist yet" in session.text
    assert "-n0" in session.text


def test_interrupt_judges_what_there_is(toy: "Toy") -> None:
    (toy.path / "test_zz.py").write_text("def test_stop(): raise KeyboardInterrupt\n")
    toy.change(large={"seconds": 0.08})
    session = toy.run("--pareto")
    assert session.exit_code == pytest.ExitCode.INTERRUPTED
    assert "interrupted" in session.text
    assert session.case("large").fails
    assert "Traceback" not in session.text


def test_stepwise_is_refused(toy: "Toy") -> None:
    session = toy.run("--pareto", "--sw")
    assert session.exit_code == pytest.ExitCode.USAGE_ERROR
    assert "--pareto does not work with --stepwise" in session.text
    assert "--lf" in session.text


def test_printed_commands_work_where_pytest_was_started(
    harmed: "Toy", monkeypatch: pytest.MonkeyPatch
) -> None:
    (harmed.path / "pytest.ini").write_text("[pytest]\n")
    below = harmed.path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    session = harmed.run("--pareto", "..", "-k", "large")
    assert session.exit_code == 1
    assert "pytest '../test_toy.py::test_generate[large]' --pareto" in session.text


def test_a_broken_module_is_diagnosed_once(toy: "Toy") -> None:
    (toy.path / "test_zz.py").write_text("import no_such_thing\n")
    session = toy.run("--pareto")
    assert session.exit_code == pytest.ExitCode.INTERRUPTED
    assert "nothing was measured" not in session.text


def test_earlier_passes_are_removed_together(harmed: "Toy") -> None:
    conftest = harmed.path / "conftest.py"
    text = conftest.read_text() if conftest.exists() else ""
    conftest.write_text(
        f"""{text}
class Counted(list):
    read = 0
    def __iter__(self):
        Counted.read += 1
        return super().__iter__()

def pytest_collection_finish(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    reporter.stats["passed"] = Counted()

def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"passes read {{Counted.read}} times")
"""
    )
    session = harmed.run("--pareto")
    session.result.assert_outcomes(failed=2, passed=2)
    session.result.stdout.fnmatch_lines(["passes read 1 times"])
