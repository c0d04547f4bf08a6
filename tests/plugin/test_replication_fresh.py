"""``--pareto-runs N``: N fresh processes, the same tests in the same order, none left behind."""

import os
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.plugin import fresh_processes
from tests.plugin.conftest import interrupt_child
from tests.runs.test_process import ends

if TYPE_CHECKING:
    from tests.plugin.conftest import Run, Toy

WITNESS = """
import os, pathlib
def witness(name):
    with open(pathlib.Path(__file__).with_name("witness.txt"), "a") as file:
        file.write(f"{os.getpid()} {name}\\n")
"""


def witnessed(pytester: pytest.Pytester) -> list[tuple[str, str]]:
    lines = (pytester.path / "witness.txt").read_text().splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


def test_each_run_is_a_process_with_all_tests_in_order(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    pytester.makepyfile(
        test_w=WITNESS
        + """
import pytest
@pytest.mark.parametrize("p", ["a b", "x::y", "]", "new\\nline", "é" * 50])
def test_p(pareto, p):
    witness("p")
    pareto.record("s", 1.0, better="higher")
def test_q(): witness("q")
"""
    )
    session = run("--pareto", "--pareto-runs=3")
    session.result.assert_outcomes(passed=6)
    seen = witnessed(pytester)
    pids = list(dict.fromkeys(pid for pid, _ in seen))
    assert len(pids) == 3
    assert str(os.getpid()) not in pids
    for pid in pids:
        assert [name for who, name in seen if who == pid] == ["p"] * 5 + ["q"]
    assert len(session.cases) == 5


TIMES = """
import os, pathlib, time
def tell(what):
    with open(pathlib.Path(__file__).with_name("times.txt"), "a") as file:
        file.write(f"{os.getpid()} {what} {time.monotonic()}\\n")
tell("import")
def test_p(pareto):
    tell("begin")
    pareto.record("s", 1.0, better="higher")
    time.sleep(0.1)
    tell("end")
"""


def times_of(pytester: pytest.Pytester) -> dict[str, dict[str, float]]:
    """Return the seconds at which each process, this one left out, imported, began and ended."""
    times: dict[str, dict[str, float]] = {}
    for line in (pytester.path / "times.txt").read_text().splitlines():
        pid, what, second = line.split()
        times.setdefault(pid, {})[what] = float(second)
    del times[str(os.getpid())]
    return times


@pytest.mark.parametrize("at_once", [3, 1])
def test_runs_start_up_together_and_measure_one_after_the_other(
    pytester: pytest.Pytester, run: "Run", monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(fresh_processes, "startups_at_once", lambda *_: at_once)
    pytester.makepyfile(test_w=TIMES)
    session = run("--pareto", "--pareto-runs=3")
    assert session.exit_code == 0
    first, *others = sorted(times_of(pytester).values(), key=lambda each: each["begin"])
    together = [each["import"] < first["begin"] for each in others]
    assert together == [at_once == 3] * 2
    ends = [first["end"], *(each["end"] for each in others)]
    assert all(end < each["begin"] for end, each in zip(ends, others, strict=False))


def test_a_run_that_fails_ends_those_that_wait(
    pytester: pytest.Pytester, run: "Run", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh_processes, "startups_at_once", lambda *_: 3)
    pytester.makepyfile(test_w=TIMES + "    os._exit(7)\n")
    session = run("--pareto", "--pareto-runs=3")
    assert session.exit_code == 1
    assert "run 1 of 3 failed: it ended with exit code 7" in " ".join(session.text.split())
    times = times_of(pytester)
    assert len(times) == 3
    assert sum("begin" in each for each in times.values()) == 1
    assert all(ends(int(pid)) for pid in times)


def test_a_run_that_ends_while_it_waits_fails_when_its_turn_comes(
    pytester: pytest.Pytester, run: "Run", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh_processes, "startups_at_once", lambda *_: 2)
    last = """
import fcntl, sys
if any("--pareto-child" in each for each in sys.argv):
    with open(pathlib.Path(__file__).with_name("count"), "a") as count:
        fcntl.flock(count, fcntl.LOCK_EX)
        second = count.tell() > 0
        count.write("x")
    if second:
        os._exit(7)
"""
    pytester.makepyfile(test_w=TIMES + last)
    session = run("--pareto", "--pareto-runs=2")
    assert session.exit_code == 1
    assert "of 2 failed: it ended with exit code 7" in " ".join(session.text.split())


def test_the_parents_selection_and_the_ini_files_options_do_not_leak(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    pytester.makeini("[pytest]\naddopts = --junitxml=out.xml --maxfail=1 -k 'not c'\n")
    pytester.makepyfile(
        test_w="""
import pytest
@pytest.mark.parametrize("p", ["a", "b", "c"])
def test_p(pareto, p): pareto.record("s", 1.0, better="higher")
"""
    )
    session = run("--pareto", "--pareto-runs=2")
    session.result.assert_outcomes(passed=2, deselected=1)
    assert (pytester.path / "out.xml").read_text().count("<testcase") == 2


def test_a_test_that_fails_in_a_later_run_breaks_its_case(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    pytester.makepyfile(
        test_w="""
import pathlib
def test_p(pareto):
    count = pathlib.Path(__file__).with_name("count")
    count.write_text(count.read_text() + "x" if count.exists() else "x")
    assert len(count.read_text()) < 2, "second time"
    pareto.record("s", 1.0, better="higher")
"""
    )
    session = run("--pareto", "--pareto-runs=2")
    assert session.exit_code == 1
    session.result.assert_outcomes(failed=1)
    assert "the test failed in run 2 of 2" in " ".join(session.text.split())
    assert "second time" in session.text


@pytest.mark.parametrize(
    ("mark", "first"), [("", "pytest.skip()"), ("@pytest.mark.pareto(gate=False)", "pass")]
)
def test_a_failure_in_a_later_run_that_no_case_tells_fails_the_session(
    pytester: pytest.Pytester, run: "Run", mark: str, first: str
) -> None:
    """One of a test that was skipped where it is shown, and one of a test that does not gate."""
    pytester.makepyfile(
        test_w=f"""
import pathlib, pytest
{mark}
def test_p(pareto):
    count = pathlib.Path(__file__).with_name("count")
    count.write_text(count.read_text() + "x" if count.exists() else "x")
    if len(count.read_text()) < 2:
        {first}
    pareto.record("s", 1.0, better="higher")
    assert len(count.read_text()) < 2, "second time"
"""
    )
    session = run("--pareto", "--pareto-runs=2")
    assert session.exit_code == 1
    assert "test_p failed in a run that is not shown" in " ".join(session.text.split())
    assert "second time" in session.text


def test_a_process_that_dies_fails_the_session_with_its_last_words(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    pytester.makepyfile(
        test_w="""
import os
def test_p(pareto):
    os.write(2, b"last words\\n")
    os._exit(7)
"""
    )
    session = run("--pareto", "--pareto-runs=2", "-s")
    assert session.exit_code == 1
    text = " ".join(session.text.split())
    assert "run 1 of 2 failed: it ended with exit code 7" in text
    assert "last words" in text


def test_ids_that_change_are_an_error(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile(
        test_w="""
import os, pytest
@pytest.mark.parametrize("p", [os.getpid()])
def test_p(pareto, p): pareto.record("s", 1.0, better="higher")
"""
    )
    session = run("--pareto", "--pareto-runs=1")
    assert session.exit_code == 1
    assert "not collected again" in " ".join(session.text.split())


def test_exitfirst_stops_the_first_run_and_judges_what_there_is(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    pytester.makepyfile(
        test_w=WITNESS
        + """
def test_a(pareto): pareto.record("s", 1.0, better="higher")
def test_b(): assert 0
def test_c(): witness("c")
"""
    )
    session = run("--pareto", "--pareto-runs=2", "-x")
    assert session.exit_code == 1
    session.result.assert_outcomes(passed=1, failed=1)
    assert [case.case_id for case in session.cases] == ["test_w.py::test_a"]
    assert "nothing was measured" not in session.text


def test_a_plain_test_that_fails_in_a_later_run_fails_the_session(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    pytester.makepyfile(
        test_w="""
import pathlib
def test_a(pareto): pareto.record("s", 1.0, better="higher")
def test_b():
    seen = pathlib.Path(__file__).with_name("seen")
    assert not seen.exists()
    seen.touch()
"""
    )
    session = run("--pareto", "--pareto-runs=2")
    assert session.exit_code == 1
    assert "test_w.py::test_b failed in run 2 of 2" in " ".join(session.text.split())


@pytest.mark.skipif(os.name != "posix", reason="process groups are POSIX")
def test_interrupt_leaves_no_child(fresh_toy: "Toy") -> None:
    (fresh_toy.path / "test_slow.py").write_text(
        "import os, pathlib, time\n"
        "def test_slow():\n"
        "    pathlib.Path(__file__).with_name('pid').write_text(str(os.getpid()))\n"
        "    time.sleep(60)\n"
    )
    interrupt_child(fresh_toy.path, "--pareto-runs=2", "test_slow.py")


def test_reports_with_texts_that_json_can_hardly_hold_are_read(
    pytester: pytest.Pytester, run: "Run"
) -> None:
    pytester.makepyfile(
        test_it="""
        import pytest

        def test_score(pareto):
            pareto.record("score", [0.5, 0.6], ids=["a", "b"], better="higher")

        def test_nan(record_property):
            record_property("loss", float("nan"))

        def test_surrogate():
            raise ValueError("\\udcff")
        """
    )
    session = run("--pareto", "--pareto-runs=2")
    session.result.assert_outcomes(passed=2, failed=1)
    assert session.exit_code == 1


def test_an_id_that_no_file_can_hold_is_told(pytester: pytest.Pytester, run: "Run") -> None:
    pytester.makepyfile(
        test_it="""
        def test_score(pareto):
            pareto.record("score", [0.5, 0.6], ids=["p\\udcff.png", "b"], better="higher")
        """
    )
    session = run("--pareto", "--pareto-runs=2")
    assert session.exit_code == 1
    assert "is no text that a file can hold" in session.text
