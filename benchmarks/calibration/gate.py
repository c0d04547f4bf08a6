"""The one place that knows how the product judges a session, so that it alone changes with it.

What looks worse is measured again, and judged by that: against the stored baseline, or, where
old and new code took turns, against what the old code measured again.
"""

from dataclasses import replace

from benchmarks.calibration.alone import ALPHA
from benchmarks.calibration.nouns import baseline_of, confirming_runs_of, runs_of, turns_of
from benchmarks.calibration.world import InTurn, Stored
from pytest_pareto.judge.gate import confirming_level, confirming_runs, flagged, flagged_changes
from pytest_pareto.model.baseline import Past
from pytest_pareto.model.policy import (
    MAX_BLOCKS,
    RUNS_PER_BLOCK,
    SCREENING_BLOCKS,
    Policy,
    SessionSpreads,
)
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.model.verdict import Judgement
from pytest_pareto.pipeline import judge_record
from pytest_pareto.stats.power import blocks_for

CONFIRMING = 5
"""The most fresh runs that measure again what looks worse: the default of ``--pareto-confirm``."""

BLOCKS = SCREENING_BLOCKS + MAX_BLOCKS
"""What a session against a git ref may take: two blocks to screen, and as many as it plans."""


def judge_unconfirmed(session: Stored, spreads: SessionSpreads) -> Judgement:
    """Judge a session by its own runs alone: Holm over all gated metrics."""
    return _judge(session, SessionRecord(runs_of(session), Policy(spreads=spreads)))


def judge_confirmed(session: Stored, spreads: SessionSpreads) -> Judgement:
    """Screen a session by its own runs, and judge what was flagged by its confirming runs.

    Of these it takes as many as it plans for each case.
    """
    again = confirming_runs_of(session)
    record = SessionRecord(runs_of(session), Policy(spreads=spreads, confirming=len(again)))
    first = _judge(session, record)
    suspects = flagged(first)
    if not suspects:
        return first
    needed = confirming_runs(first, suspects, len(again))
    taken = tuple(
        replace(
            run, cases={name: case for name, case in run.cases.items() if needed.get(name, 0) > n}
        )
        for n, run in enumerate(again[: max(needed.values())])
    )
    return _judge(session, replace(record, flagged=suspects, again=taken))


def _judge(session: Stored, record: SessionRecord) -> Judgement:
    return judge_record(record, Past(baseline_of(session))).judgement


def judge_interleaved(session: InTurn) -> Judgement:
    """Judge a session that ran old and new code in turns: two blocks, then those it plans."""
    screen = turns_of(session, SCREENING_BLOCKS)
    policy = Policy(confirming=RUNS_PER_BLOCK * CONFIRMING)
    record = SessionRecord(screen.new, policy, old_runs=screen.old)
    first = judge_record(record).judgement
    suspects = flagged(first)
    if not suspects:
        return first
    level = confirming_level(first, suspects, ALPHA)
    blocks = blocks_for(flagged_changes(first, suspects), SCREENING_BLOCKS, level)
    again = turns_of(session, blocks, after=SCREENING_BLOCKS)
    record = replace(record, flagged=suspects, again=again.new, old_again=again.old)
    return judge_record(record).judgement
