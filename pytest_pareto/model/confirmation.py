"""What looked worse, and the fresh runs that measured it again."""

from dataclasses import dataclass

from pytest_pareto.model.run import Run


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What looked worse, by (case id, metric name), and the fresh runs that measured it again.

    They alone decide about these cases. Runs that ended early, or in which a test failed, are
    evidence too: of a case that cannot be measured twice. ``old_runs`` are of the old code,
    where both are interleaved; else the stored baseline holds.
    """

    flagged: frozenset[tuple[str, str]]
    runs: tuple[Run, ...]
    old_runs: tuple[Run, ...] = ()

    def flagged_of(self, case_id: str) -> frozenset[str]:
        """Return the names of the metrics of one case that looked worse."""
        return frozenset(name for case, name in self.flagged if case == case_id)
