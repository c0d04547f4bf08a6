"""The report on metrics: which ones tell the variants of a front apart, best first.

What a metric tells of the variants of a front, in sentences that a tired person understands.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from pytest_pareto.doctor.metric_model import (
    LARGEST_PLAN,
    Agreement,
    Apart,
    Discernment,
    FrontMetrics,
    MetricsReport,
)
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Kind
from pytest_pareto.report.fronts import Names, front_names
from pytest_pareto.report.numbers import fixed, trimmed
from pytest_pareto.report.text import GridRow, Line, Tone, clean, clip, grid_lines, wrap

_FIGURES = ("n", "apart", "for half", "for all", "unpaired", "for half", "signal")
_AGREEMENT = ("tau-b", "90 % interval", "variants", "both", "opposite")


def render_metrics(report: MetricsReport, *, width: int) -> list[Line]:
    """Write the report in lines of at most ``width`` cells."""
    parts = [part for front in report.fronts for part in _front(front, width)]
    parts.append(_told(report.left_out, width, Tone.YELLOW))
    parts.append(_told(meanings(report), width) if report.fronts else [])
    lines: list[Line] = []
    for part in filter(None, parts):
        lines += [Line(""), *part] if lines else part
    return lines


def _front(front: FrontMetrics, width: int) -> list[list[Line]]:
    names = front_names(front.front, front.case_ids)
    title = f"{names.title}, {plural(len(front.case_ids), 'variant')}"
    return [
        [Line(clip(title, width), Tone.BOLD)],
        *(_verdict(found, names, width) for found in front.metrics),
        _told(without_pairing(front), width, Tone.YELLOW),
        _figures(front.metrics, width),
        _agreements(front, width),
        _told([names.within(note) for note in front.notes], width, Tone.YELLOW),
    ]


def _verdict(found: Discernment, names: Names, width: int) -> list[Line]:
    tone = Tone.GREEN if 2 * found.apart.apart >= found.apart.pairs else Tone.YELLOW
    return [
        *_told([verdict(found)], width, tone),
        *_told(explanations(found, names), width, lead="  "),
    ]


def _figures(metrics: Sequence[Discernment], width: int) -> list[Line]:
    rows = [GridRow(clean(found.metric), _cells(found)) for found in metrics]
    return grid_lines(_FIGURES, rows, width)


def _cells(found: Discernment) -> tuple[str, ...]:
    other = found.other
    unpaired = (f"{other.apart}/{other.pairs}", samples(other.half)) if found.same else ("", "")
    return (
        str(found.n) if found.same else plural(found.n, noun_of(found)),
        f"{found.apart.apart}/{found.apart.pairs}",
        samples(found.apart.half),
        samples(found.apart.every),
        *unpaired,
        number(found.signal),
    )


def _agreements(front: FrontMetrics, width: int) -> list[Line]:
    if len(front.metrics) == 1:
        return _told(["one metric only: no other ranking to set beside its own"], width)
    if not front.agreements:
        return _told(["no two metrics have two variants in common: rankings stay apart"], width)
    rows = [GridRow(clean(" ~ ".join(a.metrics)), _agreement_cells(a)) for a in front.agreements]
    title = Line(clip("how alike two metrics rank the variants", width), Tone.BOLD)
    return [title, *grid_lines(_AGREEMENT, rows, width)]


def _agreement_cells(found: Agreement) -> tuple[str, ...]:
    low, high = fixed(found.low, 2), fixed(found.high, 2)
    return (
        fixed(found.tau, 2),
        f"{low} to {high}",
        str(found.variants),
        str(found.both),
        str(found.opposite),
    )


def _told(
    texts: Iterable[str], width: int, tone: Tone = Tone.PLAIN, *, lead: str = ""
) -> list[Line]:
    lines = (line for text in texts for line in wrap(text, width, indent=lead, hanging=f"{lead}  "))
    return [Line(line, tone) for line in lines]


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
