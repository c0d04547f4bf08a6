"""A test bench whose work takes time only by its own clock, so that results are repeatable."""

from collections.abc import Callable

import pytest

UNIT_S = 0.02


class Bench:
    """Work that moves a clock (ns), and a clock that advances by 1 µs with each reading."""

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
