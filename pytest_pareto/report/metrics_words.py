"""What a metric tells of the variants of a front, in sentences that a tired person understands."""

import math
from collections.abc import Iterator, Sequence

from pytest_pareto.model.discernment import (
    LARGEST_PLAN,
    Apart,
    Discernment,
    FrontMetrics,
    MetricsReport,
)
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Kind
from pytest_pareto.report.digits import fixed, trimmed
from pytest_pareto.report.names import Names
from pytest_pareto.report.text import clean

_NAMED = 3
_FEW = 30
BEYOND = f"> {LARGEST_PLAN:,}"


def verdict(found: Discernment) -> str:
    """Say in a line how many pairs a metric tells apart, and what half of them would take."""
    name, apart, noun = clean(found.metric), found.apart, noun_of(found)
    if found.all_equal:
        return f"{name}: every {noun} of every variant is the same: nothing to tell apart"
    told = f"{name}: tells {of_pairs(apart)} apart with {plural(found.n, noun)}"
    if apart.apart == apart.pairs:
        return told
    plan = f"{told}; {_would(apart, noun)}"
    if 2 * apart.apart >= apart.pairs:
        return f"{plan} do for half"
    # Pairs that are not told apart yet are in that plan, and may be equal.
    which = "it" if apart.pairs == 1 else "half"
    return f"{plan} tell {which}{'' if math.isinf(apart.half) else ', if they differ as it seems'}"


def _would(apart: Apart, noun: str) -> str:
    if math.isinf(apart.half):
        return f"no number of {noun}s up to {LARGEST_PLAN:,} would"
    return f"about {samples(apart.half)} {noun}s would"


def explanations(found: Discernment, names: Names) -> Iterator[str]:
    """Say what the verdict rests on, and how firmly the best variant is the best."""
    if found.all_equal:
        return
    if found.kind.sampled and found.n < _FEW:
        yield f"{found.n} samples are too few to believe any of these figures; take 100 or more"
    if found.rests_on_pairing:
        yield (
            "that rests on the samples being the same: with samples of its own for each variant "
            f"it would tell {of_pairs(found.other)} apart"
        )
    if found.rests_on_one and found.leaning is not None:
        yield (
            f"most of its signal is {names.of(found.leaning)}: {number(found.signal)} with it, "
            f"{number(found.without)} without"
        )
    yield _best(found, names)


def without_pairing(front: FrontMetrics) -> Iterator[str]:
    """Say where metrics would stand in another order if the variants had no samples in common."""
    if front.unpaired_rival is not None:
        rival, first = front.unpaired_rival
        yield (
            f"with samples of its own for each variant, {clean(rival.metric)} would stand before "
            f"{clean(first.metric)}: {of_pairs(rival.other)}, not {first.other.apart}; half of "
            f"all would take it {samples(rival.other.half)} samples, not "
            f"{samples(first.other.half)}"
        )


def _best(found: Discernment, names: Names) -> str:
    best = [names.of(case_id) for case_id in found.ranking.best]
    order = f"mean tau of their rankings with this one: {fixed(found.ranking.tau, 2)}"
    share = per_cent(found.ranking.stays)
    if len(best) == len(found.case_ids):
        return f"all variants come out level; {order}"
    if len(best) == 1:
        return f"best is {best[0]}, alone in {share} of resamples too; {order}"
    return f"best are {_few(best)}, level; no other joins them in {share} of resamples; {order}"


def _few(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join([*names[:_NAMED], *([f"{more} more"] if more > 0 else [])])


def noun_of(found: Discernment) -> str:
    """Name what a metric's variants have several of."""
    return "run" if found.kind is Kind.RUN else "sample"


def of_pairs(apart: Apart) -> str:
    """Count pairs out of all: "16 of 36 pairs"."""
    return f"{apart.apart} of {plural(apart.pairs, 'pair')}"


def samples(count: float) -> str:
    """Write a planned number of samples, rounded up to two digits."""
    if math.isinf(count):
        return BEYOND
    step = 10 ** max(0, len(str(int(count))) - 2)
    return f"{math.ceil(count / step) * step:,}"


def number(value: float) -> str:
    """Write a signal in two digits."""
    return "∞" if math.isinf(value) else trimmed(value, 2)


def per_cent(share: float) -> str:
    """Write a share in whole per cent; neither all nor none unless it is."""
    whole = min(99, max(1, round(100 * share))) if 0 < share < 1 else round(100 * share)
    return f"{whole} %"


def meanings(report: MetricsReport) -> Iterator[str]:
    """Say what the figures mean, what they assume, and what they cannot know."""
    yield (
        "Apart: pairs of variants whose means differ, by the tests that judge scores elsewhere, "
        "corrected by Holm for the pairs of the front: where all are equal, any is told apart "
        f"with a probability of {report.alpha:g} at most. The metric with the largest share "
        "stands first."
    )
    yield (
        "For half, for all: samples (or runs) of each variant that would tell half of the pairs "
        "or all apart, with a probability of 80 % for the hardest of them, if the true "
        "differences are those seen less what noise adds. That is optimistic for pairs not told "
        f"apart yet: they may be equal. {BEYOND} also stands where nothing speaks for a difference."
    )
    yield "Unpaired: the same with samples of its own for each variant."
    yield (
        "Signal: by how many standard errors two variants differ, √(mean d² / mean SE² − 1) over "
        "the pairs; about 0 where there is only noise."
    )
    yield (
        "Resamples: the samples drawn again, the same for all variants and metrics; the means of "
        "runs by Student's t. Tau is Kendall's tau-b: 1 for the same order, −1 for the opposite "
        "one. Both, opposite: pairs that both metrics tell apart, and those in opposite order."
    )
    yield (
        "No truth is recorded: a metric may tell variants apart, and firmly, by what does not "
        "matter to you."
    )
