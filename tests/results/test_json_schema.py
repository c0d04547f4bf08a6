"""The published schema is what the code writes and reads."""

import json
from collections.abc import Callable

import pytest

from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.results.json_schema import FORMAT, SCHEMA_FILE, VERSION, schema, schema_text
from pytest_pareto.results.writer import render_json, results_of

Judged = Callable[..., SessionReport]


def test_the_committed_schema_is_up_to_date() -> None:
    """`make schema` writes it. Where the format changed, its version must change too."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()


def test_the_version_in_the_form_is_the_one_that_is_read(judged: Judged) -> None:
    content = results_of(judged())
    assert (content.format, content.version) == (FORMAT, VERSION)
    whole = schema()["$defs"]["ResultsFile"]["properties"]
    assert whole["version"] == {"enum": [VERSION]}
    assert whole["format"] == {"enum": [FORMAT]}


def test_a_file_validates_against_the_schema(judged: Judged) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))
    content = json.loads(render_json(judged()))
    validator.validate(content)
    content["metrics"][0]["estimate"] = "much"
    assert not validator.is_valid(content)
