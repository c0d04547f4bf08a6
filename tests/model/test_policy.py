import pytest

from pytest_pareto.model.policy import (
    ANCHOR_SHARE,
    BUDGET_SHARE,
    LOST_SHARE,
    AlphaShares,
    Missing,
    Policy,
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
def test_what_vanished_fails_and_what_was_never_recorded_fails_in_ci(
    missing: Missing, ci: bool, vanished: bool, unrecorded: bool
) -> None:
    policy = Policy(missing=missing, ci=ci)
    assert policy.vanished_fails is vanished
    assert policy.unrecorded_fails is unrecorded


@pytest.mark.parametrize("has_rivals", [True, False])
@pytest.mark.parametrize("has_budgets", [True, False])
@pytest.mark.parametrize("has_anchor", [True, False])
def test_alpha_is_spent_once_on_what_the_session_can_ask(
    has_rivals: bool, has_budgets: bool, has_anchor: bool
) -> None:
    shares = AlphaShares.of(has_rivals=has_rivals, has_budgets=has_budgets, has_anchor=has_anchor)
    spent = shares.changes + shares.lost + shares.budgets + shares.anchor
    assert spent == pytest.approx(1.0)
    assert shares.lost == (LOST_SHARE if has_rivals else 0.0)
    assert shares.budgets == (BUDGET_SHARE if has_budgets else 0.0)
    assert shares.anchor == (ANCHOR_SHARE if has_anchor else 0.0)
    assert shares.changes > 0.5
