"""What an A/A test comes to, in sentences that a tired person understands."""

from collections.abc import Iterator, Sequence

from pytest_pareto.model.alarms import Alarms
from pytest_pareto.model.formatting import plural
from pytest_pareto.model.metric import DEVICE_TIME, LATENCY
from pytest_pareto.model.noise import CaseNoise, MetricNoise, NoiseReport
from pytest_pareto.model.sight import Plan, Support
from pytest_pareto.report.figures import change_figure, on_scale_of, resolution_text
from pytest_pareto.report.text import clean
from pytest_pareto.report.units import fraction, levels

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
    yield _scatter(noise)
    yield f"sees a regression of {_each(noise, [sight.sees for sight in noise.overall])}"
    if noise.support not in (Support.HOLDS, Support.UNASKED):
        yield _remedy(noise, report)
        yield f"would hold: {_each(noise, [sight.holds for sight in noise.overall])}"
    yield _alarms(noise)


def _scatter(noise: MetricNoise) -> str:
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
