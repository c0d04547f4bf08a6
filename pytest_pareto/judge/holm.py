"""Correction for asking many questions at once."""

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values so that rejecting all at most alpha errs once with probability alpha.

    Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6
    (1979). Valid under any dependence. Returned in the order given, at most 1.
    """
    count = len(p_values)
    adjusted = [0.0] * count
    running = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        running = max(running, (count - rank) * p_values[index])
        adjusted[index] = min(1.0, running)
    return tuple(adjusted)
