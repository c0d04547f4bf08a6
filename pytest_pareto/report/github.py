"""GitHub workflow commands: annotations of the worst cases, shown at the lines of their tests.

`annotation_lines` renders ``::error`` and ``::warning`` commands.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import CaseVerdict, Verdict
from pytest_pareto.report.fronts import build_case
from pytest_pareto.report.terminal import failure_message
from pytest_pareto.report.text import clean, clip, shorten
from pytest_pareto.report.wording import case_label, severity

MAX_ANNOTATIONS = 9
"""GitHub shows ten errors and ten warnings of a step, and silently drops the rest."""

_TITLE_CELLS = 120
_MESSAGE_CELLS = 600


@dataclass(frozen=True, slots=True)
class SourceLocation:
    """The location of a test: its file in the repository, and the line of its definition."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class _Annotation:
    level: str
    title: str
    message: str
    spot: SourceLocation | None = None

    def __str__(self) -> str:
        properties = {"title": shorten(clean(self.title), _TITLE_CELLS)}
        if self.spot is not None:
            properties = {"file": self.spot.file, "line": str(self.spot.line), **properties}
        listed = ",".join(f"{name}={_escape_property(text)}" for name, text in properties.items())
        message = _escape_message(clip(clean(self.message), _MESSAGE_CELLS))
        return f"::{self.level} {listed}::{message}"


def annotation_lines(report: SessionReport, spots: Mapping[str, SourceLocation]) -> list[str]:
    """Return at most `MAX_ANNOTATIONS` commands, the worst first, and one that counts the rest.

    ``spots`` are by case id; a case whose test did not run has none.
    """
    annotations = list(_annotations(report, spots))
    lines = [str(annotation) for annotation in annotations[:MAX_ANNOTATIONS]]
    more = len(annotations) - MAX_ANNOTATIONS
    if more > 0:
        level = annotations[MAX_ANNOTATIONS].level
        lines.append(str(_Annotation(level, "pareto", f"and {more} more: see the summary")))
    return lines


def _annotations(
    report: SessionReport, spots: Mapping[str, SourceLocation]
) -> Iterator[_Annotation]:
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
            yield _case_annotation("error", case, failure_message(case), spots)
        elif case.notices:
            yield _case_annotation("warning", case, "; ".join(build_case(case).notices), spots)


def _is_broken(case: CaseVerdict) -> bool:
    """Whether a case fails because its test failed."""
    return bool(case.fails) and case.verdict is Verdict.BROKEN


def _case_annotation(
    level: str, case: CaseVerdict, message: str, spots: Mapping[str, SourceLocation]
) -> _Annotation:
    # A parameter may hold colons too.
    test = case.case_id.partition("[")[0].rpartition("::")[0]
    title = f"pareto: {case.case_id.removeprefix(f'{test}::')} {case_label(case)}"
    return _Annotation(level, title, f"{case.case_id}: {message}", spots.get(case.case_id))


def _escape_message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_message(text).replace(":", "%3A").replace(",", "%2C")
