"""Print the table, write it into docs/calibration.md, and exit with 1 where a bound is missed."""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.calibration import (
    abused,
    adjusted,
    elsewhere,
    live_pairs,
    planted,
    resolution,
    run_levels,
    screened,
    sessions,
    taking_turns,
    unchanged,
)
from benchmarks.calibration.command import Command
from benchmarks.calibration.rows import FULL, QUICK, Section
from benchmarks.calibration.table import BESIDE_PEERS

PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"
SECTIONS: tuple[Section, ...] = (
    *unchanged.SECTIONS,
    *elsewhere.SECTIONS,
    *screened.SECTIONS,
    *taking_turns.SECTIONS,
    *live_pairs.SECTIONS,
    *planted.SECTIONS,
    *run_levels.SECTIONS,
    *adjusted.SECTIONS,
    *abused.SECTIONS,
    *sessions.SECTIONS,
    *resolution.SECTIONS,
)


COMMAND = Command("benchmarks.calibration", PAGE, BESIDE_PEERS, FULL, QUICK)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code."""
    return COMMAND.run(SECTIONS, arguments)


if __name__ == "__main__":
    sys.exit(main())
