"""Rules and digests in the baseline's files, and the file of a policy."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_pareto.baseline import codec
from pytest_pareto.model.baseline import CaseHistory, MetricHistory
from pytest_pareto.model.errors import BaselineError
from pytest_pareto.model.metric import Rule
from pytest_pareto.model.policy import Missing, Policy, SessionSpreads, TradeOffs
from tests.baseline.test_codec import RULES, STEADY, Case, History, decode, histories


@STEADY
@given(histories(), RULES, st.data())
def test_any_change_of_an_entry_shows(
    history: MetricHistory, rule: Rule, data: st.DataObject
) -> None:
    """Of its numbers, what it says of them, and its place; it shows until it is written anew."""
    case = CaseHistory("t/test_m.py::a", "f", "s", {"m": replace(history, rule=rule)})
    text, samples = codec.encode_module([case]), codec.encode_samples([case])
    content = json.loads(text)
    line = content["cases"]["a"]["metrics"]["m"]
    match data.draw(st.sampled_from(["unit", "epoch", "tolerance", "gates", "digest", "case"])):
        case "unit":
            line["unit"] += "x"
        case "epoch":
            line["sessions"][-1]["epoch"] += 1
        case "tolerance":
            line["rule"]["tolerance"] = 2 * line["rule"]["tolerance"] + 1
        case "gates":
            line["rule"]["gate"] = not line["rule"].get("gate", True)
        case "digest":
            del line["digest"]
        case "case":
            if samples is not None:
                return
            content["cases"]["b"] = content["cases"].pop("a")
    for _ in range(2):
        (found,) = decode(json.dumps(content), samples).values()
        assert found.metrics["m"].edited
        content = json.loads(codec.encode_module([found]))
    anew = replace(found.metrics["m"], digest=None)
    text = codec.encode_module([replace(found, metrics={"m": anew})])
    (found,) = decode(text, samples).values()
    assert not found.metrics["m"].edited


def test_a_score_changed_by_hand_shows_though_the_mean_is_the_same(
    case: Case, history: History
) -> None:
    accuracy = history("accuracy", (0.625,), env="e2", rule=Rule(0.01))
    one = case("t/test_m.py::a", accuracy=accuracy)
    text, samples = codec.encode_module([one]), codec.encode_samples([one])
    assert samples is not None
    for scores, edited in ((samples, False), (samples.replace("0.5, 0.75", "0.25, 1.0"), True)):
        (found,) = decode(text, scores).values()
        assert found.metrics["accuracy"].edited is edited


_POLICIES = st.builds(
    Policy,
    alpha=st.floats(1e-6, 0.499),
    missing=st.sampled_from(Missing),
    fail_inconclusive=st.booleans(),
    fail_rules=st.booleans(),
    trade_offs=st.sampled_from(TradeOffs),
    spreads=st.builds(SessionSpreads, host=st.floats(0, 0.99), gpu=st.floats(0, 0.99)),
    confirming=st.integers(0, 99),
)


@STEADY
@given(_POLICIES)
def test_a_policy_is_unchanged_and_shows_a_change(policy: Policy) -> None:
    text = codec.encode_policy(policy)
    assert codec.decode_policy(text, "p.json") == (policy, False)
    assert text.isascii()
    content = json.loads(text)
    content["confirming"] += 1
    assert codec.decode_policy(json.dumps(content), "p.json")[1]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"alpha": 0.7}, "alpha: Expected `float` < 0.5"),
        ({"trade_offs": "all"}, "trade_offs: Invalid enum value"),
        ({"spreads": {"moon": 0.1}}, 'spreads\\["moon"\\]: no such spread'),
        ({"more": 1}, "unknown field `more`"),
    ],
)
def test_a_policy_that_cannot_be_used_is_an_error(change: dict[str, object], place: str) -> None:
    content = json.loads(codec.encode_policy(Policy())) | change
    with pytest.raises(BaselineError, match=place):
        codec.decode_policy(json.dumps(content), "p.json")


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"tolerance": -1.0}, r"rule\.tolerance"),
        ({"tolerance": 0.1, "budget": "about 3"}, r"rule\.budget: budget of 'latency'"),
        ({"tolerance": 0.1, "more": 1}, "unknown field `more`"),
    ],
)
def test_a_rule_that_cannot_be_used_is_an_error(
    case: Case, history: History, rule: dict[str, object], place: str
) -> None:
    one = case("t/test_m.py::a", latency=history("latency", (0.5,), env="e1"))
    content = json.loads(codec.encode_module([one]))
    content["cases"]["a"]["metrics"]["latency"]["rule"] = rule
    with pytest.raises(BaselineError, match=place):
        decode(json.dumps(content), None)
