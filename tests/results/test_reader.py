"""Result files: errors name file and place, and every record has a line."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.session_record import SessionReport
from pytest_pareto.results.reader import decode, load, load_record, record_of
from pytest_pareto.results.writer import encode, render_json, results_of

Judged = Callable[..., SessionReport]


def test_a_file_is_read_as_it_was_written(judged: Judged, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(render_json(judged()))
    content, record = load_record(path)
    assert record == judged().record
    assert load(path) == content
    assert encode(content) == path.read_text()


def test_the_same_session_makes_the_same_bytes(judged: Judged) -> None:
    assert render_json(judged()) == render_json(judged())


def test_every_record_has_a_line(judged: Judged) -> None:
    text = render_json(judged())
    lines, content = text.splitlines(), json.loads(text)
    rows = len(content["metrics"]) + len(content["anchor"])
    assert sum(line.startswith('    {"case": ') and '"outcome": ' in line for line in lines) == rows
    assert sum('"case": "m.py::a"' in line and '"source"' in line for line in lines) == 1


def test_a_file_without_attribution_and_breakdowns_is_read(judged: Judged) -> None:
    """As an older version wrote it."""
    text = render_json(judged())

    def older(content: Any) -> None:
        assert all(row.pop("attribution") is None for row in content["metrics"])

    assert '"breakdowns"' not in text
    content = decode(edited(text, older), "b.json")
    assert content == decode(text, "b.json")
    assert content.evidence is not None
    assert record_of(content.evidence) == judged().record


def edited(text: str, change: Callable[[Any], object]) -> str:
    content = json.loads(text)
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(version=2), "b.json at version: 2 was written by a newer"),
        (lambda c: c.update(version="1"), "b.json at version: expected a version number, got '1'"),
        (lambda c: c.update(format="x"), 'expected "format": "pytest-pareto results"'),
        (lambda c: c.update(more=1), "unknown field `more`"),
        (lambda c: c["metrics"][0].update(baseline="1"), r"b.json at metrics\[\d\].baseline: Exp"),
        (lambda c: c["cases"][0].update(verdict="FINE"), r"at cases\[\d\].verdict: Invalid enum"),
        (lambda c: c["cases"].append(3), r"at cases\[\d\]: Expected `object`, got `int`"),
        (lambda c: c["evidence"]["metrics"][0].update(tolerance=-1.0), "tolerance of 'device'"),
        (lambda c: c.pop("gate"), "missing required field `gate`"),
        (
            lambda c: c["metrics"][0].update(attribution={"contributions": [{"name": "x"}]}),
            r"at metrics\[0\].attribution.contributions\[0\]: Object missing required field",
        ),
        (lambda c: c["evidence"].update({"\ud800": 1}), "b.json: .* surrogates not allowed"),
    ],
)
def test_an_error_names_file_place_and_expectation(
    judged: Judged, change: Callable[[Any], object], message: str
) -> None:
    text = render_json(judged())
    decode(edited(text, lambda _: None), "b.json")
    with pytest.raises(ParetoError, match=message):
        decode(edited(text, change), "b.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "no results of pytest-pareto"),
        ('{"a": NaN}', "NaN is no number of JSON"),
        ('{"a": 1e999}', "1e999 is beyond every float"),
        ('{"a": 1, "a": 2}', "the key 'a' appears twice"),
        ('{"cases": {}, "schema": 1}', "no results of pytest-pareto"),
    ],
)
def test_another_file_is_refused(text: str, message: str) -> None:
    with pytest.raises(ParetoError, match=message):
        decode(text, "b.json")


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ParetoError, match="cannot be read"):
        load(tmp_path / "nothing.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ParetoError, match="expected UTF-8 text"):
        load(tmp_path / "b.json")


def test_a_session_without_evidence_cannot_be_compared(judged: Judged, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(render_json(replace(judged(), record=None)))
    assert load(path).evidence is None
    with pytest.raises(ParetoError, match="compared nothing"):
        load_record(path)
    assert results_of(judged()).evidence is not None
