"""Old and new code in turn, screened and confirmed: which runs decide, with what size and power."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from pytest_pareto.compare import pairs
from pytest_pareto.judge.gate import confirming_level, flagged, flagged_changes
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.policy import (
    MIN_BLOCKS,
    MIN_POOLED_BLOCKS,
    POOLED_TESTS,
    SCREENING_PAIRS,
    Policy,
)
from pytest_pareto.model.run import Run
from pytest_pareto.model.session_record import SessionRecord
from pytest_pareto.pipeline import judge_record
from pytest_pareto.stats.power import blocks_for
from tests.sessions import case_runs, change_of, session

POLICY = Policy(confirming=10)
TOLERANCE = math.log1p(0.01)
Side = tuple[Run, ...]


@dataclass(frozen=True)
class Host:
    """Cases measured in pairs: in all of them the new code is slower by ``effect`` (log)."""

    rng: np.random.Generator
    spread: float
    effect: float
    cases: int = 1

    def pairs(self, count: int, *, after: int = 0) -> tuple[Side, Side]:
        """Return the runs of both sides in so many further pairs."""
        names = [chr(ord("a") + number) for number in range(self.cases)]
        old, new = (
            session(*(case_runs(name, {"device": self._levels(count, side)}) for name in names))
            for side in (0.0, 1.0)
        )
        return self._in_blocks(old, after), self._in_blocks(new, after)

    def _levels(self, count: int, side: float) -> list[float]:
        # What both sides of a pair share cancels; here one side has all of the pair's spread.
        noise = self.rng.normal(0, self.spread, count) if side else np.zeros(count)
        return [math.exp(each + side * self.effect) for each in noise]

    def _in_blocks(self, runs: list[Run], after: int) -> Side:
        return tuple(replace(run, block=after + n) for n, run in enumerate(runs, start=1))

    def session(self) -> list[Change]:
        """Screen, and confirm what is flagged as the plugin does; return the cases' changes."""
        old, new = self.pairs(SCREENING_PAIRS)
        screen = SessionRecord(new, POLICY, old_runs=old)
        judgement = judge_record(screen).judgement
        names = flagged(judgement)
        if not names:
            return self._changes(screen)
        level = confirming_level(judgement, names, POLICY.alpha)
        changes = flagged_changes(judgement, names)
        more = blocks_for(changes, SCREENING_PAIRS, level, 1, pooled=judgement.pooled)
        old_again, again = self.pairs(more, after=SCREENING_PAIRS)
        return self._changes(replace(screen, flagged=names, old_again=old_again, again=again))

    def _changes(self, record: SessionRecord) -> list[Change]:
        return [change_of(case, "device") for case in judge_record(record).judgement.cases]

    def worse(self, draws: int) -> float:
        """Return the share of sessions that call any case WORSE."""
        found = (self.session() for _ in range(draws))
        return sum(any(c.outcome is Outcome.WORSE for c in each) for each in found) / draws


def in_two_stages(cases: int) -> Change:
    """Return a change that is so clear that the fewest pairs confirm it."""
    return Host(np.random.default_rng(3), 0.01, 0.2, cases).session()[0]


def test_with_few_tests_all_runs_decide() -> None:
    change = in_two_stages(POOLED_TESTS)
    assert change.df == SCREENING_PAIRS + MIN_POOLED_BLOCKS - 1


def test_with_more_of_them_the_confirming_runs_decide() -> None:
    change = in_two_stages(POOLED_TESTS + 1)
    assert change.df == MIN_BLOCKS - 1


@pytest.mark.parametrize("cases", [1, POOLED_TESTS, POOLED_TESTS + 1])
def test_code_exactly_at_its_tolerance_is_worse_less_often_than_alpha(cases: int) -> None:
    host, draws = Host(np.random.default_rng(1), 0.02, TOLERANCE, cases), 600
    two_errors = 2 * math.sqrt(0.05 * 0.95 / draws)
    assert host.worse(draws) <= 0.05 + two_errors


def test_all_runs_see_what_the_confirming_ones_alone_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    pooled = Host(np.random.default_rng(2), 0.021, TOLERANCE + 0.03).worse(500)
    monkeypatch.setattr(pairs, "POOLED_TESTS", 0)
    alone = Host(np.random.default_rng(2), 0.021, TOLERANCE + 0.03).worse(500)
    assert pooled >= 0.82
    assert alone <= 0.78
