"""How many digits of a measurement are kept, on both sides of every comparison."""

import math
from collections.abc import Iterable

RUN_DIGITS = 7
SAMPLE_DIGITS = 4


def significant(value: float, digits: int) -> float:
    """Round to a number of significant digits; the result is its own rounding."""
    rounded = float(f"{value:.{digits}g}")
    # The largest floats would round up to infinity; and -0.0 is no other number than 0.0.
    return rounded + 0.0 if math.isfinite(rounded) else value


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
