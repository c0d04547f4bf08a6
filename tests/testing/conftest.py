"""A bench whose work takes time only by its own clock: what runs on it is the same each time."""

from collections.abc import Callable

import pytest

UNIT_S = 0.02


class Bench:
    """Work that moves a clock (ns), and a clock that moves a little with each look at it."""

    def __init__(self) -> None:
        self._now_ns = 0
        self.done_units = 0

    def clock(self) -> int:
        self._now_ns += 1_000
        return self._now_ns

    def work(self, units: int) -> Callable[[], None]:
        def do() -> None:
            self._now_ns += round(units * UNIT_S * 1e9)
            self.done_units += units

        return do


@pytest.fixture
def bench() -> Bench:
    return Bench()
