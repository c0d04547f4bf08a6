"""How one measurement differs from the defaults: what ``pareto.configure`` was told."""

from collections.abc import Callable
from dataclasses import dataclass, fields

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.formatting import require_text
from pytest_pareto.plugin.marker import count


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """The options; None is the default of each, or what the marker says.

    Raises ParetoError where one of them cannot be used.
    """

    name: str | None = None
    setup: Callable[[], object] | None = None
    items: int | None = None
    rounds: int | None = None
    warmup: int | None = None
    metrics: frozenset[str] | None = None
    max_items: int | None = None

    def __post_init__(self) -> None:
        if self.name is not None and (not self.name or not isinstance(self.name, str)):
            raise ParetoError(f"name takes a non-empty string, not {self.name!r}")
        require_text("name", self.name or "")
        count("items", self.items, least=1)
        count("rounds", self.rounds, least=1)
        count("warmup", self.warmup, least=0)
        count("max_items", self.max_items, least=1)

    def changed(self, **given: object) -> "MeasureOptions":
        """Return these options with what is ``given``; what is None stays as it is."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        told = {name: value for name, value in given.items() if value is not None}
        return MeasureOptions(**{**kept, **told})
