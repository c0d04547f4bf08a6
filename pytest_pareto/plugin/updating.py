"""``--pareto-update``: the baseline, written after judging and told of."""

from dataclasses import replace

from pytest_pareto.baseline.store import write
from pytest_pareto.baseline.updates import UpdateMode, plan_update, told
from pytest_pareto.model.baseline import Baseline
from pytest_pareto.model.environment import Environment
from pytest_pareto.model.errors import ParetoError
from pytest_pareto.model.session_record import SessionFacts
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.pipeline import Judged
from pytest_pareto.plugin.conclusion import Conclusion, Sampled
from pytest_pareto.plugin.settings import Settings


def update(
    settings: Settings,
    judged: Judged,
    baseline: Baseline,
    environment: Environment,
    facts: SessionFacts,
) -> Conclusion:
    """Write what the user asked for, atomically, and tell what was written.

    A baseline that cannot be written is a failure of the session.
    """
    assert settings.update is not None
    mode = UpdateMode(settings.update)
    prune = _prunable(judged.judgement, facts) if mode is UpdateMode.ALL else frozenset()
    after, edits = plan_update(
        baseline,
        judged.judgement,
        judged.measured,
        judged.levels,
        judged.samples,
        environment,
        mode,
        prune=prune,
    )
    judgement = _forgiven(judged.judgement, prune)
    try:
        write(settings.baseline_dir, baseline.hardware_key, baseline, after)
    except ParetoError as error:
        failed = replace(judgement, failures=(*judgement.failures, str(error)))
        unwritten = Sampled(judged.samples, baseline, baseline)
        return Conclusion(failed, replace(facts, updating=True), unwritten)
    facts = replace(facts, updating=True, edits=told(edits), written=len(edits))
    return Conclusion(judgement, facts, Sampled(judged.samples, baseline, after))


def _prunable(judgement: Judgement, facts: SessionFacts) -> frozenset[str]:
    """Name the missing cases, if everything ran and nothing else failed."""
    missing = frozenset(c.case_id for c in judgement.cases if c.comparison.missing is not None)
    others = any(c.fails for c in judgement.cases if c.case_id not in missing)
    if facts.partial is not None or judgement.failures or others:
        return frozenset()
    return missing


def _forgiven(judgement: Judgement, dropped: frozenset[str]) -> Judgement:
    cases = tuple(
        replace(case, fails=(), notices=("dropped from the baseline",))
        if case.case_id in dropped
        else case
        for case in judgement.cases
    )
    return replace(judgement, cases=cases)
