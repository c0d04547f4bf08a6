"""Which metrics a test may name: those that something here measures, and those it records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_pareto.measure.meter import Meter
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.metric import BUILT_IN, OPERATIONS, STREAMED
from pytest_pareto.plugin.marker import CaseOptions, suggest


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The metrics of the meters of this process, beside a test's own."""

    meters: Sequence[Meter]
    options: CaseOptions

    @property
    def built_in(self) -> frozenset[str]:
        """Everything that a measurement can produce without being told."""
        added = {metric.name for meter in self.meters for metric in meter.metrics}
        # Counted without data alone, so elsewhere a tolerance for it would never gate.
        unmeasured = frozenset() if self.options.work_only else {OPERATIONS.name}
        return (frozenset(BUILT_IN) - unmeasured) | added

    def measurable(self, metrics: Iterable[str]) -> frozenset[str]:
        """Return the names, each of which something measures; raises ParetoError otherwise."""
        wanted, known = frozenset(metrics), self.built_in
        for name in sorted(wanted - known):
            raise ParetoError(
                f"metrics names {name!r}, which nothing here measures{suggest(name, known)}; "
                f"known: {', '.join(sorted(known))}"
            )
        return wanted

    def check_named(self, recorded: set[str], *, streams: bool) -> None:
        """Raise ParetoError where the marker names what the test has not; ``streams`` or not."""
        # Where only work is counted nothing is timed, streams no more than calls.
        timed = streams and not self.options.work_only
        known = recorded | (self.built_in if timed else self.built_in - STREAMED)
        for name, keyword in self.options.named_metrics.items():
            # A budget on something that is not there would never break.
            if name not in (recorded if keyword == "budget" else known):
                raise ParetoError(
                    f"@pytest.mark.pareto({keyword}=...) names {name!r}, which this test neither "
                    f"measures nor records{suggest(name, known)}; it has {', '.join(sorted(known))}"
                )
