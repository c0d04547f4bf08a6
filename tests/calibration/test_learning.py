"""The table of what sessions teach: its page, and controls that miss its bounds."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from benchmarks.calibration import learning
from benchmarks.calibration.learning import SECTIONS, STORED, TWELVE, curve
from benchmarks.calibration.rows import QUICK, Row
from benchmarks.calibration.table import BEGIN, END
from pytest_pareto.stats.variance import (
    SessionEvidence,
    Spread,
    assumed_session_spread,
    session_spreads,
)

FEW = replace(QUICK, comparisons=24)
SOME = replace(QUICK, comparisons=1_200)
FOUR_PER_CENT = TWELVE[3:4]


def test_the_page_shows_the_rows_of_the_table() -> None:
    _, _, rest = learning.PAGE.read_text(encoding="utf-8").partition(BEGIN)
    shown = [line.split(" | ")[0].removeprefix("| ") for line in rest.partition(END)[0].split("\n")]
    expected = []
    for section in SECTIONS:
        expected += [f"**{section.title}**", *(row.what for row in section.rows(FEW))]
    assert [text for text in shown if text][2:] == expected


@cache
def made() -> tuple[Row, ...]:
    return tuple(curve(FOUR_PER_CENT, SOME, learnt=5))


def test_bounds_hold_where_sessions_differ_as_assumed() -> None:
    assert not [row for row in made() if row.missed]
    assert len(made()) == 2 * len(STORED)


def test_an_assumption_that_never_learns_states_too_coarse_a_resolution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(cases: Sequence[SessionEvidence]) -> list[Spread]:
        return [assumed_session_spread(case.assumed_sd) for case in cases]

    monkeypatch.setattr(learning, "session_spreads", never)
    missed = [row.what for row in curve(FOUR_PER_CENT, SOME, learnt=5) if row.missed]
    assert "4 %, 30 stored: caught at the resolution" in missed


def test_too_small_a_spread_convicts_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    def halved(cases: Sequence[SessionEvidence]) -> list[Spread]:
        return [Spread(s.variance / 4, s.df) for s in session_spreads(cases)]

    monkeypatch.setattr(learning, "session_spreads", halved)
    missed = [row.what for row in curve(FOUR_PER_CENT, SOME, learnt=5) if row.missed]
    assert "4 %, 30 stored: WORSE at the tolerance" in missed
