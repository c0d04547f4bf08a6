"""The report of an A/A test: how far this machine can be believed, in words, then in figures."""

from collections.abc import Iterable, Sequence

from pytest_pareto.model.formatting import plural
from pytest_pareto.model.noise import MetricNoise, NoiseReport
from pytest_pareto.model.sight import Support
from pytest_pareto.report.lines import Line, Tone
from pytest_pareto.report.noise_repeats import repeated, unrepeated
from pytest_pareto.report.noise_tables import metric_tables
from pytest_pareto.report.noise_words import assumptions, drift, explanations, headline
from pytest_pareto.report.text import wrap
from pytest_pareto.report.units import duration


def render_noise(
    report: NoiseReport | None,
    failures: Sequence[str],
    *,
    duration_s: float,
    verbosity: int,
    width: int,
) -> list[Line]:
    """Write the report in lines of at most ``width`` cells; below verbosity 0 the verdicts alone.

    ``report`` is None where too little was measured: then only the ``failures`` are told.
    """
    failed = _told(failures, width, Tone.RED, lead="FAIL  ")
    if report is None:
        return failed
    if verbosity < 0:
        verdicts = [line for noise in report.metrics for line in _headline(noise, width)]
        return [*failed, *verdicts, *_warnings(report, width)]
    parts = [
        failed,
        _told([_circumstances(report, duration_s)], width),
        *(_verdict(noise, report, width) for noise in report.metrics),
        [*_warnings(report, width), *_told(repeated(report), width)],
        *(metric_tables(noise, width) for noise in report.metrics),
        _told(assumptions(report), width) if report.metrics else [],
    ]
    return _joined([part for part in parts if part])


def _circumstances(report: NoiseReport, duration_s: float) -> str:
    cases, runs = plural(len(report.case_ids), "case"), plural(report.runs, "run")
    return f"{runs} of unchanged code ({cases}) in {duration(duration_s)}"


def _verdict(noise: MetricNoise, report: NoiseReport, width: int) -> list[Line]:
    return [
        *_headline(noise, width),
        *_told(explanations(noise, report), width, lead="  "),
        *_told(drift(noise), width, Tone.YELLOW, lead="  "),
    ]


def _headline(noise: MetricNoise, width: int) -> list[Line]:
    good = noise.support in (Support.HOLDS, Support.UNASKED)
    return _told([headline(noise)], width, Tone.GREEN if good else Tone.YELLOW)


def _warnings(report: NoiseReport, width: int) -> list[Line]:
    return _told([*unrepeated(report), *report.left_out], width, Tone.YELLOW)


def _told(
    texts: Iterable[str], width: int, tone: Tone = Tone.PLAIN, *, lead: str = ""
) -> list[Line]:
    hanging = " " * max(len(lead), 2) if lead.strip() else lead + "  "
    lines = (line for text in texts for line in wrap(text, width, indent=lead, hanging=hanging))
    return [Line(line, tone) for line in lines]


def _joined(parts: Sequence[Sequence[Line]]) -> list[Line]:
    lines: list[Line] = []
    for part in parts:
        lines += [Line(""), *part] if lines else part
    return lines
