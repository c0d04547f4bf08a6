"""Simulated sessions of 20 cases × 3 metrics, as numbers.

Two times, judged over runs, and a quality with one score for each of 100 samples. Four fronts of
five cases: each costs 30 % more than its neighbour and is better by .05.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration.alone import NO_SESSIONS
from benchmarks.calibration.noise import Shape, Values, unit_calls, unit_noise
from pytest_pareto.model.metric import DEVICE_TIME, LATENCY, Better, Kind, Metric, Scope
from pytest_pareto.model.policy import SessionSpreads
from pytest_pareto.runs.leg_process import run_order
from pytest_pareto.runs.legs import Side

CASES, FRONT, SAMPLES, CALLS, TIMES = 20, 5, 100, 12, 2
STEP_TIME, STEP_QUALITY = math.log(1.3), 0.05
DIFFICULTY_SD, CASE_SD, CHANGE_SD = 0.1, 0.02, 0.02
"""Of scores: between samples, between cases on a sample, and what any change does to a sample."""

QUALITY = Metric("quality", "", Better.HIGHER, Kind.PAIRED, Scope.GPU, 0.01, relative=False)
NAMES = tuple(f"test_front_{i // FRONT}[{i % FRONT}]" for i in range(CASES))
PLACES = np.arange(CASES) % FRONT


@dataclass(frozen=True, slots=True, eq=False)
class Harm:
    """What the change does to each case.

    ``times``: logarithms of ratios, (latency and device time, case); ``quality``: mean loss
    of score, (case,).
    """

    times: Values = field(default_factory=lambda: np.zeros((TIMES, CASES)))
    quality: Values = field(default_factory=lambda: np.zeros(CASES))

    @classmethod
    def at(
        cls, case_id: str, *, times: tuple[float, float] = (1.0, 1.0), quality: float = 0.0
    ) -> "Harm":
        """Harm one case: ``times`` are factors."""
        harm = cls()
        harm.times[:, NAMES.index(case_id)] = np.log(times)
        harm.quality[NAMES.index(case_id)] = quality
        return harm


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A session against a stored baseline.

    Seconds of the baseline's calls, the session's, and those of fresh runs of the same
    session to confirm with, each (latency and device time, case, run, call); scores
    ``before`` and ``after`` the change, (case, sample).
    """

    world: "World"
    old: Values
    new: Values
    confirm: Values
    before: Values
    after: Values


@dataclass(frozen=True, slots=True, eq=False)
class InTurn:
    """A session in which old and new code took turns, with as many blocks as it may take.

    ``times`` is (latency and device time, case, process, call) in the order of time;
    ``new`` says which processes ran the new code, and ``blocks`` to which block of four
    each belongs, from 1.
    """

    world: "World"
    times: Values
    new: NDArray[np.bool_]
    blocks: NDArray[np.int_]
    before: Values
    after: Values

    def taken(self, blocks: int, *, after: int = 0) -> tuple[Values, Values]:
        """Return the old and the new code's times in the blocks that follow ``after`` others."""
        part = (after < self.blocks) & (self.blocks <= after + blocks)
        return self.times[:, :, part & ~self.new], self.times[:, :, part & self.new]


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """How processes, calls and sessions scatter.

    ``spreads`` are standard deviations between processes as fractions, of latency and device
    time; ``sessions`` what sessions truly differ by, each case on its own; ``drift`` by how
    much everything becomes slower with every block of an interleaved session.
    """

    shape: Shape = Shape.NORMAL
    spreads: tuple[float, float] = (0.02, 0.002)
    sessions: SessionSpreads = NO_SESSIONS
    latency: Metric = LATENCY
    drift: float = 0.0

    @property
    def metrics(self) -> tuple[Metric, Metric]:
        """The two times."""
        return self.latency, DEVICE_TIME

    def at_tolerance(self) -> Harm:
        """Everything worse by exactly what is tolerated."""
        harm = Harm()
        harm.times[:] = [[math.log1p(m.tolerance)] for m in self.metrics]
        harm.quality[:] = QUALITY.tolerance
        return harm

    def stored(
        self, rng: np.random.Generator, harm: Harm, *, sizes: tuple[int, int, int] = (5, 5, 0)
    ) -> Stored:
        """Draw a session; ``sizes`` are runs of the baseline, of the session, and confirming."""
        then, now, again = sizes
        old = self._session(rng) + self._processes(rng, then)
        new = self._session(rng) + harm.times[:, :, None, None]
        screen, confirm = new + self._processes(rng, now), new + self._processes(rng, again)
        before, after = self._scores(rng, harm)
        return Stored(self, np.exp(old), np.exp(screen), np.exp(confirm), before, after)

    def in_turn(self, rng: np.random.Generator, harm: Harm, *, blocks: int) -> InTurn:
        """Draw a session of so many blocks, in the order in which the product runs them."""
        order = [turn for turn in run_order(blocks) if not turn.is_warm_up]
        new = np.array([turn.side is Side.CANDIDATE for turn in order])
        trend = self.drift * np.arange(len(order)) / 4
        logs = self._session(rng) + self._processes(rng, len(order)) + trend[:, None]
        times = np.exp(logs + harm.times[:, :, None, None] * new[:, None])
        before, after = self._scores(rng, harm)
        return InTurn(self, times, new, np.array([t.block for t in order]), before, after)

    def _session(self, rng: np.random.Generator) -> Values:
        """What the processes of a session share: (time, case, 1, 1)."""
        sd = [[self.sessions.on_same_board(m.scope)] for m in self.metrics]
        return np.asarray(sd * rng.normal(size=(TIMES, CASES)))[:, :, None, None]

    def _processes(self, rng: np.random.Generator, runs: int) -> Values:
        """Logarithms of seconds: (time, case, run, call)."""
        sd = np.array(self.spreads)[:, None, None, None]
        between = unit_noise(rng, self.shape, (TIMES, CASES, runs, 1))
        within = unit_calls(rng, self.shape, (TIMES, CASES, runs, CALLS))
        level = math.log(0.1) + STEP_TIME * PLACES[:, None, None]
        return np.asarray(level + sd * (between + 0.5 * within))

    def _scores(self, rng: np.random.Generator, harm: Harm) -> tuple[Values, Values]:
        """Scores before and after the change: (case, sample)."""
        level = 0.5 + STEP_QUALITY * PLACES[:, None]
        difficulty = DIFFICULTY_SD * rng.normal(size=SAMPLES)
        before = level + difficulty + CASE_SD * rng.normal(size=(CASES, SAMPLES))
        change = CHANGE_SD * unit_noise(rng, self.shape, (CASES, SAMPLES))
        return before, np.asarray(before - harm.quality[:, None] - change)
