"""What a baseline holds, as it stands: its cases on their fronts, and how well they are known."""

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.verdict import Judgement


@dataclass(frozen=True, slots=True)
class Held:
    """How well one level is known.

    ``spread`` is the standard deviation between runs, a fraction of a relative metric and else
    in its unit: 0 where every run was the same, None where no session has two. ``runs`` and
    ``sessions`` are those of the level that is accepted now; ``older`` sessions had another one.
    """

    spread: float | None
    runs: int
    sessions: int
    older: int = 0


@dataclass(frozen=True, slots=True)
class RecordedFronts:
    """The fronts of one kind of machine, from its baseline alone.

    Nothing in the ``judgement`` is a change: levels are the candidates', places are those that
    the recorded runs show. ``held`` is by case id and metric name. ``environment`` is that of
    the newest session of most metrics, None where none depends on the machine.
    """

    hardware_key: str
    environment: Environment | None
    judgement: Judgement
    held: Mapping[tuple[str, str], Held]
