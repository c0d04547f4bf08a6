"""Print the table, write it into docs/quality_calibration.md, and exit with 1 on a missed bound."""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.calibration.command import Command
from benchmarks.quality import fixed, sequential, sets
from benchmarks.quality.table import ALONE, FULL, QUICK, Section

PAGE = Path(__file__).parents[2] / "docs" / "quality_calibration.md"
SECTIONS: tuple[Section, ...] = (*fixed.SECTIONS, *sequential.SECTIONS, *sets.SECTIONS)


COMMAND = Command("benchmarks.quality", PAGE, ALONE, FULL, QUICK)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code."""
    return COMMAND.run(SECTIONS, arguments)


if __name__ == "__main__":
    sys.exit(main())
