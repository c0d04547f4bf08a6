from dataclasses import replace

import pytest

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Scope
from pytest_pareto.model.policy import (
    ANCHOR_SHARE,
    BUDGET_SHARE,
    AlphaShares,
    Missing,
    Policy,
    SessionSpreads,
)


@pytest.mark.parametrize(
    ("missing", "ci", "vanished", "unrecorded"),
    [
        (Missing.AUTO, False, True, False),
        (Missing.AUTO, True, True, True),
        (Missing.FAIL, False, True, True),
        (Missing.FAIL, True, True, True),
        (Missing.WARN, False, False, False),
        (Missing.WARN, True, False, False),
    ],
)
def test_missing_fails_and_unrecorded_fails_in_ci(
    missing: Missing, ci: bool, vanished: bool, unrecorded: bool
) -> None:
    policy = Policy(missing=missing, ci=ci)
    assert policy.vanished_fails is vanished
    assert policy.unrecorded_fails is unrecorded


@pytest.mark.parametrize("has_budgets", [True, False])
@pytest.mark.parametrize("has_anchor", [True, False])
def test_alpha_is_split_by_what_the_session_can_test(has_budgets: bool, has_anchor: bool) -> None:
    shares = AlphaShares.of(has_budgets=has_budgets, has_anchor=has_anchor)
    spent = shares.changes + shares.budgets + shares.anchor
    assert spent == pytest.approx(1.0)
    assert shares.budgets == (BUDGET_SHARE if has_budgets else 0.0)
    assert shares.anchor == (ANCHOR_SHARE if has_anchor else 0.0)
    assert shares.changes > 0.5


HERE = Environment("EPYC", 16, 8, gpu_product="NVIDIA H200", gpu_count=1, boards=("ab12",))
SPREADS = SessionSpreads(
    host=0.1,
    host_other_board=0.4,
    gpu=0.2,
    gpu_other_board=0.3,
    energy=0.03,
    energy_other_board=0.06,
    dynamic_energy=0.07,
    dynamic_energy_other_board=0.08,
)


@pytest.mark.parametrize(
    ("scope", "boards", "spread"),
    [
        (Scope.ANYWHERE, ("ab12",), 0.0),
        (Scope.ANYWHERE, ("cd34",), 0.0),
        (Scope.HOST, ("ab12",), 0.1),
        (Scope.HOST, ("cd34",), 0.4),
        (Scope.GPU, ("ab12",), 0.2),
        (Scope.GPU, ("cd34",), 0.3),
    ],
)
def test_the_session_spread_depends_on_scope_and_board(
    scope: Scope, boards: tuple[str, ...], spread: float
) -> None:
    assert SPREADS.of(scope, HERE, replace(HERE, boards=boards)) == spread


@pytest.mark.parametrize(
    ("waiting", "boards", "spread"),
    [
        (0.0, HERE.boards, 0.03),
        (0.4, HERE.boards, 0.05),
        (0.0, ("cd34",), 0.06),
        (0.2, ("cd34",), 0.1),
    ],
)
def test_the_energy_of_a_waiting_gpu_follows_its_host(
    waiting: float, boards: tuple[str, ...], spread: float
) -> None:
    there = replace(HERE, boards=boards)
    assert SPREADS.of_energy(waiting, HERE, there) == pytest.approx(spread)


@pytest.mark.parametrize(("boards", "spread"), [(HERE.boards, 0.07), (("cd34",), 0.08)])
def test_dynamic_energy_does_not_follow_the_host(boards: tuple[str, ...], spread: float) -> None:
    assert SPREADS.of_dynamic_energy(HERE, replace(HERE, boards=boards)) == spread


def test_device_metrics_have_a_smaller_spread_than_host_metrics() -> None:
    spreads = Policy().spreads
    assert 0 < spreads.gpu < spreads.gpu_other_board < spreads.host
