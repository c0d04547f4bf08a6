"""Tests of annotations, parsed as GitHub's runner parses them."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.model.session_record import SessionFacts, SessionReport
from pytest_pareto.model.verdict import (
    CaseComparison,
    CaseVerdict,
    Failure,
    Judgement,
    Place,
    Position,
    Verdict,
)
from pytest_pareto.report.github import MAX_ANNOTATIONS, SourceLocation, annotation_lines

Run = tuple[Judgement, SessionFacts]
COMMAND = re.compile(r"::(error|warning) ([^:]*)::(.*)")


def read(line: str) -> tuple[str, dict[str, str], str]:
    """Parse a workflow command."""
    found = COMMAND.fullmatch(line)
    assert found is not None, line
    properties = dict(part.split("=", 1) for part in found[2].split(","))
    return found[1], {name: unquote(value) for name, value in properties.items()}, unquote(found[3])


def test_the_worst_leads_at_its_line(failing_run: Run) -> None:
    worst = "test_sd.py::test_generate[int8-20]"
    lines = annotation_lines(
        SessionReport(*failing_run), {worst: SourceLocation("sub/test_sd.py", 12)}
    )
    commands = [read(line) for line in lines]
    assert [level for level, _, _ in commands] == ["error", "error", "warning"]
    assert commands[0][1] == {
        "file": "sub/test_sd.py",
        "line": "12",
        "title": "pareto: test_generate[int8-20] LOST ITS PLACE",
    }
    assert commands[0][2].startswith(
        f"{worst}: LOST its place: device_time WORSE: 231.4 → 246.0 ms"
    )
    assert "file" not in commands[1][1]


def test_a_passing_session_has_none(passing_run: Run) -> None:
    assert annotation_lines(SessionReport(*passing_run), {}) == []


def test_failures_of_the_session_come_first(incomplete_run: Run) -> None:
    commands = [read(line) for line in annotation_lines(SessionReport(*incomplete_run), {})]
    assert commands[0][1]["title"] == "pareto: the session failed"
    assert len(commands) == 3


def test_a_test_that_broke_unseen_takes_one_place(
    case: Callable[..., CaseVerdict], facts: Callable[..., SessionFacts]
) -> None:
    broken = case("[a]", Verdict.BROKEN, fails=("the test failed in run 2: oh",))
    nodeid = broken.comparison.nodeid
    failures = tuple(
        Failure(f"{test} failed in run 2 of 3: oh", test)
        for test in (nodeid, "test_else.py::test_y")
    )
    judged = Judgement((broken,), failures=failures)
    commands = [read(line) for line in annotation_lines(SessionReport(judged, facts()), {})]
    assert (
        next(message.partition(" failed")[0] for _, _, message in commands)
        == "test_else.py::test_y"
    )
    assert len(commands) == 2


def test_more_than_nine_are_counted(
    case: Callable[..., CaseVerdict], facts: Callable[..., SessionFacts]
) -> None:
    red = [case(f"[r{i}]", Verdict.DOMINATED, fails=("x",)) for i in range(40)]
    yellow = [case(f"[y{i}]", Verdict.INCONCLUSIVE, notices=("n",)) for i in range(40)]
    lines = annotation_lines(SessionReport(Judgement((*yellow, *red)), facts()), {})
    assert len(lines) == MAX_ANNOTATIONS + 1
    assert {read(line)[0] for line in lines} == {"error"}
    assert read(lines[-1])[2].startswith("and 71 more")


hostile = st.text(st.one_of(st.sampled_from("\n\r%:,=\x1b\u202e"), st.characters()), max_size=40)


@given(hostile, hostile)
def test_no_name_leaves_its_line_or_adds_a_property(name: str, why: str) -> None:
    comparison = CaseComparison(f"t.py::t[{name}]", "t.py::t", "f", ())
    red = CaseVerdict(comparison, Verdict.DOMINATED, Place(Position.OFF), (why,))
    facts = SessionFacts("pareto_baselines/x", "x", 2, 10, 1, 1.0)
    report = SessionReport(Judgement((red,)), facts)
    (line,) = annotation_lines(report, {red.case_id: SourceLocation("a,b:c%/t.py", 3)})
    assert len(line.splitlines()) == 1
    _, properties, _ = read(line)
    assert set(properties) == {"file", "line", "title"}
    assert properties["file"] == "a,b:c%/t.py"


def test_unescaped_it_would() -> None:
    assert "evil" in dict(part.partition("=")[::2] for part in ["title=a", "evil=1"])
    assert COMMAND.fullmatch("::error title=a::b\n::warning x=y::z") is None
