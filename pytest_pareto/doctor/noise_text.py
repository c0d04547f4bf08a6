"""Report of an A/A test (`pytest-pareto doctor --noise`): sentences per metric, then tables.

`render_noise` is the entry point. Below it are the sentences per metric, the metrics that should
repeat, the tables, and the assumptions.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from pytest_pareto.doctor.noise_model import (
    Alarms,
    CaseNoise,
    MetricNoise,
    NoiseReport,
    Plan,
    Repeatability,
    Support,
)
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import DEVICE_TIME, LATENCY
from pytest_pareto.report.fronts import front_names
from pytest_pareto.report.numbers import (
    change_figure,
    duration,
    fraction,
    levels,
    on_scale_of,
    resolution_text,
)
from pytest_pareto.report.text import GridRow, Line, Tone, clean, clip, grid_lines, wrap

_MAX_NAMED = 3
"""The number of cases that a sentence names."""

_Cells = Callable[[CaseNoise], tuple[str, ...]]


def render_noise(
    report: NoiseReport | None,
    failures: Sequence[str],
    *,
    duration_s: float,
    verbosity: int,
    width: int,
) -> list[Line]:
    """Return the report in lines of at most ``width`` cells; below verbosity 0 the headlines alone.

    ``report`` is None where too little was measured; then only the ``failures`` are rendered.
    """
    failed = _wrapped(failures, width, Tone.RED, lead="FAIL  ")
    if report is None:
        return failed
    if verbosity < 0:
        headlines = [line for noise in report.metrics for line in _headline_lines(noise, width)]
        return [*failed, *headlines, *_warnings(report, width)]
    parts = [
        failed,
        _wrapped([_circumstances(report, duration_s)], width),
        *(_metric_lines(noise, report, width) for noise in report.metrics),
        [*_warnings(report, width), *_wrapped(_repeated_text(report), width)],
        *(_metric_tables(noise, width) for noise in report.metrics),
        _wrapped(_assumptions(report), width) if report.metrics else [],
    ]
    return _separated([part for part in parts if part])


def _circumstances(report: NoiseReport, duration_s: float) -> str:
    cases, runs = plural(len(report.case_ids), "case"), plural(report.runs, "run")
    return f"{runs} of unchanged code ({cases}) in {duration(duration_s)}"


def _metric_lines(noise: MetricNoise, report: NoiseReport, width: int) -> list[Line]:
    return [
        *_headline_lines(noise, width),
        *_wrapped(_explanations(noise, report), width, lead="  "),
        *_wrapped(_drift_text(noise), width, Tone.YELLOW, lead="  "),
    ]


def _headline_lines(noise: MetricNoise, width: int) -> list[Line]:
    good = noise.support in (Support.HOLDS, Support.NO_TOLERANCE)
    return _wrapped([_headline(noise)], width, Tone.GREEN if good else Tone.YELLOW)


def _warnings(report: NoiseReport, width: int) -> list[Line]:
    return _wrapped([*_differing_text(report), *report.left_out], width, Tone.YELLOW)


def _wrapped(
    texts: Iterable[str], width: int, tone: Tone = Tone.PLAIN, *, lead: str = ""
) -> list[Line]:
    hanging = " " * max(len(lead), 2) if lead.strip() else lead + "  "
    lines = (line for text in texts for line in wrap(text, width, indent=lead, hanging=hanging))
    return [Line(line, tone) for line in lines]


def _separated(parts: Sequence[Sequence[Line]]) -> list[Line]:
    """Return the lines of all parts, with an empty line between parts."""
    lines: list[Line] = []
    for part in parts:
        lines += [Line(""), *part] if lines else part
    return lines


def _headline(noise: MetricNoise) -> str:
    """Return whether the tolerance of a metric holds on this machine."""
    metric, support = noise.metric, noise.support
    subject = f"{clean(metric.name)}: its tolerance of {on_scale_of(metric, metric.tolerance)}"
    if support is Support.NO_TOLERANCE:
        resolution = resolution_text(metric, noise.default.resolution)
        return f"{clean(metric.name)}: at tolerance 0 this machine detects {resolution}"
    if support is Support.MORE_RUNS:
        return f"{subject} needs {plural(noise.enough_runs or 0, 'run')} on this machine"
    support_texts = {
        Support.HOLDS: "holds on this machine",
        Support.INTERLEAVED: "holds with --pareto-against only",
        Support.NOWHERE: "is too tight for this machine",
    }
    return f"{subject} {support_texts[support]}"


def _explanations(noise: MetricNoise, report: NoiseReport) -> Iterator[str]:
    """Yield the scatter, the resolution, tolerances that hold with a remedy, and false alarms."""
    yield _scatter_text(noise)
    resolutions = _by_plan(noise, [each.resolution for each in noise.overall])
    yield f"minimum detectable regression: {resolutions}"
    if noise.support not in (Support.HOLDS, Support.NO_TOLERANCE):
        yield _remedy(noise, report)
        yield f"would hold: {_by_plan(noise, [each.tolerance for each in noise.overall])}"
    yield _alarms_text(noise)


def _scatter_text(noise: MetricNoise) -> str:
    sds = sorted(case.scatter.sd for case in noise.cases)
    ends = dict.fromkeys(on_scale_of(noise.metric, sd, 2) for sd in (sds[0], sds[-1]))
    return f"runs scatter by {' to '.join(ends)} (standard deviation)"


def _by_plan(noise: MetricNoise, values: Sequence[float]) -> str:
    """Return a value for each plan; plans with the same value are grouped."""
    groups: dict[str, list[Plan]] = {}
    for each, value in zip(noise.overall, values, strict=True):
        groups.setdefault(resolution_text(noise.metric, value), []).append(each.plan)
    return ", ".join(f"{text} with {_plans_text(plans)}" for text, plans in groups.items())


def _plans_text(plans: Sequence[Plan]) -> str:
    *first, last = [str(plan.runs) for plan in plans if not plan.confirming] or [""]
    runs = f"{', '.join(first)} or {last} runs" if first else plural(int(last or 0), "run")
    texts = [runs] if last else []
    for plan in plans:
        if plan.interleaved:
            texts.append("--pareto-against")
        elif plan.confirming:
            texts.append(f"{plural(plan.runs, 'run')} that {plan.confirming} confirm")
    return " or ".join(texts)


def _plan_heading(plan: Plan) -> str:
    """Return the column heading of a plan."""
    if plan.interleaved:
        return "A/B"
    runs = plural(plan.runs, "run")
    return f"{runs} + {plan.confirming}" if plan.confirming else runs


def _remedy(noise: MetricNoise, report: NoiseReport) -> str:
    if noise.support is Support.MORE_RUNS:
        return f"to keep it: --pareto-runs={noise.enough_runs} --pareto-confirm=0"
    if noise.sessions_forbid:
        assumed = fraction(max(case.session_spread for case in noise.cases))
        reason = f"since sessions are assumed to differ by {assumed} (pareto_session_spread)"
    else:
        more = f"--pareto-update=all --pareto-runs={2 * report.baseline_runs}"
        reason = f"unless the baseline holds more (recorded with {more})"
    texts = [f"no number of runs keeps it against a stored baseline, {reason}"]
    if noise.support is Support.INTERLEAVED:
        texts.append("--pareto-against, which interleaves old code and new, does")
    else:
        texts.append("nor does --pareto-against: measure on a quieter machine, or tolerate more")
    return "; ".join([*texts, *_quieter_metric(noise, report)])


def _quieter_metric(noise: MetricNoise, report: NoiseReport) -> Iterator[str]:
    """Yield the resolution of device_time, for latency only."""
    if noise.metric.name == LATENCY.name:
        for other in report.metric(DEVICE_TIME.name):
            resolution = resolution_text(other.metric, other.default.resolution)
            yield f"device_time, measured beside it, detects {resolution}"


def _alarms_text(noise: MetricNoise) -> str:
    alarms, metric = noise.alarms, noise.metric
    rules = [f"{_alarms_share(alarms.shuffled)} at {on_scale_of(metric, metric.tolerance)}"]
    rules += [f"{_alarms_share(alarms.shuffled_at_zero)} at 0"] if metric.tolerance else []
    naive = f"one run against one, +5 %: {_alarms_share(alarms.naive)}"
    return f"false alarms: {', '.join(rules)}; {naive}"


def _alarms_share(alarms: Alarms) -> str:
    """Return the number of false alarms and of comparisons: "3/56"."""
    return f"{alarms.alarms}/{alarms.comparisons}"


def _drift_text(noise: MetricNoise) -> Iterator[str]:
    """Yield the cases with a significant drift, if any."""
    if noise.drifting:
        cases = plural(len(noise.cases), "case")
        lead = f"drifted in {len(noise.drifting)} of {cases}, from the first half of the runs"
        drifts = [_case_drift_text(case) for case in noise.drifting]
        yield f"{lead} to the second: {_first_few(drifts)}"


def _case_drift_text(case: CaseNoise) -> str:
    assert case.drift is not None
    size = levels((case.drift.estimate,), case.metric.unit)
    figure = change_figure(case.drift, case.metric, size)
    return clean(f"{case.case_id} {figure.text} {figure.interval}")


def _first_few(texts: Sequence[str]) -> str:
    """Return the first texts as a list, with the number of the others."""
    more = len(texts) - _MAX_NAMED
    return "; ".join([*texts[:_MAX_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _repeated_text(report: NoiseReport) -> Iterator[str]:
    """Yield the metrics that were the same in every run of every case."""
    for title, scored in (("the same in every run", False), ("every score the same", True)):
        groups = _by_metric(report, scored=scored)
        names = [name for name, group in groups if all(each.repeated for each in group)]
        if names:
            yield f"{title}: {', '.join(names)}"


def _differing_text(report: NoiseReport) -> Iterator[str]:
    """Yield the metrics that should have been the same in every run, but differed, with cases."""
    for scored in (False, True):
        for name, group in _by_metric(report, scored=scored):
            differing = [each for each in group if not each.repeated]
            if differing:
                describe = _differing_scores if scored else _differing_number
                what = "scores are drawn anew in each run" if scored else "not the same in each run"
                yield f"{name}: {what}: {_first_few([describe(each) for each in differing])}"


def _by_metric(report: NoiseReport, *, scored: bool) -> Iterator[tuple[str, list[Repeatability]]]:
    groups: dict[str, list[Repeatability]] = {}
    for each in report.repeatability:
        if each.metric.kind.sampled == scored:
            groups.setdefault(clean(each.metric.name), []).append(each)
    yield from groups.items()


def _differing_number(result: Repeatability) -> str:
    return clean(f"{result.case_id} {_range_text(result)}")


def _differing_scores(result: Repeatability) -> str:
    count = f"{result.differing} of {result.values} in {result.case_id}"
    return clean(f"{count} (sample {result.sample!r} {_range_text(result)})")


def _range_text(result: Repeatability) -> str:
    ends = levels((result.low, result.high), result.metric.unit, exact=True)
    return f"from {ends.texts[0]} to {ends.texts[1]} {ends.scale.unit}".rstrip()


def _metric_tables(noise: MetricNoise, width: int) -> list[Line]:
    """Return the tables of one metric: scatter and false alarms, then the plans' resolution."""
    limit = on_scale_of(noise.metric, noise.metric.tolerance)
    plans = tuple(_plan_heading(each.plan) for each in noise.overall)
    alarms = ("spread", "90 % interval", f"at {limit}", "in order", "at 0", "in order", "+5 %")
    tables: tuple[tuple[str, tuple[str, ...], _Cells], ...] = (
        ("spread between runs, and false alarms", alarms, _scatter_cells),
        ("minimum detectable regression", plans, _resolution_cells),
        ("holds a tolerance of", (*plans, f"runs for {limit}"), _tolerance_cells),
    )
    lines: list[Line] = []
    for title, head, cells in tables:
        lines += [Line("")] if lines else []
        lines.append(Line(clip(clean(f"{noise.metric.name}: {title}"), width), Tone.BOLD))
        lines += grid_lines(head, [*_rows(noise, cells)], width)
    return lines + [Line(line) for line in _notes(noise, width)]


def _rows(noise: MetricNoise, cells: _Cells) -> Iterator[GridRow]:
    """Yield a row for each case, below the title of its front where cases share one."""
    fronts: dict[str, list[CaseNoise]] = {}
    for case in noise.cases:
        fronts.setdefault(case.front, []).append(case)
    for front, cases in fronts.items():
        names = front_names(front, [case.case_id for case in cases])
        if names.stem:
            yield GridRow(names.title)
        for case in cases:
            yield GridRow(f"  {names.of(case.case_id)}", cells(case))


def _scatter_cells(case: CaseNoise) -> tuple[str, ...]:
    alarms = (
        case.alarms.shuffled,
        case.alarms.contiguous,
        case.alarms.shuffled_at_zero,
        case.alarms.contiguous_at_zero,
        case.alarms.naive,
    )
    amounts = (case.scatter.sd, case.scatter.low, case.scatter.high)
    scale = levels(amounts, case.metric.unit).scale
    sd, low, high = (on_scale_of(case.metric, amount, 2, scale) for amount in amounts)
    return (sd, f"{low} to {high}", *map(_alarms_share, alarms))


def _resolution_cells(case: CaseNoise) -> tuple[str, ...]:
    return tuple(resolution_text(case.metric, each.resolution) for each in case.resolutions)


def _tolerance_cells(case: CaseNoise) -> tuple[str, ...]:
    tolerances = (resolution_text(case.metric, each.tolerance) for each in case.resolutions)
    return (*tolerances, "none" if case.enough_runs is None else str(case.enough_runs))


def _notes(noise: MetricNoise, width: int) -> Iterator[str]:
    for case in noise.cases:
        notes = list(case.notes)
        if case.raw is not None:
            notes.append(f"raw, the spread is {on_scale_of(case.metric, case.raw.sd, 2)}")
        for note in notes:
            yield from wrap(f"{case.case_id}: {note}", width, hanging="  ")


def _assumptions(report: NoiseReport) -> Iterator[str]:
    """Yield what the figures mean, and what they assume besides these runs."""
    yield (
        "Minimum detectable regression: the smallest that is called WORSE in 80 % of all sessions. "
        "A tolerance holds where a regression of twice its size is."
    )
    spreads = dict.fromkeys(
        f"{fraction(case.session_spread)} ({clean(case.metric.name)})"
        for noise in report.metrics
        for case in noise.cases
        if case.session_spread
    )
    sessions = [f"sessions differ by {', '.join(spreads)}"] if spreads else []
    shares = "1 test has" if report.family == 1 else f"{report.family} tests share"
    tests = f"{shares} alpha {report.alpha:g}"
    stored = f"a baseline of {plural(report.baseline_runs, 'run')} in one session"
    yield f"Assumed: {', '.join([stored, *sessions, tests])}."
    yield (
        f"False alarms: all these runs split into {report.splits.baseline} and "
        f"{report.splits.candidate} and compared at alpha {report.alpha:g}, without a term for "
        "sessions; neighbouring runs beside shuffled ones. Such splits depend on each other: the "
        "rates are rough."
    )
