"""The hook that pytest-pareto offers."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_pareto.measure.meter import Meter


@pytest.hookspec
def pytest_pareto_meters(config: pytest.Config) -> "Sequence[Meter]":  # type: ignore[empty-body]
    """Return further meters for this session, beside those built in.

    Called once per process, when its session starts. Each
    meter has a pass of its own, in the order in which they are returned.
    """
