from dataclasses import replace
from typing import Any

import pytest

from pytest_pareto.model.errors import ParetoError
from pytest_pareto.scoring import Score, evaluate
from pytest_pareto.scoring.evaluation import plan_evaluation

IDS = ["a", "b"]


def first(output: Any, target: Any) -> Any:
    return output[0]


FIRST = {"first": Score(first, better="higher")}


def never(samples: Any) -> Any:
    raise AssertionError


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"metrics": {"m": first}}, "better"),
        ({"ids": ["a"]}, "ids"),
        ({"batch_size": 0}, "batch_size takes a whole number from 1 on, not 0"),
        ({"batch_size": True}, "batch_size takes a whole number from 1 on, not True"),
        ({"stop": "now"}, "stop takes None or 'decided', not 'now'"),
        ({"executor": 4}, "executor takes an object with submit"),
        ({"seeds": 1}, "seeds"),
    ],
)
def test_mistakes_are_found_before_anything_is_generated(
    wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParetoError, match=message):
        evaluate(never, IDS, **{"metrics": FIRST, **wrong})


def test_generate_must_be_callable() -> None:
    with pytest.raises(ParetoError, match="a pipeline or another function"):
        evaluate(4, IDS, metrics=FIRST)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("request_", [{"metrics": FIRST, "batchsize": 2}, {"ids": IDS}])
def test_an_unknown_or_lacking_argument_is_a_type_error(request_: Any) -> None:
    with pytest.raises(TypeError, match=r"evaluate (takes no argument 'batchsize'|needs the)"):
        evaluate(never, IDS, **request_)


def test_valid_arguments_give_a_plan() -> None:
    plan = plan_evaluation(never, IDS, {"metrics": FIRST, "stop": "decided"})
    assert [metric.name for metric in plan.metrics] == ["first"]
    assert (plan.stops, plan.batch_size, plan.executor, len(plan.samples)) == (True, 1, None, 2)


def test_a_policy_applies_to_every_metric() -> None:
    plan = plan_evaluation(never, IDS, {"metrics": FIRST})
    assert plan.metrics[0].tolerance != 0.25
    assert plan.under(lambda metric: replace(metric, tolerance=0.25)).metrics[0].tolerance == 0.25


@pytest.mark.parametrize(
    ("gates", "budgeted", "needed"),
    [(True, (), True), (False, ("fid",), True), (False, ("first",), False), (False, (), False)],
)
def test_a_set_metric_that_gates_needs_all_samples(
    gates: bool, budgeted: tuple[str, ...], needed: bool
) -> None:
    fid = Score(never, better="lower", over="set", features=first)
    plan = plan_evaluation(never, IDS, {"metrics": {**FIRST, "fid": fid}})
    plan = plan.under(lambda m: replace(m, gates=gates) if m.name == "fid" else m)
    assert plan.needs_all(budgeted) is needed
