"""The whole file, and its published schema."""

import json
from inspect import cleandoc
from pathlib import Path
from typing import Any, Literal

import msgspec

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.results.evidence import Evidence
from pytest_pareto.results.table import CaseRecord, Gate, MetricRecord, PictureRecord

FORMAT = "pytest-pareto results"
VERSION = 1
SCHEMA_FILE = Path(__file__).with_name("results.schema.json")


class ResultsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A session of pytest-pareto: what it found, and what it measured.

    ``metrics`` is the table: one flat record per case and metric. ``anchor`` has the same
    records for the comparison with the anchor. ``environment`` is the machine of the newest run.
    ``evidence`` is for `pytest-pareto compare`, and null where nothing was compared.
    """

    format: Literal["pytest-pareto results"]
    version: Literal[1]
    gate: Gate
    session: SessionFacts
    environment: Environment | None
    cases: tuple[CaseRecord, ...]
    metrics: tuple[MetricRecord, ...]
    anchor: tuple[MetricRecord, ...]
    pictures: tuple[PictureRecord, ...]
    evidence: Evidence | None


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file, as `SCHEMA_FILE` holds it."""
    generated = _described(msgspec.json.schema(ResultsFile))
    assert isinstance(generated, dict)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{FORMAT}, version {VERSION}",
        **generated,
    }


def _described(content: object) -> object:
    """Return a schema whose descriptions are docstrings without the indentation of code."""
    if isinstance(content, dict):
        return {
            name: cleandoc(part)
            if name == "description" and isinstance(part, str)
            else _described(part)
            for name, part in content.items()
        }
    return [_described(part) for part in content] if isinstance(content, list) else content


def schema_text() -> str:
    """Return the text of `SCHEMA_FILE`."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"
