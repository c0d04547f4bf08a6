"""What the cases of a test are called, and what its marker says about each of them."""

from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from pytest_pareto.model.run import CaseRun, Measurement
from pytest_pareto.plugin.marker import CaseOptions, source_hash


@dataclass(frozen=True, slots=True)
class CaseNames:
    """Names the cases of one test; ``name`` is always the one given by `configure`, or None."""

    item: pytest.Item
    options: CaseOptions

    @property
    def budgeted(self) -> frozenset[str]:
        """The metrics that have a budget."""
        return frozenset(budget.metric for budget in self.options.budgets)

    def case_id(self, name: str | None) -> str:
        """Return the id of a case."""
        return self.item.nodeid if name is None else f"{self.item.nodeid}#{name}"

    def front(self, name: str | None) -> str:
        """Return the front on which a case competes."""
        if self.options.front is not None:
            front = self.options.front
        else:
            function = getattr(self.item, "originalname", None) or self.item.name
            parent = self.item.nodeid.removesuffix(self.item.name)
            front = f"{parent}{function}"
        return front if name is None else f"{front}#{name}"

    def case_run(
        self, name: str | None, measurements: Iterable[Measurement], items: int | None = None
    ) -> CaseRun:
        """Return a case with these measurements, and what they are judged by."""
        found = {measurement.metric.name: measurement for measurement in measurements}
        return CaseRun(
            case_id=self.case_id(name),
            nodeid=self.item.nodeid,
            front=self.front(name),
            source=source_hash(self.item),
            measurements=tuple(found.values()),
            gate=self.options.gate,
            budgets=tuple(b for b in self.options.budgets if b.metric in found),
            items=items,
        )
