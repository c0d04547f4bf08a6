"""Simulated latencies that follow the mood of their host, and a reference that follows it too."""

from dataclasses import dataclass

import numpy as np

from benchmarks.calibration.noise import Values

MOOD_SD, REST_SD, REFERENCE_SD = 0.04, 0.016, 0.003
"""Between processes: of the mood, of what else latency does, of what else the reference does.
Latency scattered by 3.9 % and, after adjusting, by 1.6 % on the recordings."""

SIZES = (5, 4)
Pair = tuple[tuple[float, ...], tuple[float, ...]]
"""Of the baseline's runs, and of the session's (s)."""


@dataclass(frozen=True, slots=True)
class Mood:
    """How a host behaves, then and now.

    ``slopes`` are what latency makes of the mood in either session; ``shift`` by how much the
    host is slower now, a logarithm; ``reference_sd`` how far a reading of the reference is
    off; ``session_sd`` what sessions differ by for no reason of the host.
    """

    slopes: tuple[float, float] = (0.9, 0.9)
    shift: float = 0.0
    reference_sd: float = REFERENCE_SD
    session_sd: float = 0.0

    def draw(self, rng: np.random.Generator) -> tuple[Pair, Pair]:
        """Draw latencies and references of unchanged code, one number per run."""
        sides = [
            self._side(rng, runs, slope, shift)
            for runs, slope, shift in zip(SIZES, self.slopes, (0.0, self.shift), strict=True)
        ]
        (then, then_host), (now, now_host) = sides
        return (then, now), (then_host, now_host)

    def _side(
        self, rng: np.random.Generator, runs: int, slope: float, shift: float
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        mood = shift + MOOD_SD * rng.normal(size=runs)
        latency = slope * mood + REST_SD * rng.normal(size=runs) + self.session_sd * rng.normal()
        reference = mood + self.reference_sd * rng.normal(size=runs)
        return _seconds(latency, 0.1), _seconds(reference, 0.002)


def _seconds(logs: Values, level: float) -> tuple[float, ...]:
    return tuple((level * np.exp(logs)).tolist())
