"""Numbers of a whole set: the paired difference by block jackknife, and a bootstrap beside it."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from benchmarks.calibration.rows import Bound, Row, at_least, at_most, share_of
from benchmarks.quality.features import BLOCKS, Array, Pool, draw_places, pool
from benchmarks.quality.fixed import SIZE
from benchmarks.quality.table import Section
from pytest_pareto.compare.scores import compare_scores
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better, Kind

IMAGES = 400
COVERAGE = Bound(0.87, 0.95)
BASE = "ddim-4"
AGAINST = ("bf16-4", "cached-4", "ddim-2")
RESAMPLES = 100
_TOGETHER = 50
_IDS = tuple(f"block {number}" for number in range(BLOCKS))

Number = Literal["fid", "kid"]
_PSEUDO_VALUES = {"fid": Pool.fid_pseudo_values, "kid": Pool.kid_pseudo_values}


def compare(before: Array, after: Array, tolerance: float) -> Change:
    """Compare pseudo-values of the same blocks of images."""
    return compare_scores(
        _IDS, before, after, better=Better.LOWER, tolerance=tolerance, kind=Kind.SET
    )


def fid_differences(draws: int) -> Iterator[Row]:
    """Coverage of the 90 % interval, and both claims where the tolerance is what changed."""
    for seed, name in enumerate(AGAINST, start=200):
        truth = pool(name).fid - pool(BASE).fid
        changes = list(_changes(name, "fid", truth, draws, seed))
        beside = f"{name} beside {BASE}, FID {truth:+.2g}"
        yield _covered(beside, changes, truth)
        for what, wrong in (
            ("WORSE", [change.outcome is Outcome.WORSE for change in changes]),
            ("not worse", [change.high < truth for change in changes]),
        ):
            said = f"{beside} is tolerated: {what}"
            yield Row(said, draws, share_of(wrong), SIZE, simulated=True)


def kid_differences(draws: int) -> Iterator[Row]:
    """Coverage of the 90 % interval."""
    for seed, name in enumerate(AGAINST, start=210):
        truth = pool(name).kid - pool(BASE).kid
        changes = list(_changes(name, "kid", abs(truth), draws, seed))
        yield _covered(f"{name} beside {BASE}, KID {truth:+.2g}", changes, truth)


def _covered(beside: str, changes: Sequence[Change], truth: float) -> Row:
    covered = share_of(change.low <= truth <= change.high for change in changes)
    return Row(f"{beside}: covered", len(changes), covered, COVERAGE, simulated=True)


def _changes(
    name: str, number: Number, tolerance: float, draws: int, seed: int
) -> Iterator[Change]:
    rng = np.random.default_rng(seed)
    for start in range(0, draws, _TOGETHER):
        places = draw_places(rng, min(_TOGETHER, draws - start), IMAGES)
        sides = [_PSEUDO_VALUES[number](pool(which), places) for which in (BASE, name)]
        for before, after in zip(*sides, strict=True):
            yield compare(before, after, tolerance)


def bootstrapped(draws: int) -> Iterator[Row]:
    """A percentile bootstrap of one variant's FID: drawing again adds the bias a second time."""
    for seed, name in enumerate((BASE, "ddim-2"), start=220):
        images = pool(name)
        rng, covered, above = np.random.default_rng(seed), 0, 0
        for _ in range(draws):
            drawn = images.images[rng.integers(0, len(images.images), IMAGES)]
            sample = Pool(drawn, images.real)
            again = rng.multinomial(IMAGES, np.full(IMAGES, 1 / IMAGES), RESAMPLES)
            found = images.frechet.of(sample.sums(again.astype(np.float64)))
            low, high = np.quantile(found, (0.05, 0.95))
            covered += low <= images.fid <= high
            above += float(images.frechet.of(sample.sums(np.ones(IMAGES)))) < low
        what = f"FID of {name}: a 90 % interval by bootstrap covers it"
        yield Row(what, draws, covered / draws, at_most(80), simulated=True)
        what = f"FID of {name}: even the sample's own FID is below the interval"
        yield Row(what, draws, above / draws, at_least(5), simulated=True)


SECTIONS = (
    Section(
        f"FID of {IMAGES} images, {BLOCKS} blocks: 90 % interval of the paired difference",
        fid_differences,
    ),
    Section("The same with KID", kid_differences),
    Section("FID itself, by percentiles of a bootstrap", bootstrapped),
)
