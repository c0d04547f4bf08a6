"""What is known of a session beside its runs."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of a session beside its runs.

    ``expected`` says of a case of the baseline that was not measured whether it should
    have been, and ``skipped`` whether its test was. ``failures`` happened before judging
    and belong to no test; ``notices`` are told of the session. After failures, or where the
    session was ``cut_short``, it needs no saying that nothing was measured. ``gone`` are tests
    that measure as of the old code, and are not among the new ones. ``anchored`` is whether
    alpha has a share for an anchor, also where that is not at hand.
    """

    expected: Callable[[str], bool]
    skipped: Callable[[str], bool] = lambda _: False
    failures: tuple[str, ...] = ()
    cut_short: bool = False
    notices: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    anchored: bool = False
