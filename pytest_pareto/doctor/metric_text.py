"""Report of `pytest-pareto doctor` on metrics: their discriminative power per front, best first.

`render_metrics` is the entry point: a sentence per metric, then tables, then a legend.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

from pytest_pareto.doctor.metric_model import (
    LARGEST_PLAN,
    FrontMetrics,
    MetricPower,
    MetricsReport,
    RankAgreement,
    Separation,
)
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import Kind
from pytest_pareto.report.fronts import Names, front_names
from pytest_pareto.report.numbers import fixed, trimmed
from pytest_pareto.report.text import GridRow, Line, Tone, clean, clip, grid_lines, wrap

_COLUMNS = ("n", "apart", "for half", "for all", "unpaired", "for half", "signal")
_AGREEMENT_COLUMNS = ("tau-b", "90 % interval", "variants", "both", "opposite")
_MAX_NAMED = 3
_FEW_SAMPLES = 30
_BEYOND = f"> {LARGEST_PLAN:,}"


def render_metrics(report: MetricsReport, *, width: int) -> list[Line]:
    """Return the report in lines of at most ``width`` cells."""
    parts = [part for front in report.fronts for part in _front(front, width)]
    parts.append(_wrapped(report.left_out, width, Tone.YELLOW))
    parts.append(_wrapped(_legend(report), width) if report.fronts else [])
    lines: list[Line] = []
    for part in filter(None, parts):
        lines += [Line(""), *part] if lines else part
    return lines


def _front(front: FrontMetrics, width: int) -> list[list[Line]]:
    names = front_names(front.front, front.case_ids)
    title = f"{names.title}, {plural(len(front.case_ids), 'variant')}"
    return [
        [Line(clip(title, width), Tone.BOLD)],
        *(_metric_lines(metric, names, width) for metric in front.metrics),
        _wrapped(_unpaired_order(front), width, Tone.YELLOW),
        _metric_table(front.metrics, width),
        _agreement_table(front, width),
        _wrapped([names.within(note) for note in front.notes], width, Tone.YELLOW),
    ]


def _metric_lines(metric: MetricPower, names: Names, width: int) -> list[Line]:
    separation = metric.separation
    tone = Tone.GREEN if 2 * separation.separated >= separation.pairs else Tone.YELLOW
    return [
        *_wrapped([_headline(metric)], width, tone),
        *_wrapped(_explanations(metric, names), width, lead="  "),
    ]


def _metric_table(metrics: Sequence[MetricPower], width: int) -> list[Line]:
    rows = [GridRow(clean(metric.metric), _metric_cells(metric)) for metric in metrics]
    return grid_lines(_COLUMNS, rows, width)


def _metric_cells(metric: MetricPower) -> tuple[str, ...]:
    separation, unpaired = metric.separation, ("", "")
    if metric.paired:
        share = f"{metric.unpaired.separated}/{metric.unpaired.pairs}"
        unpaired = (share, _samples_text(metric.unpaired.for_half))
    return (
        str(metric.n) if metric.paired else plural(metric.n, _noun(metric)),
        f"{separation.separated}/{separation.pairs}",
        _samples_text(separation.for_half),
        _samples_text(separation.for_all),
        *unpaired,
        _signal_text(metric.signal),
    )


def _agreement_table(front: FrontMetrics, width: int) -> list[Line]:
    if len(front.metrics) == 1:
        return _wrapped(["one metric only: no other ranking to set beside its own"], width)
    if not front.agreements:
        return _wrapped(["no two metrics have two variants in common: rankings stay apart"], width)
    rows = [GridRow(clean(" ~ ".join(a.metrics)), _agreement_cells(a)) for a in front.agreements]
    title = Line(clip("how alike two metrics rank the variants", width), Tone.BOLD)
    return [title, *grid_lines(_AGREEMENT_COLUMNS, rows, width)]


def _agreement_cells(agreement: RankAgreement) -> tuple[str, ...]:
    low, high = fixed(agreement.low, 2), fixed(agreement.high, 2)
    return (
        fixed(agreement.tau, 2),
        f"{low} to {high}",
        str(agreement.variants),
        str(agreement.both),
        str(agreement.opposite),
    )


def _wrapped(
    texts: Iterable[str], width: int, tone: Tone = Tone.PLAIN, *, lead: str = ""
) -> list[Line]:
    lines = (line for text in texts for line in wrap(text, width, indent=lead, hanging=f"{lead}  "))
    return [Line(line, tone) for line in lines]


def _headline(metric: MetricPower) -> str:
    """Return in one line how many pairs a metric separates, and the samples for half of them."""
    name, separation, noun = clean(metric.metric), metric.separation, _noun(metric)
    if metric.all_equal:
        return f"{name}: every {noun} of every variant is the same: nothing to tell apart"
    text = f"{name}: tells {_pairs_text(separation)} apart with {plural(metric.n, noun)}"
    if separation.separated == separation.pairs:
        return text
    text = f"{text}; {_plan_text(separation, noun)}"
    if 2 * separation.separated >= separation.pairs:
        return f"{text} do for half"
    # The plan includes pairs that are not separated yet, and they may be equal.
    target = "it" if separation.pairs == 1 else "half"
    caveat = "" if math.isinf(separation.for_half) else ", if they differ as it seems"
    return f"{text} tell {target}{caveat}"


def _plan_text(separation: Separation, noun: str) -> str:
    if math.isinf(separation.for_half):
        return f"no number of {noun}s up to {LARGEST_PLAN:,} would"
    return f"about {_samples_text(separation.for_half)} {noun}s would"


def _explanations(metric: MetricPower, names: Names) -> Iterator[str]:
    """Yield what the headline depends on, and how stable the best variant is."""
    if metric.all_equal:
        return
    if metric.kind.sampled and metric.n < _FEW_SAMPLES:
        yield f"{metric.n} samples are too few to believe any of these figures; take 100 or more"
    if metric.needs_pairing:
        yield (
            "that rests on the samples being the same: with samples of its own for each variant "
            f"it would tell {_pairs_text(metric.unpaired)} apart"
        )
    if metric.depends_on_one and metric.main_variant is not None:
        yield (
            f"most of its signal is {names.of(metric.main_variant)}: "
            f"{_signal_text(metric.signal)} with it, {_signal_text(metric.signal_without)} without"
        )
    yield _ranking_text(metric, names)


def _ranking_text(metric: MetricPower, names: Names) -> str:
    best = [names.of(case_id) for case_id in metric.ranking.best]
    order = f"mean tau of their rankings with this one: {fixed(metric.ranking.tau, 2)}"
    share = _percent(metric.ranking.best_stays)
    if len(best) == len(metric.case_ids):
        return f"all variants come out level; {order}"
    if len(best) == 1:
        return f"best is {best[0]}, alone in {share} of resamples too; {order}"
    return (
        f"best are {_first_few(best)}, level; no other joins them in {share} of resamples; {order}"
    )


def _first_few(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join([*names[:_MAX_NAMED], *([f"{more} more"] if more > 0 else [])])


def _unpaired_order(front: FrontMetrics) -> Iterator[str]:
    """Yield a note if another metric would be first without samples in common."""
    if front.best_unpaired is not None:
        best, first = front.best_unpaired
        yield (
            f"with samples of its own for each variant, {clean(best.metric)} would stand before "
            f"{clean(first.metric)}: {_pairs_text(best.unpaired)}, not {first.unpaired.separated}; "
            f"half of all would take it {_samples_text(best.unpaired.for_half)} samples, not "
            f"{_samples_text(first.unpaired.for_half)}"
        )


def _noun(metric: MetricPower) -> str:
    return "run" if metric.kind is Kind.RUN else "sample"


def _pairs_text(separation: Separation) -> str:
    """Return the number of separated pairs: "16 of 36 pairs"."""
    return f"{separation.separated} of {plural(separation.pairs, 'pair')}"


def _samples_text(count: float) -> str:
    """Return a planned number of samples, rounded up to two digits."""
    if math.isinf(count):
        return _BEYOND
    step = 10 ** max(0, len(str(int(count))) - 2)
    return f"{math.ceil(count / step) * step:,}"


def _signal_text(value: float) -> str:
    """Return a signal with two digits."""
    return "∞" if math.isinf(value) else trimmed(value, 2)


def _percent(share: float) -> str:
    """Return a share in whole per cent; 0 % and 100 % only where exact."""
    whole = min(99, max(1, round(100 * share))) if 0 < share < 1 else round(100 * share)
    return f"{whole} %"


def _legend(report: MetricsReport) -> Iterator[str]:
    """Yield what the figures mean, what they assume, and what they cannot show."""
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
        f"apart yet: they may be equal. {_BEYOND} also stands where nothing speaks for a "
        "difference."
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
