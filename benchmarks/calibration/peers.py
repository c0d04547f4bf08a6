"""What other tools call a regression, re-implemented from what their sources do.

Each rule takes the readings of both sides (1-D, lower is better) and says whether the tool would
report the new side as slower. None of them knows of runs: the readings of all processes are
pooled. Where a tool has options, these are its defaults; pytest-benchmark has none, and 5 % of
the mean is what its users write. Read of 2026 were pytest-benchmark 5.3.1, asv 0.6.6, benchstat,
nvbench and hyperfine's scripts, and of July 2025 criterion.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, ttest_ind

Calls = NDArray[np.float64]
Rule = Callable[[Calls, Calls], bool]


def pytest_benchmark(base: Calls, new: Calls, *, percent: float = 5.0) -> bool:
    """``--benchmark-compare-fail=mean:5%``: `utils.PercentageRegressionCheck`."""
    return bool(new.mean() / base.mean() * 100 - 100 > percent)


def asv(base: Calls, new: Calls, *, factor: float = 1.1, alpha: float = 0.002) -> bool:
    """`asv compare`: `_stats.is_different`, then `commands.compare._is_result_better`.

    A two-sided Mann-Whitney test, exact up to 20 samples, and medians apart by a factor.
    Where the test could not reach ``alpha`` with so few samples, asv asks whether intervals
    at 99 % overlap; that is left out here, and nothing is reported.
    """
    if 1 / math.comb(base.size + new.size, min(base.size, new.size)) >= alpha:
        return False
    few = max(base.size, new.size) <= 20
    p = mannwhitneyu(
        base, new, use_continuity=False, method="exact" if few else "asymptotic"
    ).pvalue
    return bool(p < alpha and np.median(base) < np.median(new) / factor)


def benchstat(base: Calls, new: Calls, *, alpha: float = 0.05) -> bool:
    """Golang's benchstat: `benchmath.AssumeNothing`, a two-sided Mann-Whitney test.

    Google Benchmark's ``compare.py`` does the same in `report.calc_utest`.
    """
    p = mannwhitneyu(base, new, alternative="two-sided").pvalue
    return bool(p < alpha and np.median(new) > np.median(base))


@dataclass(frozen=True, slots=True)
class Criterion:
    """criterion.rs: `analysis::compare`, then `report::compare_to_threshold`.

    Welch's t against its distribution over resamples of the pooled readings (p < .05), and
    the 95 % percentile interval of the ratio of means wholly beyond 1 %. criterion takes
    100,000 ``resamples``; some hundred are enough for a share of verdicts.
    """

    resamples: int = 100_000
    alpha: float = 0.05
    noise: float = 0.01

    def __call__(self, base: Calls, new: Calls) -> bool:
        """Whether criterion prints "Performance has regressed"."""
        rng = np.random.default_rng(base.size + new.size)
        pool = np.concatenate([new, base])
        null = _resampled(rng, pool, self.resamples, pool.size)
        below = int((welch_t(null[:, : new.size], null[:, new.size :]) < welch_t(new, base)).sum())
        p = 2 * min(below, self.resamples - below) / self.resamples
        if p >= self.alpha:
            return False
        means = [
            _resampled(rng, side, self.resamples, side.size).mean(axis=1) for side in (new, base)
        ]
        low = np.quantile(means[0] / means[1] - 1, 0.025)
        return bool(low > self.noise)


def welch_t(a: Calls, b: Calls) -> Calls:
    """Return Welch's statistic of the last axes; positive where ``a`` is larger."""
    error = a.var(axis=-1, ddof=1) / a.shape[-1] + b.var(axis=-1, ddof=1) / b.shape[-1]
    return np.asarray((a.mean(axis=-1) - b.mean(axis=-1)) / np.sqrt(error))


def _resampled(rng: np.random.Generator, pool: Calls, rows: int, columns: int) -> Calls:
    return pool[rng.integers(0, pool.size, (rows, columns), dtype=np.int32)]


def nvbench(base: Calls, new: Calls) -> bool:
    """Nvbench's ``nvbench_compare_legacy.py``: beyond the smaller of two relative deviations.

    The newer rule, by intervals, needs the GPU's clock beside each reading.
    """
    if min(base.size, new.size) < 2:
        return False
    noise = min(side.std(ddof=1) / side.mean() for side in (base, new))
    return bool((new.mean() - base.mean()) / base.mean() > noise)


def welch(base: Calls, new: Calls, *, alpha: float = 0.05) -> bool:
    """Hyperfine's ``scripts/welch_ttest.py``, two-sided."""
    p = ttest_ind(new, base, equal_var=False).pvalue
    return bool(p < alpha and new.mean() > base.mean())


def rules(resamples: int) -> Mapping[str, Rule]:
    """Return every rule by the short name that the table has for it."""
    return {
        "p-bm": pytest_benchmark,
        "asv": asv,
        "bst": benchstat,
        "crit": Criterion(resamples),
        "nvb": nvbench,
        "Wel": welch,
    }
