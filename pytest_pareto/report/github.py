"""Workflow commands that GitHub shows beside the lines of a pull request: the worst cases."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import CaseVerdict, Verdict
from pytest_pareto.report.fronts import build_case
from pytest_pareto.report.terminal import failure_message
from pytest_pareto.report.text import clean, clip, shorten
from pytest_pareto.report.wording import case_label, severity

MOST = 9
"""GitHub takes ten errors and ten warnings of a step, and drops the rest without a word."""

_TITLE_CELLS = 120
_MESSAGE_CELLS = 600


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a test is: its file below the repository, and the line of its definition."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class _Annotation:
    level: str
    title: str
    message: str
    spot: Spot | None = None

    def __str__(self) -> str:
        about = {"title": shorten(clean(self.title), _TITLE_CELLS)}
        if self.spot is not None:
            about = {"file": self.spot.file, "line": str(self.spot.line), **about}
        told = ",".join(f"{name}={_property(value)}" for name, value in about.items())
        return f"::{self.level} {told}::{_message(clip(clean(self.message), _MESSAGE_CELLS))}"


def annotation_lines(report: SessionReport, spots: Mapping[str, Spot]) -> list[str]:
    """Write at most `MOST` annotations, the worst first, and one that counts the others.

    ``spots`` are by case id; a case whose test did not run has none.
    """
    found = list(_found(report, spots))
    lines = [str(each) for each in found[:MOST]]
    more = len(found) - MOST
    if more > 0:
        level = found[MOST].level
        lines.append(str(_Annotation(level, "pareto", f"and {more} more: see the summary")))
    return lines


def _found(report: SessionReport, spots: Mapping[str, Spot]) -> Iterator[_Annotation]:
    judgement = report.judgement
    # A test that failed in a run that is not shown is a failure of the session too: its broken
    # case reports it.
    broken = {c.comparison.nodeid for c in judgement.cases if _is_broken(c)}
    for failure in judgement.failures:
        if failure.nodeid not in broken:
            text = failure.text.partition("\n")[0]
            yield _Annotation("error", "pareto: the session failed", text)
    for case in sorted(judgement.cases, key=severity):
        if case.fails:
            yield _of_case("error", case, failure_message(case), spots)
        elif case.notices:
            yield _of_case("warning", case, "; ".join(build_case(case).notices), spots)


def _is_broken(case: CaseVerdict) -> bool:
    """Whether a case fails since its test did."""
    return bool(case.fails) and case.verdict is Verdict.BROKEN


def _of_case(level: str, case: CaseVerdict, message: str, spots: Mapping[str, Spot]) -> _Annotation:
    # A parameter may hold colons too.
    test = case.case_id.partition("[")[0].rpartition("::")[0]
    title = f"pareto: {case.case_id.removeprefix(f'{test}::')} {case_label(case)}"
    return _Annotation(level, title, f"{case.case_id}: {message}", spots.get(case.case_id))


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
