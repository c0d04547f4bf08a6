"""What a session came to: failed tests for failing cases, and the section that tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from pytest_pareto.model.baseline import Baseline, Samples
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.session_record import Picture, SessionFacts, SessionRecord, SessionReport
from pytest_pareto.model.verdict import CaseVerdict, Judgement
from pytest_pareto.plugin.failures import report_failures, without_test
from pytest_pareto.report.headline import title
from pytest_pareto.report.terminal import failure_text, render_terminal
from pytest_pareto.report.text import typed


@dataclass(frozen=True, slots=True)
class Sampled:
    """The scores of samples that a session compared, and those that the next will meet.

    ``now`` is by case id and metric name; ``after`` is the baseline as the session leaves it.
    """

    now: Mapping[tuple[str, str], Samples]
    before: Baseline
    after: Baseline


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a session came to.

    ``environment`` is the machine of its newest run, ``record`` what its verdict rests on.
    """

    judgement: Judgement
    facts: SessionFacts
    sampled: Sampled | None = None
    environment: Environment | None = None
    pictures: tuple[Picture, ...] = ()
    record: SessionRecord | None = None

    def report(self, session: pytest.Session, already_red: frozenset[str]) -> None:
        """Turn failing cases into failed tests; count what has no test to hang on."""
        config = session.config
        report_failures(
            session,
            self.judgement.cases,
            already_red,
            lambda case: failure_text(_located(case, config), self.facts),
        )
        session.testsfailed += len(self.judgement.failures)
        session.testsfailed += without_test(session, self.judgement.cases)

    def located(self, config: pytest.Config) -> SessionReport:
        """Return what every report tells, with node ids as the user would type them."""
        cases = tuple(_located(case, config) for case in self.judgement.cases)
        judgement = replace(self.judgement, cases=cases)
        return SessionReport(judgement, self.facts, self.environment, self.pictures, self.record)

    def tell(self, reporter: pytest.TerminalReporter, *, plot: bool) -> None:
        """Write the section, or the one line of ``-q``."""
        writer = reporter.config.get_terminal_writer()
        verbosity = reporter.config.get_verbosity()
        located = self.located(reporter.config).judgement
        width = writer.fullwidth
        lines = render_terminal(located, self.facts, verbosity=verbosity, plot=plot, width=width)
        if verbosity >= 0:
            reporter.section(title(self.judgement), sep="=")
        for line in lines:
            reporter.write_line(line.text, **dict.fromkeys(line.markup, True))


def _located(case: CaseVerdict, config: pytest.Config) -> CaseVerdict:
    """Name a case's test as it can be typed in the folder where pytest was started."""
    module, separator, test = case.comparison.nodeid.partition("::")
    here = typed(config.rootpath / module, config.invocation_params.dir)
    nodeid = f"{here}{separator}{test}"
    return replace(case, comparison=replace(case.comparison, nodeid=nodeid))
