"""All samples at once: sizes at the tolerance, powers, and rules that were not taken."""

from collections.abc import Iterator

from benchmarks.calibration.rows import Row, at_least, at_most
from benchmarks.quality.scores import Draw, Shape, binary, clustered, collapsing, graded, shifted
from benchmarks.quality.table import Section
from benchmarks.quality.verdicts import (
    CONVICTED,
    PASSED,
    Rule,
    Trial,
    t_convicts,
    t_passes,
    wilcoxon_passes,
)
from pytest_pareto.model.metric import Kind

SIZE = at_most(6.5)
SD, MARGIN = 0.05, 0.01
"""Differences with a spread of .05, of which a fifth is tolerated."""

_NINETY = at_least(90)

AT_MARGIN: dict[str, Draw] = {
    **{str(shape): shifted(shape, MARGIN, SD) for shape in Shape if shape is not Shape.HARD},
    "5 seeds a prompt, averaged first": clustered(MARGIN, SD, averaged=True),
}


def _beside(what: str, trial: Trial, rule: Rule, draws: int, least: float) -> Row:
    """Return a row of another rule, which has to be as wrong as it is said to be."""
    return Row(what, draws, trial.ask(rule, draws), at_least(least), simulated=True)


def worse_at_margin(draws: int) -> Iterator[Row]:
    """WORSE of what is worse by exactly the tolerance."""
    for seed, (name, draw) in enumerate(AT_MARGIN.items()):
        trial = Trial(draw, 100, MARGIN, seed)
        yield trial.tally(draws).row(f"WORSE, {name}", CONVICTED, SIZE)
    hard = Trial(shifted(Shape.HARD, MARGIN, SD), 100, MARGIN, 19)
    yield hard.tally(draws).row(f"WORSE, {Shape.HARD}", CONVICTED)
    tail = Trial(AT_MARGIN[str(Shape.TO_GOOD)], 100, MARGIN, 20)
    yield _beside(f"beside: t alone, {Shape.TO_GOOD}", tail, t_convicts, draws, 6.5)
    apart = Trial(clustered(MARGIN, SD, averaged=False), 100, MARGIN, 21)
    yield _beside("beside: t over 5 seeds a prompt, not averaged", apart, t_convicts, draws, 12)


def safe_at_margin(draws: int) -> Iterator[Row]:
    """Not worse, of what is worse by exactly the tolerance."""
    for seed, (name, draw) in enumerate(AT_MARGIN.items(), start=30):
        trial = Trial(draw, 100, MARGIN, seed)
        yield trial.tally(draws).row(f"not worse, {name}", PASSED, SIZE)
    rare = Trial(AT_MARGIN[str(Shape.COLLAPSE)], 100, MARGIN, 50)
    yield _beside(f"beside: t alone, {Shape.COLLAPSE}", rare, t_passes, draws, 8)
    yield _beside(f"beside: Wilcoxon, {Shape.COLLAPSE}", rare, wilcoxon_passes, draws, 90)


def caught(draws: int) -> Iterator[Row]:
    """What is worse by more than the tolerance."""
    half = Trial(shifted(Shape.NORMAL, 0.5 * SD, SD), 216, MARGIN, 60)
    yield half.tally(draws).row("−.5 sd, n = 216: WORSE", CONVICTED, at_least(90))
    same = Trial(shifted(Shape.NORMAL, 0.0, SD), 216, MARGIN, 61)
    yield same.tally(draws).row("unchanged, n = 216: not worse", PASSED, at_least(88))
    yield same.tally(draws).row("unchanged, n = 216: WORSE", CONVICTED, at_most(0.5))
    deep = Trial(collapsing(0.05, 0.3), 200, 0.02, 62)
    said = deep.tally(draws)
    yield said.row("5 % of n = 200 collapse, the mean within tolerance: WORSE", CONVICTED, _NINETY)
    yield said.row("the same: not worse", PASSED, at_most(3))
    yield _beside("beside: Wilcoxon passes it", deep, wilcoxon_passes, draws, 90)
    yield _beside("beside: t alone passes it", deep, t_passes, draws, 5)


def of_binary(draws: int) -> Iterator[Row]:
    """Scores of 0 and 1."""
    for tolerance, least in ((0.01, 90), (0.02, 70)):
        drop = Trial(binary(0.95, 0.05), 400, tolerance, 70)
        what = f".95 drops by .05, n = 400, tolerance {tolerance:g}: WORSE"
        yield drop.tally(draws).row(what, CONVICTED, at_least(least))
    for n, tolerance, seed in ((400, 0.05, 71), (400, 0.02, 72), (100, 0.05, 73)):
        edge = Trial(binary(0.95, tolerance), n, tolerance, seed)
        said = edge.tally(draws)
        yield said.row(f"drop by the tolerance of {tolerance:g}, n = {n}: not worse", PASSED, SIZE)
        yield said.row(f"drop by the tolerance of {tolerance:g}, n = {n}: WORSE", CONVICTED, SIZE)
    few = Trial(binary(0.95, 0.02, up=0.0), 200, 0.02, 74)
    yield few.tally(draws).row("drop by .02 and nothing better, n = 200: not worse", PASSED, SIZE)
    yield _beside("beside: t alone, the same: not worse", few, t_passes, draws, 7)


def of_grades(draws: int) -> Iterator[Row]:
    """Grades, of which more get worse than better."""
    for worse, better, seed in ((0.20, 0.15, 80), (0.07, 0.02, 81)):
        trial = Trial(graded(worse, better), 100, 0.05, seed, Kind.ORDINAL)
        said, what = trial.tally(draws), f"{worse:.0%} worse, {better:.0%} better, tolerance 5 %"
        yield said.row(f"{what}: WORSE", CONVICTED, SIZE)
        yield said.row(f"{what}: not worse", PASSED, SIZE)
    harmed = Trial(graded(0.35, 0.10), 200, 0.05, 82, Kind.ORDINAL)
    yield harmed.tally(draws).row("35 % worse, 10 % better, n = 200: WORSE", CONVICTED, _NINETY)
    same = Trial(graded(0.10, 0.10), 200, 0.10, 83, Kind.ORDINAL)
    what = "10 % worse, 10 % better, tolerance 10 %, n = 200: not worse"
    yield same.tally(draws).row(what, PASSED, at_least(85))


SECTIONS = (
    Section("Worse by exactly the tolerance of .2 sd, n = 100", worse_at_margin),
    Section("The same: who says that nothing got worse", safe_at_margin),
    Section("Worse by more, and not at all", caught),
    Section("Scores of 0 and 1", of_binary),
    Section("Grades, by the share that got worse less the share that got better", of_grades),
)
