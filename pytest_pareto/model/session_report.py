"""All that reports tell of a session: what was decided, and under which circumstances."""

from dataclasses import dataclass
from pathlib import Path

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.facts import SessionFacts
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.verdict import Judgement


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that shows one of the worst samples of a metric, before and now."""

    case_id: str
    metric: str
    sample: str
    file: Path


@dataclass(frozen=True, slots=True)
class SessionReport:
    """A judged session as every report tells it.

    ``environment`` is the machine of this session's newest run, or None where nothing ran.
    Node ids are as they can be typed where pytest was started. ``record`` is what the verdict
    rests on, without single calls; None where nothing could be compared.
    """

    judgement: Judgement
    facts: SessionFacts
    environment: Environment | None = None
    pictures: tuple[Picture, ...] = ()
    record: SessionRecord | None = None
