"""What other tools would say of simulated sessions."""

from collections.abc import Sequence

import numpy as np

from benchmarks.calibration import peers
from benchmarks.calibration.noise import Values
from benchmarks.calibration.peers import Rule
from benchmarks.calibration.rows import Effort, share_of
from benchmarks.calibration.trials import Trial
from benchmarks.calibration.world import NAMES, TIMES

SEED = 6


def peers_fail(
    trial: Trial, cases: Sequence[str], effort: Effort, *, sizes: tuple[int, int]
) -> dict[str, float]:
    """Return how often each other tool would report any of the times of these cases as slower.

    ``sizes`` are runs of the baseline and of the session.
    """
    places = [NAMES.index(case_id) for case_id in cases]
    rng = np.random.default_rng(SEED)
    drawn = [
        trial.world.stored(rng, trial.harm, sizes=(*sizes, 0)) for _ in range(effort.peer_sessions)
    ]
    return {
        name: share_of(any_slower(session.old, session.new, places, rule) for session in drawn)
        for name, rule in peers.rules(effort.resamples).items()
    }


def any_slower(base: Values, new: Values, cases: Sequence[int], rule: Rule) -> bool:
    """Whether a rule calls any time of these cases slower; (time, case, run, call)."""
    return any(
        rule(base[time, case].ravel(), new[time, case].ravel())
        for time in range(TIMES)
        for case in cases
    )
