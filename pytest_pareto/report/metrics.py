"""The report on metrics: which ones tell the variants of a front apart, best first."""

from collections.abc import Iterable, Sequence

from pytest_pareto.model.discernment import Agreement, Discernment, FrontMetrics, MetricsReport
from pytest_pareto.model.formatting import plural
from pytest_pareto.report.digits import fixed
from pytest_pareto.report.grid import GridRow, grid_lines
from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.metrics_words import (
    explanations,
    meanings,
    noun_of,
    number,
    samples,
    verdict,
    without_pairing,
)
from pytest_pareto.report.names import Names, front_names
from pytest_pareto.report.text import clean, clip, wrap

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
