"""Texts that every room writes alike: what has to survive a file, and shares in percent.

Numbers of things, in words.

How many digits of a measurement are kept, on both sides of every comparison.
"""

import math
from collections.abc import Iterable

from pytest_pareto.model.errors import ParetoError


def require_text(what: str, text: str) -> None:
    """Raise ParetoError where a text cannot be written as UTF-8, and so in no file of ours.

    Python spells bytes of file names that are no UTF-8 as lone surrogates (PEP 383).
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ParetoError(
            f"{what} {text!r} is no text that a file can hold (a lone surrogate, as in names of "
            "files that are not UTF-8); spell it otherwise"
        ) from None


def percent(share: float, decimals: int = 0, *, signed: bool = False) -> str:
    """Write a share as SI does, with a space, and with a true minus: "13 %", "−0.4 %"."""
    return f"{100 * share:{'+' if signed else ''}.{decimals}f} %".replace("-", "−")


def plural(count: int, noun: str) -> str:
    """Count a noun: "1 case", "2 cases"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


RUN_DIGITS = 7
SAMPLE_DIGITS = 4


def significant(value: float, digits: int) -> float:
    """Round to a number of significant digits; the result is its own rounding."""
    rounded = float(f"{value:.{digits}g}")
    # The largest floats would round up to infinity; and -0.0 is no other number than 0.0.
    return rounded + 0.0 if math.isfinite(rounded) else value


def exact_number(value: float) -> float:
    """Return a value with every digit, a whole number as an integer while that is readable."""
    return int(value) if abs(value) < 2.0**63 and value == int(value) else value


def round_samples(values: Iterable[float]) -> tuple[float, ...]:
    """Round scores per sample to the digits that the baseline keeps.

    A candidate goes through here before it is compared: otherwise unchanged scores would
    differ from the baseline's by the rounding alone. The same as `significant` of each,
    in one pass, since a session has a hundred thousand of them.
    """
    given = tuple(values)
    texts = f"%.{SAMPLE_DIGITS}g " * len(given) % given
    rounded = [float(text) + 0.0 for text in texts.split()]
    if math.isfinite(sum(rounded)):
        return tuple(rounded)
    return tuple(significant(value, SAMPLE_DIGITS) for value in given)
