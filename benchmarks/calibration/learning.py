"""What stored sessions teach of their spread: a table of its own, in docs/session_spread.md.

A suite of cases whose sessions truly differ by 0.2 to 8 %, where 4 % are assumed, against 1 to 30
stored sessions of five runs. How often is a change of exactly the tolerance called WORSE, and how
often one as large as the resolution that is stated?

    python -m benchmarks.calibration.learning [--quick]
"""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.calibration.alone import ALPHA, PRIORS
from benchmarks.calibration.command import Command
from benchmarks.calibration.noise import Values
from benchmarks.calibration.rows import FULL, QUICK, Bound, Effort, Row, Section, at_least, at_most
from benchmarks.calibration.table import Layout, cells
from pytest_pareto.compare.runs import compare_levels
from pytest_pareto.model.baseline import Session
from pytest_pareto.model.change import Change, Outcome
from pytest_pareto.model.metric import Better
from pytest_pareto.stats.variance import (
    Spread,
    on_working_scale,
    session_evidence,
    session_spreads,
    spread_between_runs,
)

PAGE = Path(__file__).parents[2] / "docs" / "session_spread.md"
SEED, RUNS, RUN_SD = 16, 5, 0.01
TOLERANCE, ASSUMED = 0.05, math.log1p(PRIORS.host)
SPREADS = (0.002, 0.005, 0.015, 0.04, 0.08)
STORED = (1, 2, 3, 5, 10, 30)
RESOLUTION = "resolution"


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases whose sessions differ by ``spreads``, with the correlation ``shared`` of two cases."""

    spreads: tuple[float, ...]
    shared: float = 0.0

    def draw(self, rng: np.random.Generator, stored: int) -> Values:
        """Draw logarithms of levels, (case, session, run); the last session is the candidate's."""
        size = (len(self.spreads), stored + 1)
        apart = math.sqrt(self.shared) * rng.normal(size=size[1])
        apart = apart + math.sqrt(1 - self.shared) * rng.normal(size=size)
        levels = np.array(self.spreads)[:, None] * apart
        return np.asarray(levels[..., None] + RUN_SD * rng.normal(size=(*size, RUNS)))


@dataclass(frozen=True, slots=True)
class Comparison:
    """One case: its stored sessions, the new one, and what all cases show of the spread."""

    stored: tuple[Session, ...]
    new: Values
    between_sessions: Spread

    def slower(self, share: float) -> Change:
        """Compare where the new session is slower by so much."""
        return compare_levels(
            self.stored,
            np.exp(self.new + math.log1p(share)).tolist(),
            better=Better.LOWER,
            relative=True,
            tolerance=TOLERANCE,
            alpha=ALPHA,
            session_spread=ASSUMED,
            between_sessions=self.between_sessions,
        )


def comparisons(levels: Values) -> list[Comparison]:
    """Return the comparison of each case; ``levels`` is (case, session, run)."""
    stored = [
        tuple(Session("", 0, tuple(np.exp(runs).tolist())) for runs in case[:-1]) for case in levels
    ]
    evidence = []
    for sessions, case in zip(stored, levels, strict=True):
        values, new = on_working_scale(sessions, relative=True), case[-1].tolist()
        own = spread_between_runs(values, new)
        shown = session_evidence(values, new, own, ASSUMED, relative=True)
        assert shown is not None
        evidence.append(shown)
    spreads = session_spreads(evidence)
    return [
        Comparison(sessions, case[-1], spread)
        for sessions, case, spread in zip(stored, levels, spreads, strict=True)
    ]


def curve(
    suites: Sequence[tuple[str, Suite, slice]], effort: Effort, *, learnt: int, most: float = 7
) -> Iterator[Row]:
    """Yield two rows for each suite and number of sessions, over the chosen cases.

    At ``most`` so many per cent of the changes at the tolerance may be WORSE.

    From ``learnt`` sessions on, the resolution is what is caught four times in five; before, it is
    a bound that assumes more than there may be.
    """
    for what, suite, chosen in suites:
        for stored in STORED:
            rng = np.random.default_rng(SEED)
            cases = len(suite.spreads[chosen])
            found = [
                each
                for _ in range(math.ceil(effort.comparisons / cases / 2))
                for each in comparisons(suite.draw(rng, stored))[chosen]
            ]
            at_margin = [each.slower(TOLERANCE) for each in found]
            resolutions = [change.resolution for change in at_margin]
            caught = [
                each.slower(resolution).outcome is Outcome.WORSE
                for each, resolution in zip(found, resolutions, strict=True)
            ]
            label = f"{what}, {stored} stored"
            worse = sum(change.outcome is Outcome.WORSE for change in at_margin)
            share = Row(f"{label}: WORSE at the tolerance", len(found), worse / len(found))
            yield replace(share, bound=at_most(most), simulated=len(suite.spreads) == 1)
            yield Row(
                f"{label}: caught at the resolution",
                len(found),
                sum(caught) / len(found),
                Bound(0.7, 0.9) if stored >= learnt else at_least(70),
                {RESOLUTION: median(resolutions)},
            )


def _named(suite: Suite) -> tuple[str, Suite, slice]:
    return f"{100 * suite.spreads[0]:g} %", suite, slice(None)


ALONE = [_named(Suite((spread,))) for spread in SPREADS]
TWELVE = [_named(Suite((spread,) * 12)) for spread in SPREADS]
TOGETHER = [_named(Suite((spread,) * 12, shared=0.95)) for spread in SPREADS]
ODD = Suite((*(0.005,) * 11, 0.08))
MIXED = [("eleven of .5 %", ODD, slice(0, 11)), ("one of 8 % beside", ODD, slice(11, 12))]

SECTIONS = (
    Section("One case alone", partial(curve, ALONE, learnt=10)),
    Section("Twelve cases, each on its own", partial(curve, TWELVE, learnt=5)),
    Section("Twelve cases that move together (r = .95)", partial(curve, TOGETHER, learnt=10)),
    Section("One of twelve cases is unlike the others", partial(curve, MIXED, learnt=5, most=10)),
)


def _cells(row: Row) -> tuple[str, ...]:
    stated = f"{100 * row.peers[RESOLUTION]:.1f}" if row.peers else ""
    return (*cells(row)[:4], stated)


LAYOUT = Layout(
    ("how often, in %", "draws", "ours", "bound", RESOLUTION), (50, 6, 9, 8, 10), _cells
)
COMMAND = Command(
    "benchmarks.calibration.learning", PAGE, LAYOUT, FULL, replace(QUICK, comparisons=24)
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code."""
    return COMMAND.run(SECTIONS, arguments)


if __name__ == "__main__":
    sys.exit(main())
