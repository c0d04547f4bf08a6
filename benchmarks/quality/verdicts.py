"""What is said of drawn scores: by this package, and by rules that it could have taken instead."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr
from scipy.stats import wilcoxon

from benchmarks.calibration.rows import Bound, Row
from benchmarks.quality.scores import Array, Draw
from pytest_pareto.compare.scores import compare_scores
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better, Kind
from pytest_pareto.model.run import Looks
from pytest_pareto.stats.sequential import final_outcome

ALPHA = 0.05
IDS = tuple(map(str, range(1_000)))
PASSED = frozenset({Outcome.UNCHANGED, Outcome.BETTER, Outcome.NOT_WORSE})
CONVICTED = frozenset({Outcome.WORSE})

Rule = Callable[[Array, float], bool]
"""Given the harms of samples and the tolerance: whether it claims what it is asked about."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Scores of n samples, and the terms of their comparison.

    ``planned`` looks are taken, or none. ``family`` is how many metrics share alpha.
    """

    draw: Draw
    n: int
    tolerance: float
    seed: int
    kind: Kind = Kind.PAIRED
    planned: int = 1
    family: float = 1.0

    def compare(self, before: Array, after: Array, looks: Looks | None = None) -> Change:
        """Compare what has been scored at a look, or all."""
        used = len(before) if looks is None else looks.used
        return compare_scores(
            IDS[:used],
            before[:used],
            after[:used],
            better=Better.HIGHER,
            tolerance=self.tolerance,
            kind=self.kind,
            looks=looks,
        )

    def evaluate(self, before: Array, after: Array) -> tuple[Outcome, int]:
        """Look until the verdict is decided; return it with the number of samples used."""
        if self.planned == 1:
            found = final_outcome(self.compare(before, after), self.family)
            return found or Outcome.INCONCLUSIVE, self.n
        for at in range(1, self.planned + 1):
            looks = Looks(self.n, self.planned, at, 0)
            found = final_outcome(self.compare(before, after, looks), self.family)
            if found is not None:
                return found, looks.used
        return Outcome.INCONCLUSIVE, self.n

    def tally(self, draws: int) -> "Tally":
        """Evaluate so many draws."""
        rng, said, used = np.random.default_rng(self.seed), Counter[Outcome](), 0
        for _ in range(draws):
            outcome, samples = self.evaluate(*self.draw(rng, self.n))
            said[outcome] += 1
            used += samples
        return Tally(said, used / draws, draws)

    def ask(self, rule: Rule, draws: int) -> float:
        """Return how often another rule claims it of the same draws, all samples at once."""
        rng, claimed = np.random.default_rng(self.seed), 0
        for _ in range(draws):
            before, after = self.draw(rng, self.n)
            claimed += rule(before - after, self.tolerance)
        return claimed / draws


@dataclass(frozen=True, slots=True)
class Tally:
    """What was said how often, and how many samples it took on average."""

    said: Counter[Outcome]
    used: float
    draws: int

    def share(self, outcomes: frozenset[Outcome]) -> float:
        """Return how often one of the outcomes was said."""
        return sum(self.said[outcome] for outcome in outcomes) / self.draws

    def row(self, what: str, outcomes: frozenset[Outcome], bound: Bound | None = None) -> Row:
        """Return this share as a row."""
        return Row(what, self.draws, self.share(outcomes), bound, simulated=True)


def wilcoxon_passes(harm: Array, tolerance: float) -> bool:
    """Whether the signed-rank test says "not worse"."""
    return bool(wilcoxon(harm - tolerance, alternative="less").pvalue <= ALPHA)


def t_passes(harm: Array, tolerance: float) -> bool:
    """Whether Student's t alone says "not worse"."""
    return p_of_t(harm, tolerance) <= ALPHA


def t_convicts(harm: Array, tolerance: float) -> bool:
    """Whether Student's t alone says "worse"."""
    return 1 - p_of_t(harm, tolerance) <= ALPHA


def p_of_t(harm: Array, tolerance: float) -> float:
    """Return Student's p-value of "below the tolerance"."""
    spread = harm.std(ddof=1) / np.sqrt(harm.size)
    distance = harm.mean() - tolerance
    if spread == 0:
        return 0.0 if distance < 0 else 1.0
    return float(stdtr(harm.size - 1, distance / spread))
