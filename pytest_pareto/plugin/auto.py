"""``--pareto-runs auto``: as many runs as the spread of the first ones asks for."""

from collections.abc import Sequence

from pytest_pareto.model.run import Run
from pytest_pareto.plugin.settings import Settings

MOST_RUNS = 30


def further_runs(settings: Settings, runs: Sequence[Run], took_s: float) -> int:
    """Return how many more runs would settle everything, within the time budget.

    Asked once, and answered by the spread alone, whatever looks worse (Stein's two stages): more
    runs only where something is undecided would find changes that are not there. What no number
    of runs settles asks for none; ``took_s`` is what the ``runs`` took.
    """
    from pytest_pareto.baseline.store import load
    from pytest_pareto.model.policy import Terms
    from pytest_pareto.model.session_record import Circumstances
    from pytest_pareto.pipeline import judge_runs

    assert settings.time_budget_s is not None
    baseline = load(settings.baseline_dir, runs[-1].environment.hardware_key)
    terms = Terms(settings.policy.alpha, settings.session_spreads)
    around = Circumstances(expected=lambda _: False)
    judged = judge_runs(runs, baseline, settings.policy, terms, around)
    wanted = max(
        (
            result.change.runs_to_settle
            for case in judged.judgement.cases
            for result in case.comparison.metrics
            if result.metric.gates and result.change is not None and result.change.runs_to_settle
        ),
        default=0,
    )
    affordable = int((settings.time_budget_s - took_s) / (took_s / len(runs)))
    return max(0, min(wanted - len(runs), MOST_RUNS - len(runs), affordable))
