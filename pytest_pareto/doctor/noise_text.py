"""The report of an A/A test: how far this machine can be believed, in words, then in figures.

What should have been the same in every run of an A/A test, in sentences.

The figures of an A/A test, metric by metric and case by case.

What an A/A test comes to, in sentences that a tired person understands.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from pytest_pareto.doctor.noise_model import (
    Alarms,
    CaseNoise,
    MetricNoise,
    NoiseReport,
    Plan,
    Repetition,
    Scatter,
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


def repeated(report: NoiseReport) -> Iterator[str]:
    """Name the metrics that came out the same in every run of every case."""
    for title, scored in (("the same in every run", False), ("every score the same", True)):
        names = [name for name, found in _by_metric(report, scored=scored) if _all_same(found)]
        if names:
            yield f"{title}: {', '.join(names)}"


def unrepeated(report: NoiseReport) -> Iterator[str]:
    """Tell of each metric that should have come out the same where it did not."""
    for scored in (False, True):
        for name, found in _by_metric(report, scored=scored):
            bad = [repetition for repetition in found if not repetition.repeated]
            if bad:
                tell = _score_differed if scored else _number_differed
                what = "scores are drawn anew in each run" if scored else "not the same in each run"
                yield f"{name}: {what}: {some([tell(repetition) for repetition in bad])}"


def _by_metric(report: NoiseReport, *, scored: bool) -> Iterator[tuple[str, list[Repetition]]]:
    groups: dict[str, list[Repetition]] = {}
    for found in report.repetitions:
        if found.metric.kind.sampled == scored:
            groups.setdefault(clean(found.metric.name), []).append(found)
    yield from groups.items()


def _all_same(found: Sequence[Repetition]) -> bool:
    return all(repetition.repeated for repetition in found)


def _number_differed(found: Repetition) -> str:
    return clean(f"{found.case_id} {_from_to(found)}")


def _score_differed(found: Repetition) -> str:
    told = f"{found.differing} of {found.values} in {found.case_id}"
    return clean(f"{told} (sample {found.sample!r} {_from_to(found)})")


def _from_to(found: Repetition) -> str:
    ends = levels((found.low, found.high), found.metric.unit, exact=True)
    return f"from {ends.texts[0]} to {ends.texts[1]} {ends.scale.unit}".rstrip()


_Cells = Callable[[CaseNoise], tuple[str, ...]]


def metric_tables(noise: MetricNoise, width: int) -> list[Line]:
    """Write what is known of one metric: its scatter and false alarms, then what plans see."""
    limit = on_scale_of(noise.metric, noise.metric.tolerance)
    plans = tuple(plan_name(sight.plan) for sight in noise.overall)
    alarms = ("spread", "90 % interval", f"at {limit}", "in order", "at 0", "in order", "+5 %")
    tables: tuple[tuple[str, tuple[str, ...], _Cells], ...] = (
        ("spread between runs, and false alarms", alarms, _scatter_cells),
        ("sees a regression of", plans, _seen_cells),
        ("holds a tolerance of", (*plans, f"runs for {limit}"), _held_cells),
    )
    lines: list[Line] = []
    for title, head, cells in tables:
        lines += [Line("")] if lines else []
        lines.append(Line(clip(clean(f"{noise.metric.name}: {title}"), width), Tone.BOLD))
        lines += grid_lines(head, [*_rows(noise, cells)], width)
    return lines + [Line(line) for line in _notes(noise, width)]


def _rows(noise: MetricNoise, cells: _Cells) -> Iterator[GridRow]:
    """Write a row for each case, below the title of its front where it shares one."""
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
    found = case.alarms
    alarms = (
        found.shuffled,
        found.in_order,
        found.shuffled_at_zero,
        found.in_order_at_zero,
        found.naive,
    )
    return (*_scatter(case.scatter, case), *map(share, alarms))


def _scatter(scatter: Scatter, case: CaseNoise) -> tuple[str, str]:
    found = (scatter.sd, scatter.low, scatter.high)
    scale = levels(found, case.metric.unit).scale
    sd, low, high = (on_scale_of(case.metric, value, 2, scale) for value in found)
    return sd, f"{low} to {high}"


def _seen_cells(case: CaseNoise) -> tuple[str, ...]:
    return tuple(resolution_text(case.metric, sight.sees) for sight in case.sights)


def _held_cells(case: CaseNoise) -> tuple[str, ...]:
    held = (resolution_text(case.metric, sight.holds) for sight in case.sights)
    return (*held, "none" if case.enough_runs is None else str(case.enough_runs))


def _notes(noise: MetricNoise, width: int) -> Iterator[str]:
    for case in noise.cases:
        notes = list(case.notes)
        if case.raw is not None:
            notes.append(f"raw, the spread is {on_scale_of(case.metric, case.raw.sd, 2)}")
        for note in notes:
            yield from wrap(f"{case.case_id}: {note}", width, hanging="  ")


_NAMED = 3
"""So many are named of what there is too much of."""


def headline(noise: MetricNoise) -> str:
    """Say whether the tolerance of a metric can be kept on this machine."""
    metric, support = noise.metric, noise.support
    subject = f"{clean(metric.name)}: its tolerance of {on_scale_of(metric, metric.tolerance)}"
    if support is Support.UNASKED:
        seen = resolution_text(metric, noise.usual.sees)
        return f"{clean(metric.name)}: at tolerance 0 this machine sees {seen}"
    if support is Support.WITH_RUNS:
        return f"{subject} needs {plural(noise.enough_runs or 0, 'run')} on this machine"
    told = {
        Support.HOLDS: "holds on this machine",
        Support.IN_TURN: "holds with --pareto-against only",
        Support.NOWHERE: "is too tight for this machine",
    }
    return f"{subject} {told[support]}"


def explanations(noise: MetricNoise, report: NoiseReport) -> Iterator[str]:
    """Say what is seen, what would hold, what to do about it, and what false alarms there were."""
    yield _scatter_words(noise)
    yield f"sees a regression of {_each(noise, [sight.sees for sight in noise.overall])}"
    if noise.support not in (Support.HOLDS, Support.UNASKED):
        yield _remedy(noise, report)
        yield f"would hold: {_each(noise, [sight.holds for sight in noise.overall])}"
    yield _alarms(noise)


def _scatter_words(noise: MetricNoise) -> str:
    sds = sorted(case.scatter.sd for case in noise.cases)
    ends = dict.fromkeys(on_scale_of(noise.metric, sd, 2) for sd in (sds[0], sds[-1]))
    return f"runs scatter by {' to '.join(ends)} (standard deviation)"


def _each(noise: MetricNoise, values: Sequence[float]) -> str:
    """Say a value of each plan, and of plans that have the same one once."""
    plans: dict[str, list[Plan]] = {}
    for sight, value in zip(noise.overall, values, strict=True):
        plans.setdefault(resolution_text(noise.metric, value), []).append(sight.plan)
    return ", ".join(f"{text} with {_either(alike)}" for text, alike in plans.items())


def _either(plans: Sequence[Plan]) -> str:
    *first, last = [str(plan.runs) for plan in plans if not plan.confirming] or [""]
    runs = f"{', '.join(first)} or {last} runs" if first else plural(int(last or 0), "run")
    told = [runs] if last else []
    for plan in plans:
        if plan.interleaved:
            told.append("--pareto-against")
        elif plan.confirming:
            told.append(f"{plural(plan.runs, 'run')} that {plan.confirming} confirm")
    return " or ".join(told)


def plan_name(plan: Plan) -> str:
    """Name a plan at the head of a column."""
    if plan.interleaved:
        return "in turn"
    runs = plural(plan.runs, "run")
    return f"{runs} + {plan.confirming}" if plan.confirming else runs


def _remedy(noise: MetricNoise, report: NoiseReport) -> str:
    if noise.support is Support.WITH_RUNS:
        return f"to keep it: --pareto-runs={noise.enough_runs} --pareto-confirm=0"
    if noise.sessions_forbid:
        assumed = fraction(max(case.session_spread for case in noise.cases))
        why = f"since sessions are assumed to differ by {assumed} (pareto_session_spread)"
    else:
        more = f"--pareto-update=all --pareto-runs={2 * report.baseline_runs}"
        why = f"unless the baseline holds more (recorded with {more})"
    told = [f"no number of runs keeps it against a stored baseline, {why}"]
    if noise.support is Support.IN_TURN:
        told.append("--pareto-against, which measures old code and new in turn, does")
    else:
        told.append("nor does --pareto-against: measure on a quieter machine, or tolerate more")
    return "; ".join([*told, *_quieter(noise, report)])


def _quieter(noise: MetricNoise, report: NoiseReport) -> Iterator[str]:
    """Name the quiet metric beside the one that is felt."""
    if noise.metric.name == LATENCY.name:
        for other in report.metric(DEVICE_TIME.name):
            sees = resolution_text(other.metric, other.usual.sees)
            yield f"device_time, measured beside it, sees {sees}"


def _alarms(noise: MetricNoise) -> str:
    found, metric = noise.alarms, noise.metric
    rules = [f"{share(found.shuffled)} at {on_scale_of(metric, metric.tolerance)}"]
    rules += [f"{share(found.shuffled_at_zero)} at 0"] if metric.tolerance else []
    naive = f"one run against one, +5 %: {share(found.naive)}"
    return f"false alarms: {', '.join(rules)}; {naive}"


def share(alarms: Alarms) -> str:
    """Write how many of how many comparisons were false alarms."""
    return f"{alarms.alarms}/{alarms.comparisons}"


def drift(noise: MetricNoise) -> Iterator[str]:
    """Say which cases went up or down while they were measured, if any did."""
    if noise.drifting:
        cases = plural(len(noise.cases), "case")
        lead = f"drifted in {len(noise.drifting)} of {cases}, from the first half of the runs"
        yield f"{lead} to the second: {some([_drifted(case) for case in noise.drifting])}"


def _drifted(case: CaseNoise) -> str:
    assert case.drift is not None
    size = levels((case.drift.estimate,), case.metric.unit)
    figure = change_figure(case.drift, case.metric, size)
    return clean(f"{case.case_id} {figure.text} {figure.interval}")


def some(texts: Sequence[str]) -> str:
    """List texts, and count those that are too many."""
    more = len(texts) - _NAMED
    return "; ".join([*texts[:_NAMED], *([f"and {more} more"] if more > 0 else [])])


def assumptions(report: NoiseReport) -> Iterator[str]:
    """Say what the figures mean, and what they rest on besides these runs."""
    yield (
        "Sees: the smallest regression that is called WORSE in 80 % of all sessions. A tolerance "
        "holds where a regression of twice its size is."
    )
    spreads = dict.fromkeys(
        f"{fraction(case.session_spread)} ({clean(case.metric.name)})"
        for noise in report.metrics
        for case in noise.cases
        if case.session_spread
    )
    differ = [f"sessions differ by {', '.join(spreads)}"] if spreads else []
    shares = "1 test has" if report.family == 1 else f"{report.family} tests share"
    tests = f"{shares} alpha {report.alpha:g}"
    stored = f"a baseline of {plural(report.baseline_runs, 'run')} in one session"
    yield f"Assumed: {', '.join([stored, *differ, tests])}."
    yield (
        f"False alarms: all these runs split into {report.splits.baseline} and "
        f"{report.splits.candidate} and compared at alpha {report.alpha:g}, without a term for "
        "sessions; neighbouring runs beside shuffled ones. Such splits depend on each other: the "
        "rates are rough."
    )
