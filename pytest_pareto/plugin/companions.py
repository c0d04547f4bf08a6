"""Options of other plugins that do not go with ours."""

import pytest


def refuse_companions(config: pytest.Config) -> None:
    """Refuse pytest-xdist, whose tests would measure each other, and stepwise.

    A failed gate is known after the last test, and stepwise would go on behind it.
    """
    option = config.option
    if getattr(option, "stepwise", False):
        raise pytest.UsageError(
            "--pareto does not work with --stepwise: what fails is known after the last test. "
            "Use --lf to run again what failed."
        )
    workers = getattr(option, "numprocesses", None)
    if workers not in (None, 0) or getattr(option, "tx", None):
        raise pytest.UsageError(
            "--pareto does not work with pytest-xdist yet: tests that run side by side would "
            "measure each other. Add -n0 (or -p no:xdist) for the run with --pareto."
        )
