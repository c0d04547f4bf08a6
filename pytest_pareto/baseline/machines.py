"""Several kinds of machine where one has to be chosen."""

from collections.abc import Collection

from pytest_pareto.model.errors import BaselineError


def several_machines(who: str, machines: Collection[str]) -> BaselineError:
    """Return the error that asks for a choice; ``who`` ends with "hold" or another verb."""
    return BaselineError(
        f"{who} results of {len(machines)} kinds of machine; choose one with --hardware KEY: "
        f"{', '.join(sorted(machines))}"
    )
