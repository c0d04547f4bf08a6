"""Under which circumstances a session was measured: what a reader asks before believing it."""

from collections import Counter
from collections.abc import Iterator

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.policy import AlphaShares
from pytest_pareto.model.session_record import SessionFacts, SessionReport
from pytest_pareto.report.header import build_header
from pytest_pareto.report.text import clean

Fact = tuple[str, str]

NOTES = 12
"""How many notes of meters are told apart from the cases."""


def session_facts(report: SessionReport) -> list[Fact]:
    """Say how the session was run and judged: names, and what stands there."""
    judgement, facts = report.judgement, report.facts
    header = build_header(judgement, facts)
    alphas = {
        result.change.alpha
        for case in judgement.cases
        for result in case.comparison.metrics
        if result.change is not None
    }
    told = [
        ("compared", header.against),
        ("measured", " · ".join(header.measured)),
        ("confirmed", _confirmed(facts)),
        ("incomplete", facts.partial or ""),
        ("differs from the baseline", ", ".join(facts.differences)),
        ("assumed", "; ".join(facts.assumptions)),
        ("alpha", ", ".join(f"{alpha:g}" for alpha in sorted(alphas))),
        ("alpha is spent on", _shares(judgement.shares) if alphas else ""),
        ("hardware key", facts.hardware_key),
    ]
    return [(name, clean(text)) for name, text in told if text]


def machine_facts(machine: Environment | None) -> list[Fact]:
    """Say what was measured on: the machine as the newest run saw it."""
    if machine is None:
        return []
    told = [
        ("CPU", machine.cpu_model),
        ("usable cores", str(machine.usable_cores)),
        ("threads", str(machine.threads)),
        ("GPU", f"{machine.gpu_count} × {machine.gpu_product}" if machine.gpu_product else "none"),
        ("MIG profile", machine.mig_profile or ""),
        ("power limit", ", ".join(f"{limit:g} W" for limit in machine.power_limits_w)),
        ("boards", ", ".join(machine.boards)),
        *sorted(machine.software.items()),
    ]
    return [(clean(name), clean(text)) for name, text in told if text]


def conditions(report: SessionReport) -> list[str]:
    """Gather what meters noted, such as a throttled clock, of which metrics and how often.

    What they noted of one case stands with it too, so a few of the rest are enough here.
    """
    notes = Counter(
        f"{result.metric.name}: {note}"
        for case in report.judgement.cases
        for result in case.comparison.metrics
        for note in result.notes
    ).most_common()
    told = [
        clean(note) if count == 1 else f"{clean(note)} ({plural(count, 'reading')})"
        for note, count in notes[:NOTES]
    ]
    rest = len(notes) - len(told)
    return [*told, f"and {rest} more, with their cases"] if rest else told


def _confirmed(facts: SessionFacts) -> str:
    if facts.confirmed:
        return "what looks worse is measured again before it is called so"
    return "no: judged on this session's runs alone"


def _shares(shares: AlphaShares) -> str:
    return ", ".join(_told(shares))


def _told(shares: AlphaShares) -> Iterator[str]:
    for share, what in (
        (shares.changes, "changes"),
        (shares.lost, "places lost"),
        (shares.budgets, "budgets"),
        (shares.anchor, "creep since the anchor"),
    ):
        if share:
            yield f"{what} {100 * share:.3g} %"
