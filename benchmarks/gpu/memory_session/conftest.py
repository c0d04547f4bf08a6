"""Run the tests in the order that `ORDER` asks for: "reversed", or shuffled by that seed."""

import os
import random

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = os.environ.get("ORDER", "")
    if order == "reversed":
        items.reverse()
    elif order:
        random.Random(order).shuffle(items)
