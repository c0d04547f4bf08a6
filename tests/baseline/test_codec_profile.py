"""The files of what levels consist of: small, complete, and never an input of a verdict."""

import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.baseline import codec, schema
from pytest_pareto.baseline.codec import decode_module, encode_module, encode_profile
from pytest_pareto.model.attribution import (
    CASE_BYTES,
    Breakdown,
    Part,
    breakdown_of,
    fold_breakdowns,
    placed,
)
from pytest_pareto.model.baseline import CaseHistory, MetricHistory, Session
from pytest_pareto.model.errors import BaselineError, NewerSchemaError
from pytest_pareto.model.metric import BUILT_IN, Better, Kind, Rule, Scope
from tests.baseline.test_codec import STEADY, Case, History

MODULE = "t/test_m.py"
BOTH = Breakdown(
    (Part("aten::addmm in Net.fc1", 0.00123, 2.0), Part("other", 12.0)), 0.0004, 3, marks="9+AbX/"
)

_TEXTS = st.text(max_size=90) | st.sampled_from(
    ['q"\\', "l\nm\r\u2028", "]}{[", "<<<<<<< HEAD", "é\U0001f600" * 30, "", "\x00" * 80]
)
_PLACES = ["Net", "Net.layers.*.up", "Net.layers.*.down", "Net.é", "N" * 60]
_VALUES = st.floats(-1e15, 1e15) | st.integers(-(10**15), 10**15).map(float)
_COUNTS = st.none() | st.integers(1, 10**6).map(float) | st.floats(1e-3, 1e6)


def _wholes(most: int) -> st.SearchStrategy[Breakdown]:
    placed_texts = st.builds(placed, st.sampled_from("abcdefgh"), st.sampled_from(_PLACES))
    names = _TEXTS | placed_texts
    return st.lists(st.builds(Part, names, _VALUES, _COUNTS), max_size=most).map(breakdown_of)


_CASES = st.dictionaries(st.sampled_from(sorted(BUILT_IN)), _wholes(40), max_size=12)


def decode(text: str, samples: str | None, profile: str | None) -> dict[str, CaseHistory]:
    return decode_module(
        text,
        samples,
        profile_text=profile,
        file="m.json",
        module=MODULE,
        environments=("e1", "e2"),
    )


def test_golden_file(case: Case, history: History) -> None:
    one = case(
        f"{MODULE}::test_b",
        latency=history("latency", (0.5,), breakdown=BOTH),
        energy=history("energy", (0.5,)),
        peak_memory=history("peak_memory", (8e9,), breakdown=Breakdown((Part("x", 8e9),))),
    )
    other = case(
        f"{MODULE}::test_a",
        flops=history("flops", (0.0,), breakdown=Breakdown(())),
    )
    bare = case(f"{MODULE}::test_c", energy=history("energy", (0.5,)))
    assert (
        encode_profile([one, bare, other])
        == """\
{
  "cases": {
    "test_a":
      {"metrics":{"flops":[[]]},"names":[]},
    "test_b":
      {"marks":"9+AbX/","metrics":{"latency":[[[1,0,0.00123,2],[2,-1,12]],0.0004,3],\
"peak_memory":[[[3,-1,8000000000]]]},"names":["Net.fc1","aten::addmm","other","x"]}
  },
  "schema": 1
}
"""
    )


def test_no_breakdowns_need_no_file(case: Case, history: History) -> None:
    assert encode_profile([case(f"{MODULE}::test_a", energy=history("energy", (0.5,)))]) is None


LEVEL = MetricHistory("s", Better.LOWER, Kind.RUN, Scope.HOST, (Session("e1", 0, (0.5,)),))


@st.composite
def _modules(draw: st.DrawFn) -> list[CaseHistory]:
    """Return the cases of a module: of some metrics it is known what they consist of."""
    cases = []
    for rest in draw(st.lists(_TEXTS, max_size=3, unique=True)):
        known = fold_breakdowns(draw(st.dictionaries(_TEXTS.filter(bool), _wholes(6), max_size=3)))
        metrics = {name: replace(LEVEL, breakdown=whole) for name, whole in known.items()}
        cases.append(CaseHistory(f"{MODULE}::{rest}", "f", "s", {"no parts": LEVEL} | metrics))
    return cases


def _breakdowns(case: CaseHistory) -> dict[str, Breakdown | None]:
    return {name: history.breakdown for name, history in case.metrics.items()}


@STEADY
@given(_modules())
def test_breakdowns_are_unchanged_and_have_one_text(cases: list[CaseHistory]) -> None:
    profile = encode_profile(cases)
    back = decode(encode_module(cases), None, profile)
    assert {each.case_id: _breakdowns(back[each.case_id]) for each in cases} == {
        each.case_id: _breakdowns(each) for each in cases
    }
    assert encode_profile(back.values()) == profile
    assert profile is None or (profile.isascii() and profile.endswith("}\n"))
    turned = [
        replace(each, metrics=dict(reversed(list(each.metrics.items()))))
        for each in reversed(cases)
    ]
    assert encode_profile(turned) == profile


def test_every_field_of_a_breakdown_is_stored() -> None:
    lines = {*schema.BreakdownLine.__struct_fields__, "marks"}
    # Sums are parts without a name of their own.
    assert {field.name for field in fields(Breakdown)} == lines - {"sums"}
    assert "marks" in schema.ProfileLine.__struct_fields__
    numbers = [field.name for field in fields(Part)][1:]
    assert [*schema.PartLine.__struct_fields__] == ["what", "where", *numbers]


def _lines_of_the_case(breakdowns: dict[str, Breakdown]) -> str:
    """Return the lines that a file has because of a case, between two others."""
    metrics = {name: replace(LEVEL, breakdown=whole) for name, whole in breakdowns.items()}
    some = {"m": replace(LEVEL, breakdown=Breakdown(()))}
    cases = [CaseHistory(f"{MODULE}::{rest}", "f", "s", some) for rest in "ac"]
    without = encode_profile(cases)
    whole = encode_profile([*cases, CaseHistory(f"{MODULE}::b", "f", "s", metrics)])
    assert without is not None
    assert whole is not None
    begin = without.index('    "c"')
    return whole[begin : len(whole) - len(without) + begin]


@STEADY
@given(_CASES)
def test_a_case_takes_two_kilobytes_at_most(breakdowns: dict[str, Breakdown]) -> None:
    folded = fold_breakdowns(breakdowns)
    lines = _lines_of_the_case(folded)
    long = sum(len(json.dumps(whole.rest)) + len(str(whole.folded)) for whole in folded.values())
    # A rest may have more digits than a time, and the file has all of them.
    assert len(lines) - 2 * len('"b"') <= CASE_BYTES + max(0, long - 17 * len(folded))
    assert len(lines) <= 2200


def test_sums_by_place_are_unchanged(case: Case, history: History) -> None:
    parts = [Part(f"op {n} in Net.layers.*.{n % 3}", float(9 + n % 7)) for n in range(300)]
    folded = fold_breakdowns({"dispatches": breakdown_of(parts)})["dispatches"]
    assert folded.sums.keys() == {f"Net.layers.*.{n}" for n in range(3)}
    latency = history("latency", (2.0,), env="e1", breakdown=folded)
    one = case(f"{MODULE}::a", latency=latency)
    assert decode(encode_module([one]), None, encode_profile([one])) == {one.case_id: one}


def test_a_case_with_many_parts_fills_its_bytes() -> None:
    """The control: without folding it would take more, and folding does not waste the bytes."""
    parts = [Part(f"aten::mm in layer.{i}.é", 1e-3 / (i + 1), 4.0) for i in range(100)]
    whole = {name: breakdown_of(parts) for name in ("latency", "event_time")}
    assert len(_lines_of_the_case(whole)) > 7000
    assert CASE_BYTES - 80 < len(_lines_of_the_case(fold_breakdowns(whole))) <= CASE_BYTES


def test_no_byte_more_than_is_allowed_is_taken() -> None:
    parts = {"latency": breakdown_of(Part(f"op {i}", 1 / (i + 8), 4.0) for i in range(100))}
    taken = {
        most: len(_lines_of_the_case(fold_breakdowns(parts, most))) - 2 * len('"b"')
        for most in range(200, 500)
    }
    assert [most for most, size in taken.items() if size > most] == []
    assert max(size - most for most, size in taken.items()) > -20


def test_a_name_that_no_file_can_hold_is_spelled_otherwise(case: Case, history: History) -> None:
    """It must not keep a session from writing its baseline."""
    whole = breakdown_of([Part("caf\udce9.py:12", 2.0), Part("caf\\udce9.py:12", 1.0)])
    assert whole == Breakdown((Part("caf\\udce9.py:12", 3.0),))
    one = case(f"{MODULE}::a", latency=history("latency", (0.5,), env="e1", breakdown=whole))
    assert decode(encode_module([one]), None, encode_profile([one])) == {one.case_id: one}


def test_a_missing_file_or_line_is_no_error(case: Case, history: History) -> None:
    """Baselines of older versions have none."""
    latency = history("latency", (0.5,), env="e1", breakdown=BOTH)
    energy = history("energy", (3.0,), env="e1", breakdown=BOTH)
    one = case(f"{MODULE}::test_a", latency=latency, energy=energy)
    text = encode_module([one])
    (bare,) = decode(text, None, None).values()
    assert _breakdowns(bare) == {"latency": None, "energy": None}
    alone = encode_profile([replace(one, metrics={"latency": latency})])
    (found,) = decode(text, None, alone).values()
    assert _breakdowns(found) == {"latency": BOTH, "energy": None}
    (found,) = decode(text, None, encode_profile([one])).values()
    assert found == one


_PARTS = [[0, 1, 0.5, 2], [1, -1, 0.25]]


def _content(
    parts: Any = _PARTS, rest: Any = 0.125, folded: Any = 2, more: Any = (), **line: Any
) -> dict[str, Any]:
    sound = {"names": ["a", "b"], "metrics": {"latency": [parts, rest, folded, *more]}}
    return {"schema": 1, "cases": {"test_a": sound | line}}


_CASE = 'm.profile.json at cases["test_a"]'
_PLACE = f'{_CASE}.metrics["latency"]'
_TOO_LARGE = "Expected `float` <= 1e+150."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_content(parts="ab"), f"{_PLACE}[0]: Expected `array`, got `str`."),
        (_content(parts=[{}]), f"{_PLACE}[0][0]: Expected `array`, got `object`."),
        (_content(parts=[["a", 0, 2]]), f"{_PLACE}[0][0][0]: Expected `int`, got `str`."),
        (_content(parts=[[-1, 0, 2]]), f"{_PLACE}[0][0][0]: Expected `int` >= 0."),
        (_content(parts=[[0, -2, 2]]), f"{_PLACE}[0][0][1]: Expected `int` >= -1."),
        (
            _content(parts=[[0, 1, 2], [2, 0, 2]]),
            f'{_PLACE}[0][1]: expected places below 2 in cases["test_a"].names. Restore',
        ),
        (_content(parts=[[0, 2, 2]]), f"{_PLACE}[0][0]: expected places below 2 in cases"),
        (_content(parts=[[0, 1, "2"]]), f"{_PLACE}[0][0][2]: Expected `float`, got `str`."),
        (_content(parts=[[0, 1, True]]), f"{_PLACE}[0][0][2]: Expected `float`, got `bool`."),
        (_content(parts=[[0, 1]]), f"{_PLACE}[0][0]: Expected `array` of at least length 3"),
        (_content(parts=[[0, 1, 1, 2, 3]]), f"{_PLACE}[0][0]: Expected `array` of at most"),
        (_content(parts=[[0, 1, math.nan]]), f"{_PLACE}[0][0][2]: Expected `float` >= -1e+150"),
        (_content(parts=[[0, 1, 1], [1, 0, math.inf]]), f"{_PLACE}[0][1][2]: {_TOO_LARGE}"),
        (_content(parts=[[0, 1, 1, math.inf]]), f"{_PLACE}[0][0][3]: {_TOO_LARGE}"),
        (_content(parts=[[0, 1, 1e151]]), f"{_PLACE}[0][0][2]: {_TOO_LARGE}"),
        (_content(parts=[[0, 1, 10**400]]), f"{_PLACE}[0][0][2]: Number out of range."),
        (
            _content(names=["a", "b\udc80"]),
            f"{_CASE}.names: the part's name 'b\\udc80' is no text that",
        ),
        (_content(names="ab"), f"{_CASE}.names: Expected `array`, got `str`."),
        (_content(names=["a", -1]), f"{_CASE}.names[1]: Expected `int` >= 0."),
        (_content(names=["a", 1.5]), f"{_CASE}.names[1]: Expected `int | str`, got `float`."),
        (_content(names=[]), f"{_PLACE}[0][0]: expected places below 0 in cases"),
        (_content(rest=math.nan), f"{_PLACE}[1]: Expected `float` >= -1e+150."),
        (_content(rest=None), f"{_PLACE}[1]: Expected `float`, got `null`."),
        (_content(folded=-1), f"{_PLACE}[2]: Expected `int` >= 0."),
        (_content(folded=1.5), f"{_PLACE}[2]: Expected `int`, got `float`."),
        (_content(more=[[1, 2.0], 1]), f"{_PLACE}: Expected `array` of at most length 4"),
        (_content(more=[[1]]), f"{_PLACE}[3]: expected places below 2 in cases"),
        (_content(more=[[2, 2.0]]), f"{_PLACE}[3]: expected places below 2 in cases"),
        (_content(more=[[0.5, 2.0]]), f"{_PLACE}[3]: expected places below 2 in cases"),
        (_content(more=[[0, math.inf]]), f"{_PLACE}[3][1]: Expected `float` <= 1e+150."),
        (_content(more=[[0, 1.0, 0, 2.0]]), f"{_PLACE}: a breakdown has two parts of one"),
        (_content(marks=["ab"]), f"{_CASE}.marks: Expected `str`, got `array`."),
        (_content(kind=1), f"{_CASE}: Object contains unknown field `kind`."),
        (_content(metrics={"latency": []}), f"{_PLACE}: Expected `array` of at least length 1"),
        (_content(metrics=[]), f"{_CASE}.metrics: Expected `object`, got `array`."),
        ({"schema": 1, "cases": {"test_a": {"names": []}}}, f"{_CASE}: Object missing required"),
        (_content(parts=[[0, 1, 1], [0, 1, 2]]), f"{_PLACE}: a breakdown has two parts of one"),
        ({"schema": 1, "cases": {"test_a": []}}, f"{_CASE}: Expected `object`, got `array`."),
        ({"schema": 1}, "m.profile.json: Object missing required field `cases`."),
        ({"cases": {}}, "m.profile.json at schema: expected a version number, got None."),
        (
            {"schema": 1, "cases": {}, "ids": {}},
            "m.profile.json: Object contains unknown field `ids`.",
        ),
    ],
)
def test_every_fault_is_reported_with_its_place(
    case: Case, history: History, content: dict[str, Any], message: str
) -> None:
    text = encode_module([case(f"{MODULE}::test_a", latency=history("latency", (1.0,), env="e1"))])
    assert decode(text, None, json.dumps(_content()))
    with pytest.raises(BaselineError) as caught:
        decode(text, None, json.dumps(content))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("", "m.profile.json: not valid JSON (Expecting value"),
        ("[]", "m.profile.json: expected one JSON object."),
        ('{"schema": 1, "cases": {}, "cases": {}}', "m.profile.json: not valid JSON (the key"),
        ("{\n<<<<<<< HEAD\n", "m.profile.json: unresolved merge conflict at line 2. Resolve it"),
        ("cos\nsystem\n(S'true'\ntR.", "m.profile.json: not valid JSON"),
    ],
)
def test_a_text_that_is_no_json_object_is_refused(profile: str, message: str) -> None:
    with pytest.raises(BaselineError) as caught:
        decode(encode_module([]), None, profile)
    assert str(caught.value).startswith(message)


def test_a_newer_profile_is_refused() -> None:
    with pytest.raises(NewerSchemaError, match=r"^m\.profile\.json: schema 2 was written by a new"):
        decode(encode_module([]), None, '{"schema": 2}')


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=5,
)


@STEADY
@given(
    _JSON,
    st.sampled_from(
        ["schema", "cases", "case", "names", "metrics", "marks", "line", "parts", "part", "rest"]
    ),
)
def test_any_content_is_read_or_refused_with_a_message(node: object, at: str) -> None:
    content: dict[str, Any] = _content()
    (lines,) = content["cases"].values()
    match at:
        case "schema" | "cases":
            content[at] = node
        case "case":
            content["cases"]["test_a"] = node
        case "names" | "metrics" | "marks":
            lines[at] = node
        case "line":
            lines["metrics"]["latency"] = node
        case "parts" | "rest":
            lines["metrics"]["latency"][at == "rest"] = node
        case "part":
            lines["metrics"]["latency"][0] = [_PARTS[0], node]
    message = "m.profile.json"
    try:
        reader = schema.ProfileReader(json.dumps(content), message)
        found = reader.take("test_a", "latency")
        assert found is None or math.isfinite(found.total)
    except BaselineError as error:
        message = str(error)
    assert message.startswith("m.profile.json")


def test_what_no_metric_has_is_left_out(case: Case, history: History) -> None:
    """A merge by hand may leave it; it decides nothing."""
    one = case(f"{MODULE}::test_a", latency=history("latency", (0.5,), env="e1"))
    content = _content()
    content["cases"] |= {"test_b": {"names": [], "metrics": {"latency": [[]]}}}
    content["cases"]["test_a"]["metrics"]["energy"] = [[]]
    (found,) = decode(encode_module([one]), None, json.dumps(content)).values()
    assert found.metrics.keys() == {"latency"}
    assert found.metrics["latency"].breakdown is not None
    assert "energy" not in (encode_profile([found]) or "")


def test_what_a_level_consists_of_is_no_part_of_its_entry(case: Case, history: History) -> None:
    """It decides nothing: no digest and no check of an entry changes with it."""
    other = replace(BOTH, parts=BOTH.parts[:1])
    latency = history("latency", (0.5,), env="e1", rule=Rule(0.05), breakdown=BOTH)
    one, two = (
        case(f"{MODULE}::test_a", latency=replace(latency, breakdown=breakdown, digest=None))
        for breakdown in (BOTH, other)
    )
    assert encode_module([one]) == encode_module([two])
    assert encode_profile([one]) != encode_profile([two])
    (found,) = decode(encode_module([one]), None, encode_profile([two])).values()
    assert found.metrics["latency"].breakdown == other
    assert found.metrics["latency"].digest
    assert not found.metrics["latency"].edited
    assert codec.history_key(one.metrics["latency"]) == codec.history_key(two.metrics["latency"])


def test_levels_are_read_without_it(case: Case, history: History) -> None:
    one = case(f"{MODULE}::test_a", latency=history("latency", (1.0,), env="e1", breakdown=BOTH))
    (found,) = codec.decode_levels(
        encode_module([one]), file="m.json", module=MODULE, environments=("e1",)
    ).values()
    assert _breakdowns(found) == {"latency": None}
