"""The one place that knows how the product judges a session, so that it alone changes with it.

Screened sessions are judged again by what was measured for confirmation, against the stored
baseline or interleaved with the old code.
"""

# ruff: noqa: ARG001 - what is not built yet uses no argument

from collections.abc import Sequence

from benchmarks.calibration.nouns import baseline_of, runs_of
from benchmarks.calibration.rows import NotBuiltYet
from benchmarks.calibration.world import Interleaved, Stored
from pytest_pareto.compare.terms import SessionSpreads, Terms
from pytest_pareto.model.change import Change
from pytest_pareto.model.policy import Policy
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.pipeline import judge_runs

SCREEN_ALPHA = 0.2
"""What is at most so compatible with being within the tolerance is measured again."""


def judge_unconfirmed(session: Stored, spreads: SessionSpreads) -> Judgement:
    """Judge a session by its own runs alone: Holm over all gated metrics."""
    return judge_runs(
        runs_of(session),
        baseline_of(session),
        Policy(),
        Terms(spreads=spreads),
        expected=_everything,
    ).judgement


def judge_confirmed(session: Stored, spreads: SessionSpreads) -> Judgement:
    """Screen a session, and judge what was flagged by its confirming runs.

    Will be ``judge_runs(..., confirmation=Confirmation(flag(...), confirming_runs_of(...)))``.
    """
    raise NotBuiltYet("confirmation against a stored baseline")


def judge_interleaved(session: Interleaved) -> Judgement:
    """Judge a session that ran old and new code in turns.

    Will be ``judge_interleaved(...)`` on what `turns_of` has to screen and to confirm with.
    """
    raise NotBuiltYet("interleaved judgement")


def confirmed_alone(
    baseline: Sequence[float],
    screened: Sequence[float],
    confirming: Sequence[float],
    *,
    tolerance: float,
    session_spread: float,
) -> Change:
    """Screen and confirm one metric of one case, given levels, one per run.

    Its resolution is that of both together.
    """
    raise NotBuiltYet("the resolution of a confirmed session")


ADJUSTED_HOST_SPREAD = 0.015
"""What sessions are assumed to differ by where latency is adjusted by the host reference."""


def adjusted_alone(
    levels: tuple[Sequence[float], Sequence[float]],
    references: tuple[Sequence[float], Sequence[float]],
    *,
    tolerance: float,
    spread: float,
) -> Change:
    """Compare one metric with the host reference as a covariate; both sides, one per run."""
    raise NotBuiltYet("the host reference as a covariate")


def _everything(_: str) -> bool:
    return True
