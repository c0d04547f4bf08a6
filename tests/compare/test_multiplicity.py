"""What takes a share of alpha."""

from typing import Any

import pytest

from pytest_pareto.compare.multiplicity import alpha_shares, count_budgets
from pytest_pareto.model.metric import parse_budget
from pytest_pareto.model.policy import AlphaShares
from pytest_pareto.model.run import CaseRun

BUDGETS = (parse_budget("score", ">= 0.9"), parse_budget("latency", "<= 2 s"))


def case(**about: Any) -> CaseRun:
    return CaseRun("t", "t", "f", "s", (), **about)


@pytest.mark.parametrize(("gate", "count"), [(True, 2), (False, 0)])
def test_a_budget_counts_where_it_gates(gate: bool, count: int) -> None:
    cases = [case(), case(budgets=BUDGETS, gate=gate)]
    assert count_budgets(cases) == count
    assert alpha_shares(cases, has_anchor=False) == AlphaShares.of(has_budgets=count > 0)


def test_an_anchor_has_a_share_of_its_own() -> None:
    assert alpha_shares([], has_anchor=True).anchor > 0
    assert alpha_shares([], has_anchor=False).anchor == 0
