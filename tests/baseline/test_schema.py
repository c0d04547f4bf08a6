"""Parsing baseline files: every fault is reported with file, place and expected content."""

import json
from typing import Any

import pytest

from pytest_pareto.baseline import schema
from pytest_pareto.baseline.schema import SessionLine
from pytest_pareto.model.errors import BaselineError

_LINE = {
    "unit": "s",
    "better": "lower",
    "kind": "run",
    "scope": "host",
    "sessions": [{"env": "e", "epoch": 0, "runs": [0.5, 1]}],
}
_PLACE = 'cases["test_x[\\"4\\"]"]'
_METRIC = f'{_PLACE}.metrics["latency"]'
_RECOVER = (
    " Restore it from git, or delete it with the files that go with it and record again with "
    "`pytest --pareto --pareto-update=all`."
)


def _text(line: object = _LINE, **case: object) -> str:
    entry = {"front": "f", "source": "s", "metrics": {"latency": line}} | case
    return json.dumps({"schema": 1, "cases": {'test_x["4"]': entry}})


def _session(**changes: Any) -> dict[str, Any]:
    first = {"env": "e", "epoch": 1, "runs": [0.5]}
    return _LINE | {"sessions": [first, first | changes]}


def test_a_sound_file_is_read() -> None:
    entry, lines = schema.module_entries(_text(), "t.json")['test_x["4"]']
    assert (entry.front, entry.source) == ("f", "s")
    assert lines["latency"].sessions == (SessionLine("e", 0, (0.5, 1.0)),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.json: not valid JSON (Expecting value: line 1 column 1 (char 0))."),
        ("[1]", "t.json: expected one JSON object."),
        ("{}", "t.json at schema: expected a version number, got None."),
        ('{"schema": "1"}', "t.json at schema: expected a version number, got '1'."),
        ('{"schema": true}', "t.json at schema: expected a version number, got True."),
        ('{"schema": 0}', "t.json at schema: expected a version number, got 0."),
        ('{"schema": 1}', "t.json: Object missing required field `cases`."),
        ('{"schema": 1, "cases": 3}', "t.json at cases: Expected `object`, got `int`."),
        (
            '{"schema": 1, "cases": {}, "host": "n1"}',
            "t.json: Object contains unknown field `host`.",
        ),
        (
            '{"schema": 1, "cases": {"a": 1, "b": 2, "a": 3}}',
            "t.json: not valid JSON (the key 'a' appears twice in one object).",
        ),
        (_text(front=3), f"t.json at {_PLACE}.front: Expected `str`, got `int`."),
        (_text(metrics=[]), f"t.json at {_PLACE}.metrics: Expected `object`, got `array`."),
        (_text(3), f"t.json at {_METRIC}: Expected `object`, got `int`."),
        (_text(_LINE | {"mean": 1}), f"t.json at {_METRIC}: Object contains unknown field `mean`."),
        (
            _text(_LINE | {"better": "up"}),
            (
                f"t.json at {_METRIC}.better: Invalid enum value 'up', expected one of 'lower', "
                "'higher'."
            ),
        ),
        (
            _text(_LINE | {"scope": "cpu"}),
            (
                f"t.json at {_METRIC}.scope: Invalid enum value 'cpu', expected one of 'anywhere', "
                "'gpu', 'host'."
            ),
        ),
        (
            _text(_LINE | {"sessions": []}),
            f"t.json at {_METRIC}.sessions: Expected `array` of length >= 1.",
        ),
        (
            _text(_session(runs=[])),
            f"t.json at {_METRIC}.sessions[1].runs: Expected `array` of length >= 1.",
        ),
        (
            _text(_session(runs=[0.5, "1"])),
            f"t.json at {_METRIC}.sessions[1].runs[1]: Expected `float`, got `str`.",
        ),
        (
            _text(_session(runs=[0.5, float("inf")])),
            f"t.json at {_METRIC}.sessions[1].runs[1]: expected a finite number, got inf.",
        ),
        (
            _text(_session(epoch=0)),
            f"t.json at {_METRIC}.sessions[1].epoch: expected no less than 1, got 0.",
        ),
        (_text(_session(epoch=-1)), f"t.json at {_METRIC}.sessions[1].epoch: Expected `int` >= 0."),
        (
            _text(_session(epoch=1.5)),
            f"t.json at {_METRIC}.sessions[1].epoch: Expected `int`, got `float`.",
        ),
        (
            _text(_session(runs=[0.5, 0.6], reference=[0.002])),
            (
                f"t.json at {_METRIC}.sessions[1].reference: expected one number per run, got 1 "
                "for 2 runs."
            ),
        ),
        (
            _text(_session(runs=[0.5], reference=[0])),
            f"t.json at {_METRIC}.sessions[1].reference[0]: expected seconds above 0, got 0.0.",
        ),
        (
            _text(_session(runs=[0.5], reference=[float("nan")])),
            f"t.json at {_METRIC}.sessions[1].reference[0]: expected a finite number, got nan.",
        ),
    ],
)
def test_every_fault_is_reported_with_its_place(text: str, message: str) -> None:
    with pytest.raises(BaselineError) as caught:
        schema.module_entries(text, "t.json")
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith(_RECOVER)


def test_deeply_nested_text_is_refused_too() -> None:
    for text in ("[" * 100_000, f'{{"schema": 1{"0" * 5000}}}'):
        with pytest.raises(BaselineError, match=r"^t\.json: not valid JSON"):
            schema.module_entries(text, "t.json")


def test_a_number_too_large_for_a_float_is_refused() -> None:
    with pytest.raises(BaselineError, match=r"finite|out of range"):
        schema.module_entries(_text().replace("0.5", "1e999"), "t.json")


def test_a_newer_schema_requires_an_upgrade() -> None:
    with pytest.raises(BaselineError) as caught:
        schema.parse('{"schema": 2, "modules": []}', "t.json")
    assert str(caught.value) == (
        "t.json: schema 2 was written by a newer pytest-pareto; upgrade pytest-pareto to read it "
        "(this version knows schemas up to 1)."
    )


@pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "=======", ">>>>>>> theirs", "||||||| base"])
def test_an_unresolved_merge_conflict_is_reported(marker: str) -> None:
    with pytest.raises(BaselineError) as caught:
        schema.parse(f'{{\n  "schema": 1,\n{marker}\n}}', "t.json")
    assert str(caught.value) == (
        "t.json: unresolved merge conflict at line 3. Resolve it in git, for example with "
        "`git checkout --ours` or `--theirs` on this file."
    )


def test_a_conflict_marker_inside_a_name_is_accepted() -> None:
    text = json.dumps({"schema": 1, "a\n=======\nb": "<<<<<<< HEAD"}, indent=0)
    assert schema.parse(text, "t.json")["a\n=======\nb"] == "<<<<<<< HEAD"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_text(_LINE | {"kind": "\ud800"}), f"t.json at {_METRIC}: a text that UTF-8 cannot hold"),
        (
            _text(metrics={"": _LINE}),
            f'{_PLACE}.metrics[""]: expected a name of the metric, got none',
        ),
        (
            _text(metrics={"\ud800": _LINE}),
            f"{_PLACE}.metrics[\"\\ud800\"]: the metric's name '\\ud800' is no text",
        ),
        (
            _text(_session(runs=[0.5, -2e300])),
            f"{_METRIC}.sessions[1].runs[1]: expected a number up to 1e+150, got -2e+300",
        ),
    ],
)
def test_what_no_metric_can_have_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(BaselineError) as error:
        schema.module_entries(text, "t.json")
    assert message in str(error.value)


def test_a_message_shows_no_endless_name() -> None:
    text = json.dumps({"schema": 1, "cases": {"x" * 10**6: 1}})
    with pytest.raises(BaselineError) as error:
        schema.module_entries(text, "t.json")
    assert "x" * 200 + "..." in str(error.value)
    assert len(str(error.value)) < 1000
    with pytest.raises(BaselineError) as error:
        schema.parse('{"%s":1,"%s":2}' % (("x" * 10**6,) * 2), "t.json")
    assert len(str(error.value)) < 1500
