"""Under ``-v`` each test's line ends with what it measured, and no other line changes."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from pytest_pareto.measure.plan import LoopProgress
from pytest_pareto.plugin.progress import fit_progress_line, report_loop_progress
from pytest_pareto.report.text import display_width
from pytest_pareto.testing.scripted_meter import ScriptedClock

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Session

TESTS = """
import pytest

def test_scores(pareto):
    pareto.record("accuracy", 0.87654, better="higher")
    pareto.record("fid", 12.345, better="lower", unit="")
    pareto.record("chatter", 5.0, better="lower", gate=False)

def test_vector(pareto):
    pareto.record("hits", [1.0, 0.0, 1.0, 1.0], ids="abcd", better="higher")

def test_call(pareto, sleep):
    pareto.measure(sleep, 0.0412)
    pareto.configure(name="again", rounds=3).measure(sleep, 0.01)

def test_plain(): pass

@pytest.mark.skip(reason="not today")
def test_skipped(pareto): pass

def test_broken(pareto):
    pareto.record("accuracy", 0.5, better="higher")
    assert 0

@pytest.mark.xfail
def test_surprise(pareto):
    pareto.record("accuracy", 0.5, better="higher")
"""


@pytest.fixture
def project(pytester: pytest.Pytester, simulated_clock: str) -> pytest.Pytester:
    pytester.makepyfile(test_live=TESTS)
    pytester.makeconftest(simulated_clock)
    return pytester


def words(session: "Session") -> dict[str, str]:
    """What stands behind each test's name, up to the percentage."""
    return dict(
        re.findall(r"^test_live\.py::test_(\w+) (.*?) +\[ *\d+%\]$", session.text, re.MULTILINE)
    )


@pytest.mark.parametrize("args", [(), ("--pareto-runs=2",)])
def test_figures(project: pytest.Pytester, run: "Run", args: tuple[str, ...]) -> None:
    """Of several runs, those of the first, which is the one that is shown."""
    found = words(run("--pareto", "-v", *args))
    call = found.pop("call")
    assert found == {
        "scores": "PASSED [fid 12.3 · accuracy 0.877]",
        "vector": "PASSED [hits 0.75]",
        "plain": "PASSED",
        "skipped": "SKIPPED (not today)",
        "broken": "FAILED",
        "surprise": "XPASS",
    }
    # The clock of each process is a little off.
    told = re.fullmatch(r"PASSED \[latency (\S+) ms · #again: latency (\S+) ms\]", call)
    assert told is not None, call
    assert [float(value) for value in told.groups()] == pytest.approx([41.2, 10.0], rel=0.05)


@pytest.mark.parametrize("args", [("--pareto",), ("--pareto", "-q"), ("-v",)])
def test_nothing_without_v_or_without_pareto(
    project: pytest.Pytester, run: "Run", args: tuple[str, ...]
) -> None:
    session = run(*args)
    assert "PASSED [" not in session.text
    if "-v" not in args:
        assert re.search(r"^(test_live\.py )?\.\.\.\.sFX", session.text, re.MULTILINE)


def test_they_are_counted_as_ever(project: pytest.Pytester, run: "Run") -> None:
    session = run("--pareto", "-v")
    session.result.assert_outcomes(passed=4, skipped=1, failed=1, xpassed=1)


def test_the_summary_of_what_passed_has_pytests_own_words(
    project: pytest.Pytester, run: "Run"
) -> None:
    """Tools read these lines; the tests' own have ended by then."""
    session = run("--pareto", "-v", "-rp")
    assert "\nPASSED test_live.py::test_scores\n" in session.text


@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_lines_fit(
    pytester: pytest.Pytester, run: "Run", monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    many = "\n".join(f"    pareto.record('m{n}', {n}.5, better='lower')" for n in range(9))
    pytester.makepyfile(test_live=f"def test_many(pareto):\n{many}\n")
    monkeypatch.setenv("COLUMNS", columns)
    session = run("--pareto", "-v")
    (line,) = re.findall(r"^test_live\.py::test_many .*$", session.text, re.MULTILINE)
    assert len(line) <= int(columns)
    assert line.count(" · ") == {"60": 1, "80": 2, "200": 2}[columns]


class Terminal:
    """As much of a config, of its item and of its terminal as progress asks for."""

    def __init__(self) -> None:
        self.pluginmanager = self.config = self
        self.name = "test_it[a]"
        self.isatty = True
        self.drawn: list[str] = []

    def get_plugin(self, name: str) -> "Terminal | None":
        return self if name == "terminalreporter" else None

    def get_verbosity(self) -> int:
        return 0

    def ensure_newline(self) -> None:
        """Do nothing: there is no line to end."""

    def rewrite(self, text: str, **_: Any) -> None:
        self.drawn.append(text)


def told(seconds: float, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a terminal shows of four moments, so many seconds apart."""
    monkeypatch.setenv("COLUMNS", "200")
    terminal: Any = Terminal()
    clock = ScriptedClock([round(1e3 * seconds * n) for n in range(20)])
    line_clock = ScriptedClock([round(1e3 * seconds * n) for n in range(20)])
    monkeypatch.setattr(
        "pytest_pareto.plugin.progress.ProgressLine.__init__.__defaults__",
        (lambda: line_clock() / 1e3,),
    )
    with report_loop_progress(terminal, lambda: clock() / 1e3) as tell:
        tell(LoopProgress("warming up", 2))
        tell(LoopProgress("measuring latency and energy"))
        tell(LoopProgress("measuring latency and energy", 4, 20, 31.0))
        tell(LoopProgress("measuring flops", 5, None, 200.0))
    return list(terminal.drawn)


def test_a_long_measurement_says_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(4.0, monkeypatch) == [
        "pareto: test_it[a]: warming up, call 2",
        "pareto: test_it[a]: measuring latency and energy",
        "pareto: test_it[a]: measuring latency and energy, call 4 of 20, about 31 s left",
        "pareto: test_it[a]: measuring flops, call 5, about 3 min left",
        "",
        "",
    ]


def test_a_short_one_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(0.5, monkeypatch) == []


def test_a_skipped_test_of_a_fresh_process_is_shown_as_it_is(
    project: pytest.Pytester, run: "Run"
) -> None:
    session = run("--pareto", "-v", "--pareto-runs=2", "-k", "skipped or scores")
    assert "INTERNALERROR" not in session.text
    session.result.assert_outcomes(passed=1, skipped=1)


@pytest.mark.parametrize(
    "name", ["test_pipeline[fp16-2]", "test_" + "x" * 300, "test_図[図書館の長い名前]", ""]
)
@pytest.mark.parametrize("width", [30, 79, 200])
def test_a_standing_line_fits_and_its_end_is_kept(name: str, width: int) -> None:
    rest = "measuring latency and energy, call 23, about 2.9 s left"
    line = fit_progress_line(f"{name}: {rest}" if name else rest, width)
    assert display_width(line) <= width
    assert line.endswith(rest) == (width >= 79)
    assert name not in line or len(name) < width
