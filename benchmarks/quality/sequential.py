"""Looks: an evaluation that stops when its verdict is decided, and what that costs and saves."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.calibration.rows import Row, at_least, at_most
from benchmarks.quality.fixed import MARGIN, SD, SIZE
from benchmarks.quality.scores import Shape, binary, collapsing, graded, shifted
from benchmarks.quality.table import Section
from benchmarks.quality.verdicts import ALPHA, CONVICTED, PASSED, Trial
from pytest_pareto.model.metric import Kind
from pytest_pareto.model.run import Looks

LOOKS, MOST, AT_ONCE = 5, 225, 216
"""Five looks over 225 samples have the power of 216 that are judged at once."""

FAMILY = 30


def sizes(draws: int) -> Iterator[Row]:
    """Worse by exactly the tolerance: either claim is wrong."""
    for seed, shape in enumerate(Shape, start=100):
        trial = Trial(shifted(shape, MARGIN, SD), MOST, MARGIN, seed, planned=LOOKS)
        said = trial.tally(draws)
        promised = None if shape is Shape.HARD else SIZE
        yield said.row(f"WORSE, {shape}", CONVICTED, promised)
        yield said.row(f"not worse, {shape}", PASSED, promised)
    for name, trial in (
        ("0 or 1", Trial(binary(0.95, 0.05), 400, 0.05, 110, planned=LOOKS)),
        ("grades", Trial(graded(0.2, 0.15), 200, 0.05, 111, Kind.ORDINAL, LOOKS)),
    ):
        said = trial.tally(draws)
        yield said.row(f"WORSE, {name}", CONVICTED, SIZE)
        yield said.row(f"not worse, {name}", PASSED, SIZE)


def peeking(draws: int) -> Iterator[Row]:
    """Stop at the first look that convicts at the level of a single one."""
    for seed, planned in ((120, LOOKS), (121, 22)):
        trial = Trial(shifted(Shape.NORMAL, MARGIN, SD), MOST, MARGIN, seed)
        rng, claims = np.random.default_rng(seed), np.zeros(2)
        for _ in range(draws):
            before, after = trial.draw(rng, MOST)
            ends = [Looks(MOST, planned, at, 0).used for at in range(1, planned + 1)]
            seen = [trial.compare(before[:end], after[:end]) for end in ends]
            claims += any(c.p_worse <= ALPHA for c in seen), any(c.high < MARGIN for c in seen)
        for claim, share in zip(("WORSE", "not worse"), claims / draws, strict=True):
            what = f"{claim} at one of {planned} looks that nobody paid for"
            yield Row(what, draws, float(share), at_least(10), simulated=True)


def savings(draws: int) -> Iterator[Row]:
    """The same power with fewer samples."""
    for what, harm, outcomes, least, saved in (
        ("unchanged: not worse", 0.0, PASSED, 88, 25),
        ("−.5 sd: WORSE", 0.5 * SD, CONVICTED, 97, 40),
    ):
        at_once = Trial(shifted(Shape.NORMAL, harm, SD), AT_ONCE, MARGIN, 130)
        said = at_once.tally(draws)
        yield said.row(f"{what}, all {AT_ONCE} at once", outcomes, at_least(least))
        trial = replace(at_once, n=MOST, planned=LOOKS)
        said = trial.tally(draws)
        yield said.row(f"{what}, {LOOKS} looks over {MOST}", outcomes, at_least(least))
        fewer = 1 - said.used / AT_ONCE
        saved_of = f"{what.split(':')[0]}: samples saved, of {AT_ONCE}"
        yield Row(saved_of, draws, fewer, at_least(saved))


def in_a_family(draws: int) -> Iterator[Row]:
    """One of 30 metrics: convicted at a thirtieth of alpha."""
    for seed, shape in enumerate((Shape.NORMAL, Shape.TO_GOOD, Shape.HEAVY), start=140):
        trial = Trial(shifted(shape, MARGIN, SD), MOST, MARGIN, seed, planned=LOOKS, family=FAMILY)
        yield trial.tally(draws).row(f"at the tolerance, WORSE, {shape}", CONVICTED, at_most(0.4))
    half = Trial(shifted(Shape.NORMAL, 0.5 * SD, SD), AT_ONCE, MARGIN, 150, family=FAMILY)
    yield half.tally(draws).row(f"−.5 sd: WORSE, all {AT_ONCE} at once", CONVICTED, at_least(88))
    said = replace(half, n=MOST, planned=LOOKS).tally(draws)
    yield said.row(f"−.5 sd: WORSE, {LOOKS} looks over {MOST}", CONVICTED, at_least(88))
    yield Row(f"−.5 sd: samples saved, of {AT_ONCE}", draws, 1 - said.used / AT_ONCE)


def collapses(draws: int) -> Iterator[Row]:
    """Few samples of 200 collapse, and the first look may have none of them."""
    for noise, name in ((0.003, "the others move a little"), (0.0, "the others are the same")):
        at_once = Trial(collapsing(0.05, 0.3, noise), 200, 0.01, 160)
        yield at_once.tally(draws).row(f"WORSE, {name}, all at once", CONVICTED, at_least(90))
        said = replace(at_once, planned=LOOKS).tally(draws)
        yield said.row(f"WORSE, {name}, {LOOKS} looks", CONVICTED, at_least(90))
        yield said.row(f"not worse, {name}, {LOOKS} looks", PASSED, at_most(5))
        rng, unseen = np.random.default_rng(161), 0
        for _ in range(draws):
            before, after = at_once.draw(rng, 200)
            unseen += bool((before - after)[:40].max() < 0.1)
        if noise:
            what = "the first look, of 40, has none of them"
            yield Row(what, draws, unseen / draws, at_least(10), simulated=True)
    fewer = Trial(collapsing(0.03, 0.3), 200, 0.01, 163)
    for trial, how in ((fewer, "all at once"), (replace(fewer, planned=LOOKS), f"{LOOKS} looks")):
        said = trial.tally(draws)
        yield said.row(f"3 % collapse: WORSE, {how}", CONVICTED)
        yield said.row(f"3 % collapse: not worse, {how}", PASSED)
    allowed = Trial(collapsing(0.005, 0.3), 200, 0.05, 162, planned=LOOKS)
    yield allowed.tally(draws).row("1 in 200 collapses: WORSE", CONVICTED, at_most(2))


SECTIONS = (
    Section(f"Worse by exactly the tolerance, {LOOKS} looks over {MOST} samples", sizes),
    Section("The same with looks that nobody paid for", peeking),
    Section("What looks save", savings),
    Section(f"One of {FAMILY} metrics", in_a_family),
    Section("A collapse of 5 % of 200 samples, looked at early", collapses),
)
