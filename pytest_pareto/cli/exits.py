"""How a command ends: 0, 1 for what failed, and 2 for what cannot be done."""

import pytest

CANNOT = 2
INTERRUPTED = 130
"""As a shell tells of a command that SIGINT ended; pytest has a code of its own for that."""
_OF_PYTEST = {
    int(pytest.ExitCode.USAGE_ERROR): CANNOT,
    int(pytest.ExitCode.NO_TESTS_COLLECTED): CANNOT,
}


def of_pytest(code: int) -> int:
    """Return the exit code of a command that ended as pytest did."""
    return _OF_PYTEST.get(int(code), int(code))
