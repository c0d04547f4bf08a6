"""How one value is read: the option where it is given, else the ini file."""

import math

import pytest


def given(config: pytest.Config, name: str) -> str:
    """Return what ``--pareto-NAME`` says, else the ini option ``pareto_NAME``."""
    option = config.getoption(f"--pareto-{name}")
    return str(option if option is not None else config.getini(f"pareto_{name}")).strip()


def choice(config: pytest.Config, name: str, allowed: tuple[str, ...]) -> str:
    """Return one of the ``allowed`` words.

    Raises pytest.UsageError, naming the option, where it is none of them.
    """
    return one_of(f"pareto_{name}", given(config, name), allowed)


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return ``value``, which has to be one of the ``allowed`` words."""
    if value not in allowed:
        wanted = ", ".join(word for word in allowed if word)
        raise pytest.UsageError(f"ini option {name} is {value!r}; it must be one of {wanted}")
    return value


def seconds(config: pytest.Config, name: str) -> float:
    """Return seconds, more than 0 and finite, from an ini option.

    Raises pytest.UsageError, naming it, where that is no such number.
    """
    text = str(config.getini(name))
    value = _number(text)
    if not 0 < value < math.inf:
        raise pytest.UsageError(f"ini option {name} is {text!r}; it takes seconds, such as 600")
    return value


def megabytes(config: pytest.Config, name: str) -> int:
    """Return bytes from an ini option that takes megabytes, 0 or more.

    Raises pytest.UsageError, naming it, where that is no such number.
    """
    text = str(config.getini(name))
    value = _number(text)
    if not 0 <= value < math.inf:
        raise pytest.UsageError(f"ini option {name} is {text!r}; it takes megabytes, such as 256")
    return int(value * 1e6)


def fraction(name: str, text: str, *, below: float) -> float:
    """Return a number from 0 to ``below``.

    Raises pytest.UsageError, naming the ini option, where that is no such number.
    """
    value = _number(text)
    if not 0 <= value < below:
        raise pytest.UsageError(
            f"ini option {name} is {text!r}; a number from 0 to {below} is needed"
        )
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0
