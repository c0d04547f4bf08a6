"""A judged session in pytest's terminal: failed tests for failing cases, and the summary."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest

from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.model.verdict import CaseVerdict
from pytest_pareto.report.headline import section_title
from pytest_pareto.report.terminal import failure_text, render_terminal
from pytest_pareto.report.text import relative_path


def fail_tests(
    session: pytest.Session, report: SessionReport, already_failed: frozenset[str]
) -> None:
    """Report failing cases as failed tests; add failures without a test to pytest's count."""
    config, judgement = session.config, report.judgement
    report_failures(
        session,
        judgement.cases,
        already_failed,
        lambda case: failure_text(_with_typed_nodeid(case, config), report.facts),
    )
    session.testsfailed += len(judgement.failures)
    session.testsfailed += count_without_test(session, judgement.cases)


def with_typed_nodeids(report: SessionReport, config: pytest.Config) -> SessionReport:
    """Return a report with node ids relative to the folder where pytest was started."""
    cases = tuple(_with_typed_nodeid(case, config) for case in report.judgement.cases)
    return replace(report, judgement=replace(report.judgement, cases=cases))


def write_summary(report: SessionReport, reporter: pytest.TerminalReporter, *, plot: bool) -> None:
    """Write the section of the judgement to the terminal, or the one line of ``-q``."""
    writer = reporter.config.get_terminal_writer()
    verbosity = reporter.config.get_verbosity()
    judgement = with_typed_nodeids(report, reporter.config).judgement
    width = writer.fullwidth
    lines = render_terminal(judgement, report.facts, verbosity=verbosity, plot=plot, width=width)
    if verbosity >= 0:
        reporter.section(section_title(judgement), sep="=")
    for line in lines:
        reporter.write_line(line.text, **dict.fromkeys(line.markup, True))


def _with_typed_nodeid(case: CaseVerdict, config: pytest.Config) -> CaseVerdict:
    """Return a case with its node id relative to the folder where pytest was started."""
    module, separator, test = case.comparison.nodeid.partition("::")
    here = relative_path(config.rootpath / module, config.invocation_params.dir)
    nodeid = f"{here}{separator}{test}"
    return replace(case, comparison=replace(case.comparison, nodeid=nodeid))


_TABLE_BELOW = "more in the section of pareto, below"
RenderFailure = Callable[[CaseVerdict], tuple[str, str]]
"""Returns a failing case's line for pytest's short summary, and its full text."""


@dataclass(frozen=True, slots=True)
class _Crash:
    """The location and message that pytest reads for its short summary and for JUnit."""

    path: str
    lineno: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.lineno}: {self.message}"


@dataclass(frozen=True, slots=True)
class _CaseFailure:
    """The ``longrepr`` of a failing case: text without a traceback.

    A plain string would do, but loses its message in the short summary of pytest 8. The terminal
    whose summary has the same table gets the message alone; JUnit, HTML and others get the text.
    """

    reprcrash: _Crash
    text: str
    summarized_by: object = None

    def toterminal(self, tw: Any) -> None:
        """Write the text to a writer of pytest's, which has no public type; see the class."""
        brief = tw is self.summarized_by
        text = f"{self.reprcrash.message}\n{_TABLE_BELOW}" if brief else self.text
        for line in text.splitlines():
            tw.line(line)

    def __str__(self) -> str:
        return self.text


def report_failures(
    session: pytest.Session,
    cases: Iterable[CaseVerdict],
    already_failed: frozenset[str],
    render: RenderFailure,
) -> None:
    """Report each test with failing cases as failed, once, under its own node id.

    A test that failed by itself is left as it is. A case without a test in this session
    (MISSING) cannot be reported so: see `count_without_test`.
    """
    items = {item.nodeid: item for item in session.items}
    by_test: dict[str, list[CaseVerdict]] = {}
    for case in cases:
        nodeid = case.comparison.nodeid
        if case.fails and nodeid in items and nodeid not in already_failed:
            by_test.setdefault(nodeid, []).append(case)
    _remove_earlier_passes(session.config, by_test.keys())
    for nodeid, failing in by_test.items():
        _rename_in_junit(session.config, items[nodeid])
        _report(items[nodeid], failing, render)


def count_without_test(session: pytest.Session, cases: Iterable[CaseVerdict]) -> int:
    """Return the number of failing cases whose test is not in this session."""
    nodeids = {item.nodeid for item in session.items}
    return sum(bool(case.fails) and case.comparison.nodeid not in nodeids for case in cases)


def _report(item: pytest.Item, failing: list[CaseVerdict], render: RenderFailure) -> None:
    rendered = [render(case) for case in failing]
    path, line, _ = item.location
    message = "; ".join(message for message, _ in rendered)
    text = "\n\n".join(text for _, text in rendered)
    crash = _Crash(path, (line or 0) + 1, message)
    failure = _CaseFailure(crash, text, _summarizing_writer(item.config))
    # The teardown ends the test: without it, reporters that wait for it (pytest-html) never
    # count the failure.
    for report in (_phase(item, "call", failure), _phase(item, "teardown", None)):
        item.ihook.pytest_runtest_logreport(report=report)


def _summarizing_writer(config: pytest.Config) -> object:
    """Return the writer of the terminal whose summary has the tables, None with -q or without."""
    if config.get_verbosity() < 0 or not config.pluginmanager.has_plugin("terminalreporter"):
        return None
    return config.get_terminal_writer()


def _phase(
    item: pytest.Item, when: Literal["call", "teardown"], failure: _CaseFailure | None
) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="passed" if failure is None else "failed",
        longrepr=failure,  # type: ignore[arg-type]  # it has what pytest reads of one
        when=when,
    )


def _remove_earlier_passes(config: pytest.Config, nodeids: Collection[str]) -> None:
    """Remove the tests' earlier passes from the counts: "2 failed, 3 passed", not 7 for 5 tests."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        passed = reporter.stats.get("passed", [])
        passed[:] = [report for report in passed if report.nodeid not in nodeids]


def _rename_in_junit(config: pytest.Config, item: pytest.Item) -> None:
    """Rename the failure in JUnit XML: of two test cases of one name GitLab reads the first."""
    junit = config.pluginmanager.get_plugin("junitxml")
    key = getattr(junit, "xml_key", None)
    log = config.stash.get(key, None) if key is not None else None
    if log is not None:
        log.node_reporter(item.nodeid).add_attribute("name", f"{item.name} (pareto)")
