from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_pareto.model.metric import Scope
from pytest_pareto.model.policy import SessionSpreads, Terms

if TYPE_CHECKING:
    from tests.compare.conftest import World

SPREADS = SessionSpreads(host=0.1, gpu=0.2, gpu_other_board=0.3)


@pytest.mark.parametrize(
    ("scope", "boards", "spread"),
    [
        (Scope.ANYWHERE, ("ab12",), 0.0),
        (Scope.ANYWHERE, ("cd34",), 0.0),
        (Scope.HOST, ("ab12",), 0.1),
        (Scope.HOST, ("cd34",), 0.1),
        (Scope.GPU, ("ab12",), 0.2),
        (Scope.GPU, ("cd34",), 0.3),
    ],
)
def test_sessions_differ_by_scope_and_board(
    world: "World", scope: Scope, boards: tuple[str, ...], spread: float
) -> None:
    assert SPREADS.of(scope, world.here, replace(world.here, boards=boards)) == spread


def test_a_quiet_metric_is_assumed_to_be_quieter_than_a_felt_one() -> None:
    spreads = Terms().spreads
    assert 0 < spreads.gpu < spreads.gpu_other_board < spreads.host
