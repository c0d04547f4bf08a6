"""What sessions on unchanged code are assumed to differ by."""

from dataclasses import dataclass

from pytest_pareto.model.environment import Environment
from pytest_pareto.model.metric import Scope


@dataclass(frozen=True, slots=True)
class SessionSpreads:
    """Assumed standard deviations between sessions, as fractions of a level.

    ``host`` is of latency, ``host_adjusted`` of one adjusted by the host reference; ``gpu``
    holds on the same board, ``gpu_other_board`` on another of the same product;
    measured on unchanged code on an H200: device time .02-.05 % and .11-.16 %, wall
    latency 4-9 %.
    """

    host: float = 0.04
    host_adjusted: float = 0.015
    gpu: float = 0.0005
    gpu_other_board: float = 0.0015

    def of(self, scope: Scope, now: Environment, then: Environment) -> float:
        """Return what two sessions of a metric of ``scope`` are assumed to differ by."""
        if scope is Scope.GPU and now.boards != then.boards:
            return self.gpu_other_board
        return self.on_one_board(scope)

    def on_one_board(self, scope: Scope) -> float:
        """Return the same of sessions that used the same GPUs."""
        return {Scope.ANYWHERE: 0.0, Scope.HOST: self.host, Scope.GPU: self.gpu}[scope]
