"""How what was measured is accepted: from what the session left, or measured anew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import CaseVerdict, Verdict
from pytest_pareto.report.step import Step

_ALONE_UPDATE = "run this test with --pareto --pareto-update"
_ALONE_ACCEPT = "give the folder, this test and --reason to pytest-pareto accept"
_NAMED_ACCEPT = "give the folder, these tests and --reason to pytest-pareto accept"
_MOST_NAMED = 5
REASON = "say why"
"""What stands for the reason in commands; whoever accepts writes their own in its place."""


@dataclass(frozen=True, slots=True)
class Offered:
    """Where the session left what can be accepted, and into which baseline.

    ``baseline`` is None for the project's own.
    """

    folder: str
    baseline: str | None = None

    def command(self, nodeids: Sequence[str]) -> tuple[str, ...]:
        """Return the command that accepts tests; without any it accepts all that changed."""
        into = () if self.baseline is None else ("--baseline", self.baseline)
        return ("pytest-pareto", "accept", self.folder, *nodeids, *into, "--reason", REASON)


def offered_of(cases: Sequence[CaseVerdict], facts: SessionFacts | None) -> Offered | None:
    """Return what of these cases can be accepted from the session's candidate, if anything."""
    if facts is None or facts.candidate_path is None:
        return None
    some = any(case.case_id in facts.acceptable for case in cases)
    return Offered(facts.candidate_path, facts.other_baseline) if some else None


def accept_step(nodeid: str, offered: Offered | None = None) -> Step:
    """Say how to accept what one test measured, or where nothing is left of that, measures."""
    if offered is not None:
        return Step("to accept:", offered.command([nodeid]), _ALONE_ACCEPT)
    return Step("to accept:", ("pytest", nodeid, "--pareto", "--pareto-update"), _ALONE_UPDATE)


def trade_step(case_id: str, nodeid: str, facts: SessionFacts) -> Step | None:
    """Say how to accept one case that was let through; None where this session offers no way."""
    if not facts.accepts:
        return None
    path = facts.candidate_path
    if not path or case_id not in facts.acceptable:
        return accept_step(nodeid)
    return accept_step(nodeid, Offered(path, facts.other_baseline))


def trades_step(cases: Sequence[CaseVerdict], facts: SessionFacts) -> Step | None:
    """Say how to accept, together, what was let through; None where there is nothing or no way."""
    traded = [c for c in cases if c.verdict is Verdict.TRADE_OFF and not c.fails]
    offered = offered_of(traded, facts)
    nodeids = list(dict.fromkeys(case.comparison.nodeid for case in traded))
    if offered is None or len(nodeids) > _MOST_NAMED:
        return None
    return Step("to accept what was traded:", offered.command(nodeids), _NAMED_ACCEPT)


def accept_steps(changed: Sequence[CaseVerdict], offered: Offered | None) -> Iterator[Step]:
    """Say how to accept what failed: as it was measured, and by measuring it anew."""
    nodeids = list(dict.fromkeys(case.comparison.nodeid for case in changed))
    if offered is not None and len(nodeids) <= _MOST_NAMED:
        words = _ALONE_ACCEPT if len(nodeids) == 1 else _NAMED_ACCEPT
        yield Step("to accept:", offered.command(nodeids), words)
    elif offered is not None:
        yield Step("to accept all that changed:", offered.command([]))
    if len(changed) == 1:
        step = accept_step(nodeids[0])
    else:
        command = ("pytest", "--lf", "--pareto", "--pareto-update")
        step = Step("to accept all that failed:", command)
    yield step if offered is None else replace(step, purpose="or, measured anew:")
